#include "cli/gateway_flags.h"

#include "config/words.h"

#include <algorithm>

namespace cipherway::cli {

namespace {

using config::Place;
using config::Problem;

/// A basic string of TOML. What is not UTF-8 is left for the parser to refuse.
std::string toml(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string absolute(std::string_view path, const std::string& directory) {
  if (path.empty() || path.starts_with('/')) return std::string(path);
  if (path.starts_with("./")) path.remove_prefix(2);
  return directory + (directory.ends_with('/') ? "" : "/") + std::string(path);
}

/// The name that every machine has for itself becomes its address; paths of UNIX sockets become absolute.
std::string address(const std::string& text, const std::string& directory) {
  if (text.starts_with("localhost:")) return "127.0.0.1" + text.substr(9);
  if (text.starts_with("unix:") && text.size() > 5) return "unix:" + absolute(text.substr(5), directory);
  return text;
}

/// Whether plaintext may come in there without another word. What is no address is for the config to complain about,
/// and a socket that systemd passes is looked at when it is there.
bool may_listen_in_clear(const std::string& listen) {
  auto parsed = Address::parse(listen);
  return !parsed || parsed->is_local();
}

/// The same for where it goes: a name may be anywhere.
bool may_lead_in_clear(const std::string& target) {
  auto parsed = Address::parse(target);
  return parsed ? parsed->is_local() : !target.contains(':');
}

/// The host of HOST:PORT when it is a name.
std::string host_name(const std::string& target) {
  std::size_t colon = target.rfind(':');
  if (colon == std::string::npos || target.starts_with("unix:") || Address::parse(target)) return "";
  return target.substr(0, colon);
}

void remove(std::string& text, std::string_view prefix) {
  if (text.starts_with(prefix)) text.erase(0, prefix.size());
}

struct Foreign {
  std::string_view flag;
  std::string_view instead;
};
constexpr std::string_view kNoCommonNames =
    "a certificate's subject is not where its names are (RFC 9525); use --allow-uri or --allow-dns";
constexpr std::string_view kNoPolicyLanguage =
    "there is no policy language; list names with --allow-uri and --allow-dns";
constexpr std::string_view kSeparateFiles =
    "certificate and key are separate PEM files, because only the keyholder may open the key; use --cert and --key";
constexpr Foreign kForeign[] = {
    {"--allow-cn", kNoCommonNames},
    {"--allow-ou", kNoCommonNames},
    {"--verify-cn", kNoCommonNames},
    {"--verify-ou", kNoCommonNames},
    {"--allow-policy", kNoPolicyLanguage},
    {"--allow-query", kNoPolicyLanguage},
    {"--verify-policy", kNoPolicyLanguage},
    {"--verify-query", kNoPolicyLanguage},
    {"--keystore", kSeparateFiles},
    {"--storepass", kSeparateFiles},
    {"--pkcs11-module", "keys are PEM files, which the keyholder opens; use --key"},
    {"--use-workload-api", "certificates are files, noticed when they change; let an agent write them"},
    {"--auto-acme-cert", "certificates are files, noticed when they change; let an ACME client write them"},
    {"--timed-reload", "not needed: files that change are noticed within seconds; leave it out"},
    {"--use-landlock", "not needed: every process is in its sandbox always; leave it out"},
    {"--metrics-url", "metrics are fetched, not sent; use --status"},
    {"--metrics-graphite", "metrics are fetched, not sent; use --status"},
    {"--enable-shutdown", "nobody stops a node over the network; send TERM"},
    {"--max-conn-lifetime", "connections have no longest life; --idle-timeout ends those that nobody uses"},
    {"--max-concurrent-conns", "write a node.toml with limits.connections (--print-config begins one)"},
    {"--close-timeout", "each direction closes by itself; --idle-timeout ends what nobody uses"},
    {"--quiet", "use --log-level"},
};

}  // namespace

std::string instead_of_foreign_flag(std::string_view flag) {
  for (const Foreign& foreign : kForeign)
    if (flag == foreign.flag) return std::string(foreign.instead);
  return "";
}

void FlagConfig::add(const std::string& text, const std::string& flag, const std::string& key) {
  text_ += text + "\n";
  lines_.push_back({flag, key});
}

std::expected<FlagConfig, std::vector<Problem>> FlagConfig::from(const GatewayFlags& flags,
                                                                 const std::string& directory,
                                                                 const std::string& state) {
  std::vector<Problem> problems;
  auto problem = [&](const char* flag, std::string what) {
    problems.push_back({Place{flag, 0, 0}, std::move(what), {}});
  };
  auto needless = [&](bool given, const char* flag, const char* why) {
    if (given) problem(flag, why);
  };
  bool has_certificate = !flags.certificate.empty() || !flags.key.empty();
  bool named = !flags.allow_uri.empty() || !flags.allow_dns.empty();

  // Who may be at the other end.
  std::vector<std::pair<std::string, std::string>> peers;  // flag, pattern
  for (const std::string& uri : flags.allow_uri) peers.emplace_back("--allow-uri", uri);
  for (const std::string& dns : flags.allow_dns) peers.emplace_back("--allow-dns", dns);
  std::string listen = address(flags.listen, directory);
  std::vector<std::string> targets;
  for (const std::string& target : flags.targets) targets.push_back(address(target, directory));

  if (flags.client) {
    if (!named && !flags.server_name.empty()) {
      peers.emplace_back("--server-name", flags.server_name);
    } else if (!named) {
      for (const std::string& target : targets)
        if (std::string name = host_name(target);
            !name.empty() && std::ranges::none_of(peers, [&](const auto& peer) { return peer.second == name; }))
          peers.emplace_back("--target", name);
    }
    if (peers.empty())
      problem("--allow-uri", "no server would be accepted; name it with --allow-uri, --allow-dns or --server-name");
    needless(flags.allow_any, "--allow-any", "a client must say which server it expects");
    needless(flags.unsafe_target, "--unsafe-target", "has no effect with --client: TLS goes to the target");
    if (!may_listen_in_clear(listen) && !flags.unsafe_listen)
      problem("--listen",
              "what comes in at " + config::quoted(flags.listen) +
                  " is in clear, and the network could read it; listen on loopback or a UNIX socket, or say "
                  "--unsafe-listen");
    if (!has_certificate && !flags.no_client_auth)
      problem("--cert", "is missing; give this client's certificate, or say --no-client-auth if it has none");
    needless(has_certificate && flags.no_client_auth, "--no-client-auth",
             "with --client it means to show no certificate; leave out --cert and --key");
  } else {
    if (flags.no_client_auth) {
      needless(named || flags.allow_any, "--no-client-auth",
               "asks no client who it is, so --allow-uri, --allow-dns and --allow-any have no effect; leave them out");
    } else if (flags.allow_any) {
      needless(named, "--allow-any", "allows more than --allow-uri and --allow-dns; leave out one or the other");
      peers.emplace_back("--allow-any", "any");
    } else if (!named) {
      problem("--allow-uri",
              "no client would be let in; name them with --allow-uri or --allow-dns, or say --allow-any");
    }
    needless(flags.unsafe_listen, "--unsafe-listen", "has no effect without --client: TLS comes in");
    needless(!flags.server_name.empty(), "--server-name", "has no effect without --client");
    if (!flags.unsafe_target)
      for (std::size_t i = 0; i < targets.size(); ++i)
        if (!may_lead_in_clear(targets[i]))
          problem("--target",
                  "what goes to " + config::quoted(flags.targets[i]) +
                      " is in clear, and the network could read it; run the gateway beside the target, or say "
                      "--unsafe-target");
    if (flags.certificate.empty()) problem("--cert", "is missing; give the certificate chain to show, leaf first");
  }
  if (has_certificate && flags.key.empty())
    problem("--key", "is missing; give the private key of the certificate: only the keyholder opens it");
  if (has_certificate && flags.certificate.empty() && flags.client)
    problem("--cert", "is missing; give the certificate of the key");
  if (flags.trust.empty() && (flags.client || !flags.no_client_auth))
    problem("--cacert", std::string("is missing; give the authorities that ") + (flags.client ? "servers" : "clients") +
                            " are verified by, as a PEM file");
  if (!problems.empty()) return std::unexpected(std::move(problems));

  FlagConfig out;
  auto value = [&](const char* key, const std::string& text, const char* flag, const char* path) {
    if (!text.empty()) out.add(std::string(key) + " = " + toml(text), flag, path);
  };
  auto list = [&](const std::string& key, const std::vector<std::pair<std::string, std::string>>& items,
                  const std::string& flag, const std::string& path) {
    out.add(key + " = [", flag, path);
    for (const auto& [item_flag, item] : items) out.add("  " + toml(item) + ",", item_flag, path);
    out.add("]", flag, path);
  };
  std::vector<std::pair<std::string, std::string>> target_list;
  for (const std::string& target : targets) target_list.emplace_back("--target", target);
  const char* protect = flags.no_client_auth ? "tls" : "mutual-tls";

  out.add("[node]");
  value("state", state, "--state", "state");
  value("user", flags.user, "--user", "user");
  if (flags.workers != 0) out.add("workers = " + std::to_string(flags.workers), "--workers", "node: workers");
  value("status", flags.status.starts_with("unix:") ? address(flags.status, directory) : flags.status, "--status",
        "status");
  if (has_certificate) {
    out.add("");
    out.add("[identity.gateway]", "--cert");
    value("certificate", absolute(flags.certificate, directory), "--cert", "certificate");
    value("key", absolute(flags.key, directory), "--key", "key");
    value("trust", absolute(flags.trust, directory), "--cacert", "trust");
  }
  out.add("");
  out.add("[[channel]]");
  out.add("name = \"gateway\"");
  out.add("");
  out.add("[channel.from]", "--listen");
  value("listen", listen, "--listen", "from.listen");
  value("protect", flags.client ? "none" : protect, "--listen", "from.protect");
  if (!flags.client) {
    value("identity", "gateway", "--cert", "from.identity");
    if (!flags.no_client_auth) list("allow", peers, "--allow-uri", "from.allow");
  } else if (flags.unsafe_listen) {
    out.add("allow_plaintext = true", "--unsafe-listen", "from.allow_plaintext");
  }
  out.add("");
  out.add("[channel.to]", "--target");
  list("targets", target_list, "--target", "to.targets");
  value("balance", flags.balance, "--balance", "to.balance");
  value("proxy_protocol", flags.proxy_protocol, "--proxy-protocol", "to.proxy_protocol");
  value("protect", flags.client ? protect : "none", "--target", "to.protect");
  if (flags.client) {
    if (has_certificate)
      value("identity", "gateway", "--cert", "to.identity");
    else
      value("trust", absolute(flags.trust, directory), "--cacert", "to.trust");
    list("expect", peers, "--allow-uri", "to.expect");
    value("server_name", flags.server_name, "--server-name", "server_name");
  } else if (flags.unsafe_target) {
    out.add("allow_plaintext = true", "--unsafe-target", "to.allow_plaintext");
  }
  if (!(flags.handshake_timeout + flags.connect_timeout + flags.idle_timeout + flags.shutdown_timeout).empty()) {
    out.add("");
    out.add("[channel.timeouts]");
    value("handshake", flags.handshake_timeout, "--handshake-timeout", "timeouts.handshake");
    value("connect", flags.connect_timeout, "--connect-timeout", "timeouts.connect");
    value("idle", flags.idle_timeout, "--idle-timeout", "timeouts.idle");
    value("drain", flags.shutdown_timeout, "--shutdown-timeout", "timeouts.drain");
  }
  return out;
}

std::vector<Problem> FlagConfig::at_flags(std::vector<Problem> problems) const {
  auto line_of = [&](const Place& at) -> const Line* {
    bool ours = at.file == kFile && at.line >= 1 && at.line <= lines_.size();
    return ours && !lines_[at.line - 1].flag.empty() ? &lines_[at.line - 1] : nullptr;
  };
  for (Problem& problem : problems) {
    remove(problem.what, "channel \"gateway\": ");
    remove(problem.what, "identity \"gateway\": ");
    if (const Line* line = line_of(problem.at)) {
      problem.at = {line->flag, 0, 0};
      if (problem.what.starts_with(line->key + ": "))
        remove(problem.what, line->key + ": ");
      else if (problem.what.starts_with(line->key + " "))
        problem.what.replace(0, line->key.size(), "it");
    }
    if (problem.because) {
      const Line* line = line_of(*problem.because);
      problem.because = line != nullptr ? std::optional(Place{line->flag, 0, 0}) : std::nullopt;
    }
  }
  return problems;
}

}  // namespace cipherway::cli
