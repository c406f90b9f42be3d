#include "authority/authority.h"

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "config/duration.h"
#include "config/words.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace cipherway::cli {

namespace {

using authority::Authority;
using authority::Record;
using identity::Name;
using Json = nlohmann::ordered_json;

constexpr unsigned kPublic = 0644;
constexpr unsigned kOwnerOnly = 0600;

std::string joined(const std::vector<std::string>& words, std::string_view otherwise) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? std::string(otherwise) : text;
}

std::vector<std::string> texts(const std::vector<Name>& names) {
  std::vector<std::string> all;
  for (const Name& name : names) all.push_back(name.text);
  return all;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_json(const Json& json) {
  print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// Makes CLI11 refuse what `parse` refuses: a value that cannot be read is a mistake in the arguments (exit 2).
template <class Parse>
std::function<std::string(const std::string&)> parses_with(Parse parse) {
  return [parse](const std::string& text) {
    auto parsed = parse(text);
    return parsed ? std::string() : parsed.error().what;
  };
}

// --- init

struct InitOptions {
  std::string directory;
  std::string key = "p256";
  authority::Plan plan;
  bool json = false;
};

void declare(CLI::App& app, InitOptions& options) {
  app.add_option("--dir", options.directory, "state directory to make the authority in")->required();
  app.add_option("--trust-domain", options.plan.trust_domain, "the trust domain, as in spiffe://TRUST-DOMAIN/...")
      ->required()
      ->check(parses_with(&identity::check_trust_domain));
  app.add_option("--key", options.key, "kind of the authority's keys: p256, p384, ed25519, rsa-3072 or rsa-4096")
      ->check(parses_with(&authority::KeyChoice::parse));
  app.add_option("--permit-dns", options.plan.permitted_dns,
                 "a domain: DNS names that are it or below it may be certified (repeatable; else none)")
      ->allow_extra_args(false)
      ->check(parses_with(&Name::parse));
  app.add_option("--permit-ip", options.plan.permitted_ip,
                 "a block such as 10.0.0.0/8: addresses in it may be certified (repeatable; else none)")
      ->allow_extra_args(false)
      ->check(parses_with(&authority::AddressBlock::parse));
  app.add_option("--keys", options.plan.keys, "an existing folder for root.key and intermediate.key (else --dir)");
  app.add_flag("--json", options.json, "print one JSON object");
}

Result<void> init(InitOptions& options) {
  options.plan.key = TRY(authority::KeyChoice::parse(options.key));
  Authority made = TRY(Authority::init(options.directory, options.plan));
  if (options.json) {
    print_json(
        {{"trust_domain", made.constraints().trust_domain()},
         {"permitted_dns", made.constraints().dns()},
         {"permitted_ip", made.constraints().ip()},
         {"root", {{"serial", made.root().serial()}, {"not_after", to_rfc3339(made.root().not_after())}}},
         {"intermediate",
          {{"serial", made.intermediate().serial()}, {"not_after", to_rfc3339(made.intermediate().not_after())}}},
         {"root_key", made.root_key_path()},
         {"intermediate_key", made.intermediate_key_path()}});
    return {};
  }
  print("authority of the trust domain " + made.constraints().trust_domain() + " made in " + options.directory +
        "\n  SPIFFE IDs     spiffe://" + made.constraints().trust_domain() + "/..." + "\n  DNS names      " +
        joined(made.constraints().dns(), "none (--permit-dns)") + "\n  addresses      " +
        joined(made.constraints().ip(), "none (--permit-ip)") + "\n  root key       " + made.root_key_path() +
        "  (move it offline: issuing does not need it)" + "\n  signing key    " + made.intermediate_key_path() +
        "\n\nThe trust bundle, for those who verify:\n  cipherway authority bundle --dir " + options.directory +
        " > bundle.pem\nA first certificate:\n  cipherway authority issue --dir " + options.directory +
        " --name spiffe://" + made.constraints().trust_domain() + "/storefront --out storefront\n");
  return {};
}

// --- issue

struct IssueOptions {
  std::string directory;
  authority::Request request;
  std::string lifetime = "24h";
  std::string key = "p256";
  std::string usage = "both";
  std::string csr;
  std::string out;
  bool force = false;
  bool json = false;
};

void declare(CLI::App& app, IssueOptions& options) {
  app.add_option("--dir", options.directory, "state directory of the authority")->required();
  app.add_option("--name", options.request.names,
                 "whom the certificate is for: spiffe://..., a DNS name or an IP address (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->check(parses_with(&Name::parse));
  app.add_option("--lifetime", options.lifetime, "from 1s to 30d")->check(parses_with(&config::parse_duration));
  app.add_option("--usage", options.usage, "server, client or both")->check(parses_with(&authority::usage_from));
  auto* key = app.add_option("--key", options.key, "kind of key to make: p256, p384, ed25519, rsa-3072 or rsa-4096")
                  ->check(parses_with(&authority::KeyChoice::parse));
  app.add_option("--csr", options.csr, "certify the key of this PKCS#10 request (PEM); no key is made")->excludes(key);
  app.add_option("--out", options.out, "write PREFIX.pem and, unless there is a --csr, PREFIX.key")
      ->required()
      ->type_name("PREFIX");
  app.add_flag("--force", options.force, "replace existing files");
  app.add_flag("--json", options.json, "print one JSON object");
}

/// Before anything is issued: a certificate that cannot be written should not be in the records.
Result<void> check_free(const std::string& path, bool force) {
  if (!force && ::access(path.c_str(), F_OK) == 0)
    return fail(ErrorKind::Denied, path + " exists already; choose another --out, or replace it with --force");
  return {};
}

Result<void> write(const std::string& path, BytesView content, unsigned mode, bool force) {
  return force ? write_file(path, content, mode) : write_new_file(path, content, mode);
}

Result<void> issue(IssueOptions& options) {
  options.request.key = TRY(authority::KeyChoice::parse(options.key));
  options.request.usage = TRY(authority::usage_from(options.usage));
  auto lifetime = TRY_IN("--lifetime", config::parse_duration(options.lifetime));
  options.request.lifetime = std::chrono::floor<std::chrono::seconds>(lifetime);
  if (!options.csr.empty()) options.request.csr = TRY(read_file(options.csr, 64 << 10));
  std::string certificate_path = options.out + ".pem";
  std::string key_path = options.csr.empty() ? options.out + ".key" : "";
  TRY(check_free(certificate_path, options.force));
  if (!key_path.empty()) TRY(check_free(key_path, options.force));

  Authority authority = TRY(Authority::open(options.directory));
  authority::Issued issued = TRY(authority.issue(options.request));
  // The key first: whoever waits for the certificate finds both.
  if (issued.key_pem) TRY(write(key_path, issued.key_pem->view(), kOwnerOnly, options.force));
  TRY(write(certificate_path, as_bytes(issued.chain_pem), kPublic, options.force));

  std::vector<std::string> names = texts(issued.leaf.names());
  if (issued.shortened)
    std::fputs("cipherway: the lifetime was shortened: a certificate does not outlive its issuer\n", stderr);
  if (options.json) {
    print_json({{"serial", issued.leaf.serial()},
                {"names", names},
                {"usage", authority::to_string(options.request.usage)},
                {"not_before", to_rfc3339(issued.leaf.not_before())},
                {"not_after", to_rfc3339(issued.leaf.not_after())},
                {"fingerprint_sha256", issued.leaf.fingerprint()},
                {"pin", issued.leaf.pin().to_string()},
                {"certificate", certificate_path},
                {"key", key_path.empty() ? Json(nullptr) : Json(key_path)}});
    return {};
  }
  print("issued " + joined(names, "") + "\n  serial       " + issued.leaf.serial() + "\n  valid until  " +
        to_rfc3339(issued.leaf.not_after()) + "\n  pin          " + issued.leaf.pin().to_string() +
        "\n  certificate  " + certificate_path + "\n" + (key_path.empty() ? "" : "  key          " + key_path + "\n"));
  return {};
}

// --- bundle

struct BundleOptions {
  std::string directory;
};

void declare(CLI::App& app, BundleOptions& options) {
  app.add_option("--dir", options.directory, "state directory of the authority")->required();
}

Result<void> bundle(BundleOptions& options) {
  print(TRY(Authority::open(options.directory)).bundle());
  return {};
}

// --- list

struct ListOptions {
  std::string directory;
  bool json = false;
};

void declare(CLI::App& app, ListOptions& options) {
  app.add_option("--dir", options.directory, "state directory of the authority")->required();
  app.add_flag("--json", options.json, "print a JSON array with everything that is known");
}

std::string_view state_of(const Record& record, WallClock::time_point now) {
  if (now > record.not_after) return "expired";
  return now < record.not_before ? "not yet" : "valid";
}

/// Columns of the terminal that we print to; no bound when it is none.
std::size_t width_of_output() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1) return std::string::npos;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string row(std::string_view serial, std::string_view state, std::string_view not_after, std::string names,
                std::size_t width) {
  constexpr std::size_t kSerial = 16;
  constexpr std::size_t kState = 7;
  constexpr std::size_t kNotAfter = 17;
  constexpr std::size_t kGap = 2;
  constexpr std::size_t kBefore = kSerial + kState + kNotAfter + 3 * kGap;
  auto padded = [](std::string_view text, std::size_t size) {
    std::string cell(text.substr(0, size));
    cell.resize(size + kGap, ' ');
    return cell;
  };
  std::size_t room = width > kBefore + 3 ? width - kBefore : 3;
  if (names.size() > room) names = names.substr(0, room - 3) + "...";
  return padded(serial, kSerial) + padded(state, kState) + padded(not_after, kNotAfter) + names + "\n";
}

Result<void> list(ListOptions& options) {
  Authority authority = TRY(Authority::open(options.directory));
  std::vector<Record> records = TRY(authority.list());
  WallClock::time_point now = WallClock::now();
  Json all = Json::array();
  std::string table = row("SERIAL", "STATE", "NOT AFTER", "NAMES", std::string::npos);
  std::size_t width = width_of_output();
  for (const Record& record : records) {
    std::vector<std::string> names = texts(record.names);
    std::string not_after = to_rfc3339(record.not_after);
    all.push_back({{"serial", record.serial},
                   {"role", to_string(record.role)},
                   {"names", names},
                   {"subject", record.subject},
                   {"not_before", to_rfc3339(record.not_before)},
                   {"not_after", not_after},
                   {"state", state_of(record, now)},
                   {"fingerprint_sha256", record.fingerprint}});
    bool leaf = record.role == authority::Role::Leaf;
    table += row(record.serial, state_of(record, now), not_after.substr(0, 10) + " " + not_after.substr(11, 5) + "Z",
                 (leaf ? "" : "(" + std::string(to_string(record.role)) + ") ") + joined(names, "-"), width);
  }
  if (options.json)
    print_json(all);
  else
    print(table);
  return {};
}

/// A subcommand: what it takes, and what it does once everything was parsed.
template <class Options>
void add(CLI::App& app, const char* name, const char* help, Options& options, Result<void> (*run)(Options&),
         std::function<Result<void>()>& chosen, std::string& doing) {
  CLI::App* command = app.add_subcommand(name, help);
  declare(*command, options);
  command->callback([&options, run, &chosen, &doing, name] {
    doing = name;
    chosen = [&options, run] { return run(options); };
  });
}

}  // namespace

int authority(int argc, char** argv) {
  CLI::App app("Makes a certificate authority for one trust domain, and issues short-lived certificates with it.",
               "cipherway authority");
  app.require_subcommand(1);
  InitOptions init_options;
  IssueOptions issue_options;
  BundleOptions bundle_options;
  ListOptions list_options;
  std::function<Result<void>()> chosen;
  std::string doing;
  add(app, "init", "make a new authority: a root, and an intermediate that issues", init_options, &init, chosen, doing);
  add(app, "issue", "issue a certificate", issue_options, &issue, chosen, doing);
  add(app, "bundle", "print the trust bundle: what verifiers need", bundle_options, &bundle, chosen, doing);
  add(app, "list", "show what was issued", list_options, &list, chosen, doing);
  constexpr std::string_view kNames[] = {"init", "issue", "bundle", "list"};
  if (argc > 1 && argv[1][0] != '-' && std::ranges::find(kNames, std::string_view(argv[1])) == std::end(kNames)) {
    std::string what = "there is no " + config::quoted(argv[1]) + config::did_you_mean(argv[1], kNames);
    std::fprintf(stderr, "cipherway authority: %s\n", what.c_str());
    return kUsage;
  }
  if (auto status = parse(app, argc, argv)) return *status;

  Result<void> done = chosen();
  if (done) return kDone;
  std::fprintf(stderr, "cipherway authority %s: %s\n", doing.c_str(), done.error().what.c_str());
  return kFailed;
}

}  // namespace cipherway::cli
