#include "authority/authority.h"

#include "authority/request.h"
#include "base/fd.h"

#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace cipherway::authority {

using crypto::KeyHandle;
using identity::Certificate;

namespace {

constexpr std::size_t kMostKeyFile = 64 << 10;
constexpr unsigned kOwnerOnly = 0600;

std::string database_path(const std::string& directory) {
  return directory + "/authority.db";
}

std::string key_path(const std::string& directory, const std::string& keys, std::string_view name) {
  return (keys.empty() ? directory : keys) + "/" + std::string(name) + ".key";
}

/// Removes what was made on the way unless everything succeeded.
class Undo {
 public:
  Undo() = default;
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) ::unlink(path->c_str());
  }
  void made(std::string path) { made_.push_back(std::move(path)); }
  void keep() { made_.clear(); }

 private:
  std::vector<std::string> made_;
};

Result<void> make_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::path parent = std::filesystem::path(directory).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return fail_errno("make the directory " + parent.string(), error.value());
  if (::mkdir(directory.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return fail_errno("make the directory " + directory);
  struct stat about{};
  if (::stat(directory.c_str(), &about) != 0) return fail_errno("examine " + directory);
  if (!S_ISDIR(about.st_mode)) return fail(ErrorKind::Invalid, directory + " is not a directory");
  // Whoever may write there may put another intermediate.key in place.
  if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(ErrorKind::Denied, "others may write to " + directory + "; chmod go-w " + directory);
  return {};
}

Result<void> check_plan(const Plan& plan) {
  if (plan.intermediate_lifetime <= std::chrono::seconds::zero() || plan.root_lifetime < plan.intermediate_lifetime)
    return fail(ErrorKind::Invalid, "the intermediate lives longer than the root (or not at all); shorten it");
  if (plan.root_lifetime > std::chrono::years(100))
    return fail(ErrorKind::Invalid, "a root that lives for more than 100 years is not an authority");
  return {};
}

Result<void> write_key(const std::string& path, const KeyHandle& key, Undo& undo) {
  SecretBytes pem = TRY(crypto::private_key_to_pem(key));
  TRY(write_new_file(path, pem.view(), kOwnerOnly));
  undo.made(path);
  return {};
}

}  // namespace

Result<Authority> Authority::init(const std::string& directory, const Plan& plan, WallClock::time_point now) {
  Constraints constraints = TRY(Constraints::make(plan.trust_domain, plan.permitted_dns, plan.permitted_ip));
  TRY(check_plan(plan));
  TRY(make_directory(directory));
  if (::access(database_path(directory).c_str(), F_OK) == 0)
    return fail(ErrorKind::Denied, "there is an authority in " + directory + " already; choose another directory");

  KeyHandle root_key = TRY(crypto::generate_key(plan.key.type, plan.key.rsa_bits));
  KeyHandle intermediate_key = TRY(crypto::generate_key(plan.key.type, plan.key.rsa_bits));
  WallClock::time_point not_before = now - kBackdated;
  Certificate root = TRY(make_root(root_key.get(), constraints, {not_before, now + plan.root_lifetime}));
  Certificate intermediate = TRY(make_intermediate(
      intermediate_key.get(), constraints, {not_before, now + plan.intermediate_lifetime}, {root, root_key.get()}));
  Founding founding{std::move(constraints), plan.keys, std::move(root), std::move(intermediate)};

  Undo undo;
  TRY(write_key(key_path(directory, plan.keys, "root"), root_key, undo));
  TRY(write_key(key_path(directory, plan.keys, "intermediate"), intermediate_key, undo));
  Store store = TRY(Store::create(database_path(directory), founding));
  undo.keep();
  return Authority(directory, std::move(store), std::move(founding));
}

Result<Authority> Authority::open(const std::string& directory) {
  auto store = Store::open(database_path(directory));
  if (!store && store.error().kind == ErrorKind::NotFound)
    return fail(ErrorKind::NotFound, "there is no authority in " + directory +
                                         "; make one with `cipherway authority init --dir " + directory +
                                         " --trust-domain example.org`");
  Store opened = TRY(std::move(store));
  Founding founding = TRY(opened.founding());
  return Authority(directory, std::move(opened), std::move(founding));
}

std::string Authority::root_key_path() const {
  return key_path(directory_, founding_.keys, "root");
}

std::string Authority::intermediate_key_path() const {
  return key_path(directory_, founding_.keys, "intermediate");
}

Result<KeyHandle> Authority::intermediate_key() const {
  std::string path = intermediate_key_path();
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return fail_errno("open the intermediate's key " + path);
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(ErrorKind::Denied, "others may use the intermediate's key; chmod 600 " + path);
  SecretBytes pem = TRY(read_secret_file(path, kMostKeyFile));
  KeyHandle key = TRY_IN(path, crypto::private_key_from(pem));
  if (X509_check_private_key(founding_.intermediate.get(), key.get()) != 1) {
    crypto::openssl_errors();
    return fail(ErrorKind::Invalid, path + " is not the key of the intermediate certificate");
  }
  return key;
}

Result<Issued> Authority::issue(const Request& request, WallClock::time_point now) {
  std::vector<identity::Name> names = TRY(requested_names(request.names, founding_.constraints));
  if (request.lifetime < std::chrono::seconds(1))
    return fail(ErrorKind::Invalid, "a certificate lives for at least a second");
  WallClock::time_point last = founding_.intermediate.not_after();
  if (now >= last)
    return fail(ErrorKind::Denied, "the intermediate certificate expired at " + to_rfc3339(last) +
                                       "; make a new authority and give its bundle to those who verify");
  bool shortened = request.lifetime > last - now;
  Validity validity{std::max(now - kBackdated, founding_.intermediate.not_before()),
                    shortened ? last : now + request.lifetime};

  bool made_here = request.csr.empty();
  KeyHandle key =
      TRY(made_here ? crypto::generate_key(request.key.type, request.key.rsa_bits) : key_of_csr(request.csr));
  KeyHandle signing_key = TRY(intermediate_key());
  Certificate leaf = TRY(make_leaf(key.get(), names, request.usage, validity, founding_.constraints.trust_domain(),
                                   {founding_.intermediate, signing_key.get()}));
  std::optional<SecretBytes> key_pem;
  if (made_here) key_pem = TRY(crypto::private_key_to_pem(key));
  TRY(store_.record(leaf, Role::Leaf));
  std::string chain_pem = leaf.to_pem() + founding_.intermediate.to_pem();
  return Issued{std::move(leaf), std::move(chain_pem), std::move(key_pem), shortened};
}

}  // namespace cipherway::authority
