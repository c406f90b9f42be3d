#include "authority/authority.h"

#include "base/fd.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <set>

namespace cipherway::authority {
namespace {

using namespace std::chrono_literals;
using identity::Certificate;

class AuthorityTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "authority-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string directory() const { return folder_ + "/state"; }
  Authority make(Plan plan = {.trust_domain = "example.org"}) {
    auto made = Authority::init(directory(), plan);
    EXPECT_TRUE(made.has_value()) << made.error().what;
    return std::move(*made);
  }
  std::string folder_;
};

Request request(std::vector<std::string> names) {
  return Request{.names = std::move(names)};
}

std::string why_not(const auto& result) {
  return result ? "no error" : result.error().what;
}

unsigned mode_of(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 0777 : 0;
}

/// What OpenSSL says of a leaf under an authority, strictly, for a purpose and at a time; "ok" when it is good.
std::string verify(const Authority& authority, const Certificate& leaf, int purpose,
                   WallClock::time_point when = WallClock::now()) {
  auto store = *identity::TrustBundle::from_pem(authority.bundle())->to_store();
  crypto::Handle<X509_STORE_CTX, &X509_STORE_CTX_free> context(X509_STORE_CTX_new());
  STACK_OF(X509)* untrusted = sk_X509_new_null();
  sk_X509_push(untrusted, authority.intermediate().get());
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), untrusted);
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  X509_STORE_CTX_set_time(context.get(), 0, WallClock::to_time_t(when));
  int good = X509_verify_cert(context.get());
  int error = X509_STORE_CTX_get_error(context.get());
  sk_X509_free(untrusted);
  return good == 1 ? "ok" : X509_verify_cert_error_string(error);
}

TEST_F(AuthorityTest, KeepsKeysToItself) {
  Authority authority = make();
  EXPECT_EQ(mode_of(directory()), 0700U);
  for (const char* file : {"/authority.db", "/root.key", "/intermediate.key"})
    EXPECT_EQ(mode_of(directory() + file), 0600U) << file;
}

TEST_F(AuthorityTest, MakesAConstrainedHierarchy) {
  Authority authority = make();
  EXPECT_TRUE(authority.root().is_authority());
  EXPECT_EQ(X509_get_pathlen(authority.root().get()), 1);
  EXPECT_EQ(X509_get_pathlen(authority.intermediate().get()), 0);
  for (const Certificate* certificate : {&authority.root(), &authority.intermediate()}) {
    EXPECT_EQ(X509_get_key_usage(certificate->get()), static_cast<unsigned>(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
    for (int nid : {NID_basic_constraints, NID_key_usage, NID_name_constraints}) {
      int at = X509_get_ext_by_NID(certificate->get(), nid, -1);
      ASSERT_GE(at, 0) << OBJ_nid2sn(nid);
      EXPECT_EQ(X509_EXTENSION_get_critical(X509_get_ext(certificate->get(), at)), 1) << OBJ_nid2sn(nid);
    }
    EXPECT_EQ(certificate->names(), std::vector{*identity::Name::parse("spiffe://example.org")});
  }
  EXPECT_NE(authority.root().subject(), authority.intermediate().subject());
}

TEST_F(AuthorityTest, IssuesLeavesOfEveryKindOfKey) {
  for (std::string_view kind : {"p256", "p384", "ed25519", "rsa-3072"}) {
    std::filesystem::remove_all(directory());
    Authority authority = make({.trust_domain = "example.org", .key = *KeyChoice::parse(kind)});
    Request asked = request({"spiffe://example.org/a"});
    asked.key = *KeyChoice::parse(kind);
    auto issued = authority.issue(asked);
    ASSERT_TRUE(issued.has_value()) << issued.error().what;
    EXPECT_EQ(verify(authority, issued->leaf, X509_PURPOSE_SSL_SERVER), "ok") << kind;
    EXPECT_EQ(verify(authority, issued->leaf, X509_PURPOSE_SSL_CLIENT), "ok") << kind;
    auto key = crypto::private_key_from(*issued->key_pem);
    ASSERT_TRUE(key.has_value());
    EXPECT_EQ(X509_check_private_key(issued->leaf.get(), key->get()), 1);
    EXPECT_EQ(crypto::type_of(key->get()), asked.key.type);
  }
}

TEST_F(AuthorityTest, LeavesAreForTheirNamesAndUsage) {
  Authority authority =
      make({.trust_domain = "example.org", .permitted_dns = {"example.org"}, .permitted_ip = {"::/0"}});
  Request asked = request({"spiffe://example.org/a", "shop.example.org", "2001:db8::1"});
  asked.usage = Usage::Server;
  auto issued = authority.issue(asked);
  ASSERT_TRUE(issued.has_value()) << issued.error().what;
  std::vector<std::string> names;
  for (const auto& name : issued->leaf.names()) names.push_back(name.text);
  EXPECT_EQ(names, asked.names);
  EXPECT_FALSE(issued->leaf.is_authority());
  EXPECT_EQ(X509_get_key_usage(issued->leaf.get()), static_cast<unsigned>(KU_DIGITAL_SIGNATURE));
  EXPECT_EQ(issued->leaf.subject(), "O=example.org");
  EXPECT_EQ(verify(authority, issued->leaf, X509_PURPOSE_SSL_SERVER), "ok");
  EXPECT_NE(verify(authority, issued->leaf, X509_PURPOSE_SSL_CLIENT), "ok");
  auto chain = identity::chain_from_pem(issued->chain_pem);
  ASSERT_TRUE(chain.has_value()) << chain.error().what;
  EXPECT_EQ(chain->certificates.size(), 2U);
}

TEST_F(AuthorityTest, AnEmptySubjectMakesTheNamesCritical) {
  std::string domain = std::string(70, 'a') + ".example";
  Authority authority = make({.trust_domain = domain});
  auto issued = authority.issue(request({"spiffe://" + domain + "/a"}));
  ASSERT_TRUE(issued.has_value()) << issued.error().what;
  EXPECT_EQ(issued->leaf.subject(), "");
  int at = X509_get_ext_by_NID(issued->leaf.get(), NID_subject_alt_name, -1);
  EXPECT_EQ(X509_EXTENSION_get_critical(X509_get_ext(issued->leaf.get(), at)), 1);
  EXPECT_EQ(verify(authority, issued->leaf, X509_PURPOSE_SSL_SERVER), "ok");
}

TEST_F(AuthorityTest, LifetimesAreShortAndEndWithTheIssuer) {
  Authority authority = make();
  auto now = WallClock::now();
  auto issued = *authority.issue(request({"spiffe://example.org/a"}), now);
  EXPECT_FALSE(issued.shortened);
  EXPECT_NEAR(std::chrono::duration<double>(issued.leaf.not_after() - now).count(), 24 * 3600.0, 1.5);
  EXPECT_LE(issued.leaf.not_before(), now);
  EXPECT_EQ(verify(authority, issued.leaf, X509_PURPOSE_SSL_SERVER, now + 24h + 1min), "certificate has expired");
  EXPECT_EQ(verify(authority, issued.leaf, X509_PURPOSE_SSL_SERVER, now - 2min), "certificate is not yet valid");

  auto last = authority.intermediate().not_after();
  auto late = *authority.issue(request({"spiffe://example.org/b"}), last - 1h);
  EXPECT_TRUE(late.shortened);
  EXPECT_EQ(late.leaf.not_after(), last);
  EXPECT_EQ(authority.issue(request({"spiffe://example.org/c"}), last).error().kind, ErrorKind::Denied);
}

TEST_F(AuthorityTest, SerialsAreRandomAndDistinct) {
  Authority authority = make();
  std::set<std::string> serials;
  for (int i = 0; i < 20; ++i) {
    auto issued = *authority.issue(request({"spiffe://example.org/a"}));
    EXPECT_GT(issued.leaf.serial().size(), 24U);  // 128 bits; leading zero bytes are rare
    EXPECT_LE(issued.leaf.serial().size(), 32U);
    serials.insert(issued.leaf.serial());
  }
  EXPECT_EQ(serials.size(), 20U);
}

TEST_F(AuthorityTest, RefusesNamesThatAreNotItsOwn) {
  Authority authority = make();
  for (const std::vector<std::string>& names : {std::vector<std::string>{},
                                                {"spiffe://example.com/a"},
                                                {"shop.example.org"},
                                                {"10.0.0.1"},
                                                {"nonsense!"},
                                                {"spiffe://example.org"},
                                                {"spiffe://example.org/a", "spiffe://example.org/a"},
                                                {"spiffe://example.org/a", "spiffe://example.org/b"},
                                                {"spiffe://example.org/a", "spiffe://example.com/a"},
                                                std::vector<std::string>(101, "spiffe://example.org/a")})
    EXPECT_FALSE(authority.issue(request(names)).has_value()) << names.size();
  EXPECT_EQ(authority.list()->size(), 2U);  // root and intermediate
}

TEST_F(AuthorityTest, RecordsWhatItIssuesAndOpensAgain) {
  std::string serial;
  {
    Authority authority =
        make({.trust_domain = "example.org", .permitted_dns = {"a.example"}, .permitted_ip = {"10.0.0.0/8"}});
    serial = authority.issue(request({"spiffe://example.org/a", "b.a.example"}))->leaf.serial();
  }
  auto again = Authority::open(directory());
  ASSERT_TRUE(again.has_value()) << again.error().what;
  EXPECT_EQ(again->constraints().dns(), std::vector<std::string>{"a.example"});
  EXPECT_EQ(again->constraints().ip(), std::vector<std::string>{"10.0.0.0/8"});
  auto records = *again->list();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].role, Role::Root);
  EXPECT_EQ(records[1].role, Role::Intermediate);
  EXPECT_EQ(records[2].role, Role::Leaf);
  EXPECT_EQ(records[2].serial, serial);
  EXPECT_EQ(records[2].names.size(), 2U);
  EXPECT_TRUE(again->issue(request({"10.1.1.1"})).has_value());
}

TEST_F(AuthorityTest, IssuesWithoutTheRootKey) {
  Authority authority = make();
  std::filesystem::remove(authority.root_key_path());
  EXPECT_TRUE(authority.issue(request({"spiffe://example.org/a"})).has_value());
  std::filesystem::remove(authority.intermediate_key_path());
  EXPECT_EQ(authority.issue(request({"spiffe://example.org/a"})).error().kind, ErrorKind::NotFound);
}

TEST_F(AuthorityTest, RefusesAKeyThatOthersCanReadOrThatIsNotItsOwn) {
  Authority authority = make();
  ::chmod(authority.intermediate_key_path().c_str(), 0640);
  EXPECT_NE(why_not(authority.issue(request({"spiffe://example.org/a"}))).find("chmod 600"), std::string::npos);
  std::filesystem::rename(authority.root_key_path(), authority.intermediate_key_path());
  EXPECT_NE(why_not(authority.issue(request({"spiffe://example.org/a"}))).find("is not the key of the intermediate"),
            std::string::npos);
}

TEST_F(AuthorityTest, NeverTouchesWhatIsThere) {
  make();
  std::string before = *read_file(directory() + "/root.key", 10'000);
  EXPECT_EQ(Authority::init(directory(), {.trust_domain = "example.org"}).error().kind, ErrorKind::Denied);
  std::filesystem::remove(directory() + "/authority.db");
  EXPECT_EQ(Authority::init(directory(), {.trust_domain = "example.org"}).error().kind, ErrorKind::Denied);
  EXPECT_EQ(*read_file(directory() + "/root.key", 10'000), before);
  EXPECT_FALSE(std::filesystem::exists(directory() + "/authority.db"));
}

TEST_F(AuthorityTest, LeavesNothingBehindWhenItFails) {
  std::filesystem::create_directory(directory());
  ::chmod(directory().c_str(), 0700);
  ASSERT_TRUE(write_file(directory() + "/intermediate.key", as_bytes("mine"), 0600).has_value());
  EXPECT_FALSE(Authority::init(directory(), {.trust_domain = "example.org"}).has_value());
  EXPECT_FALSE(std::filesystem::exists(directory() + "/root.key"));
  EXPECT_EQ(*read_file(directory() + "/intermediate.key", 100), "mine");
}

TEST_F(AuthorityTest, PutsKeysWhereTheOperatorSays) {
  std::filesystem::create_directory(folder_ + "/keys");
  Authority authority = make({.trust_domain = "example.org", .keys = folder_ + "/keys"});
  EXPECT_EQ(authority.root_key_path(), folder_ + "/keys/root.key");
  EXPECT_FALSE(std::filesystem::exists(directory() + "/root.key"));
  EXPECT_TRUE(Authority::open(directory())->issue(request({"spiffe://example.org/a"})).has_value());
}

TEST_F(AuthorityTest, RefusesADirectoryThatOthersWriteTo) {
  std::filesystem::create_directory(directory());
  ::chmod(directory().c_str(), 0777);
  EXPECT_EQ(Authority::init(directory(), {.trust_domain = "example.org"}).error().kind, ErrorKind::Denied);
}

TEST_F(AuthorityTest, OpensOnlyWhatItMade) {
  EXPECT_NE(why_not(Authority::open(directory())).find("cipherway authority init"), std::string::npos);
  std::filesystem::create_directory(directory());
  ASSERT_TRUE(write_file(directory() + "/authority.db", as_bytes("not a database, but long enough to be one"), 0600)
                  .has_value());
  EXPECT_FALSE(Authority::open(directory()).has_value());
  ASSERT_TRUE(write_file(directory() + "/authority.db", {}, 0600).has_value());
  EXPECT_FALSE(Authority::open(directory()).has_value());
}

std::string csr(crypto::KeyType type, unsigned rsa_bits = 2048, bool own_signature = true) {
  auto key = *crypto::generate_key(type, rsa_bits);
  auto other = *crypto::generate_key(type, rsa_bits);
  crypto::Handle<X509_REQ, &X509_REQ_free> request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), key.get());
  X509_REQ_sign(request.get(), own_signature ? key.get() : other.get(),
                type == crypto::KeyType::Ed25519 ? nullptr : EVP_sha256());
  crypto::BioHandle bio = crypto::writing();
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return crypto::written(bio);
}

TEST_F(AuthorityTest, CertifiesKeysThatItNeverSees) {
  Authority authority = make();
  for (auto type : {crypto::KeyType::P256, crypto::KeyType::P384, crypto::KeyType::Ed25519, crypto::KeyType::Rsa}) {
    Request asked = request({"spiffe://example.org/a"});
    asked.csr = csr(type);
    auto issued = authority.issue(asked);
    ASSERT_TRUE(issued.has_value()) << issued.error().what;
    EXPECT_FALSE(issued->key_pem.has_value());
    EXPECT_EQ(crypto::type_of(issued->leaf.public_key()->get()), type);
    EXPECT_EQ(verify(authority, issued->leaf, X509_PURPOSE_SSL_SERVER), "ok");
  }
}

TEST_F(AuthorityTest, RefusesBadCsrs) {
  Authority authority = make();
  Request asked = request({"spiffe://example.org/a"});
  asked.csr = csr(crypto::KeyType::P256, 2048, false);
  EXPECT_NE(why_not(authority.issue(asked)).find("verify that the requester has the private key"), std::string::npos);
  asked.csr = "nonsense";
  EXPECT_FALSE(authority.issue(asked).has_value());
  asked.csr = csr(crypto::KeyType::P256) + "-----BEGIN PRIVATE KEY-----\n";
  EXPECT_EQ(authority.issue(asked).error().kind, ErrorKind::Denied);
  asked.csr = std::string(100'000, 'x');
  EXPECT_EQ(authority.issue(asked).error().kind, ErrorKind::Limit);
  EXPECT_EQ(authority.list()->size(), 2U);
}

TEST_F(AuthorityTest, RecordsBeforeItHandsOut) {
  Authority authority = make();
  ::chmod((directory() + "/authority.db").c_str(), 0400);
  if (::access((directory() + "/authority.db").c_str(), W_OK) == 0) {
    // As root nothing is read-only: take the table away instead.
    std::filesystem::resize_file(directory() + "/authority.db", 0);
  }
  EXPECT_FALSE(authority.issue(request({"spiffe://example.org/a"})).has_value());
}

}  // namespace
}  // namespace cipherway::authority
