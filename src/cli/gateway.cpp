#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/gateway_flags.h"
#include "cli/node_process.h"
#include "config/words.h"
#include "node/temporary_state.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

namespace cipherway::cli {

namespace {

/// What a person who prints the config may keep: beside the file, whoever runs it.
constexpr const char* kStateInPrintedConfig = "cipherway.state";

constexpr const char* kAbout =
    "Runs a node with one channel, said in flags: TLS in and plaintext out, or with --client plaintext in and TLS "
    "out.\n"
    "It is the node of `cipherway run`, with the same processes and signals; --print-config prints its node.toml.";

constexpr const char* kFooter =
    "Exit codes: 0 stopped as asked; 1 a file cannot be used, or connections had to be cut; 2 usage.\n"
    "More: docs/guide/from-ghostunnel-and-stunnel.md";

struct Arguments {
  GatewayFlags flags;
  NodeProcess process;
  std::string mode;
  std::string state;
  bool print_config = false;

  void add_to(CLI::App& app) {
    app.add_option("MODE", mode, "server (the default) or client; client says the same as --client")
        ->check(CLI::IsMember({"server", "client"}));
    app.add_flag("--client", flags.client, "plaintext comes in, TLS goes out");
    app.add_option("--listen", flags.listen, "HOST:PORT, [IPV6]:PORT, unix:PATH or systemd:NAME")
        ->type_name("ADDR")
        ->required();
    app.add_option("--target", flags.targets, "where to lead: HOST:PORT, [IPV6]:PORT or unix:PATH; may be repeated")
        ->type_name("ADDR")
        ->allow_extra_args(false)
        ->required();
    app.add_option("--cert", flags.certificate, "the certificate chain to show (PEM, leaf first)")->type_name("FILE");
    app.add_option("--key", flags.key, "its private key (PEM), which only the keyholder opens")->type_name("FILE");
    app.add_option("--cacert", flags.trust, "the authorities that peers are verified by (PEM)")->type_name("FILE");
    app.add_option("--allow-uri,--verify-uri", flags.allow_uri,
                   "a SPIFFE ID that the peer may have; * is one segment, ** the rest; may be repeated")
        ->type_name("ID")
        ->allow_extra_args(false);
    app.add_option("--allow-dns,--verify-dns", flags.allow_dns,
                   "a DNS name that the peer may have; *.NAME is one label; may be repeated")
        ->type_name("NAME")
        ->allow_extra_args(false);
    app.add_flag("--allow-any,--allow-all", flags.allow_any, "let in every client that the authorities vouch for");
    app.add_flag("--no-client-auth,--disable-authentication", flags.no_client_auth,
                 "ask no client for a certificate; with --client: show none");
    app.add_option("--server-name,--override-server-name", flags.server_name,
                   "with --client: the name to ask for, and to expect if no other is given")
        ->type_name("NAME");
    app.add_flag("--unsafe-listen", flags.unsafe_listen,
                 "with --client: listen in clear where the network can read it");
    app.add_flag("--unsafe-target", flags.unsafe_target, "lead in clear to where the network can read it");
    app.add_option("--balance", flags.balance, "how connections spread over targets (node.toml(5), balance)")
        ->type_name("HOW");
    app.add_option("--proxy-protocol", flags.proxy_protocol, "tell targets who connects: v1 or v2 (v2 without a value)")
        ->type_name("VERSION")
        ->expected(0, 1)
        ->default_str("v2");
    app.add_option("--handshake-timeout", flags.handshake_timeout, "how long a handshake may take, like 10s")
        ->type_name("TIME");
    app.add_option("--connect-timeout", flags.connect_timeout, "how long a target may take to accept, like 5s")
        ->type_name("TIME");
    app.add_option("--idle-timeout", flags.idle_timeout, "when a connection without a byte ends, like 1h")
        ->type_name("TIME");
    app.add_option("--shutdown-timeout", flags.shutdown_timeout,
                   "how long connections may go on after TERM before they are cut, like 30s")
        ->type_name("TIME");
    app.add_option("--status", flags.status, "serve metrics and status over HTTP at this address")->type_name("ADDR");
    app.add_option("--workers", flags.workers, "gateway workers; one a core if not given")
        ->type_name("N")
        ->check(CLI::Range(1, 256));
    app.add_option("--user", flags.user, "whom workers and keyholder become when root starts the node; nobody")
        ->type_name("NAME");
    app.add_option("--state", state, "state directory; a temporary one of its own if not given")->type_name("DIR");
    app.add_flag("--print-config", print_config, "print the node.toml that the flags stand for, and end");
    process.add_flags(app);
  }
};

/// What is wrong with an argument that looks like a flag and is none of ours.
std::optional<config::Problem> unknown_flag(const CLI::App& app, std::string_view argument) {
  if (!argument.starts_with("--")) return std::nullopt;
  std::string flag(argument.substr(0, argument.find('=')));
  if (app.get_option_no_throw(flag) != nullptr) return std::nullopt;
  std::string what = instead_of_foreign_flag(flag);
  if (what.empty()) {
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    std::vector<std::string_view> words(known.begin(), known.end());
    what = "there is no such flag" + config::did_you_mean(flag, words);
  }
  return config::Problem{config::Place{config::visible(flag, 64), 0, 0}, what, {}};
}

int usage_problems(const std::vector<config::Problem>& problems) {
  report_problems(problems);
  return kUsage;
}

}  // namespace

int gateway(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(kAbout, "cipherway gateway");
  app.footer(kFooter);
  arguments.add_to(app);
  for (int i = 1; i < argc; ++i)
    if (auto problem = unknown_flag(app, argv[i])) return usage_problems({*problem});
  if (auto code = parse(app, argc, argv)) return *code;
  if (arguments.mode == "client") arguments.flags.client = true;
  if (arguments.mode == "server" && arguments.flags.client)
    return usage_problems({{config::Place{"--client", 0, 0}, "contradicts the mode server; leave out one", {}}});

  std::error_code error;
  std::string directory = std::filesystem::current_path(error).string();
  if (error) directory = "/";
  std::string state = arguments.state;
  if (!state.empty()) state = std::filesystem::absolute(state, error).lexically_normal().string();

  // Flags that say nothing sensible are a mistake of usage, before anything is made or opened.
  auto config = FlagConfig::from(arguments.flags, directory, state.empty() ? kStateInPrintedConfig : state);
  if (!config) return usage_problems(config.error());
  auto decoded = config::decode(config->text(), FlagConfig::kFile, directory);
  if (!decoded.node) return usage_problems(config->at_flags(std::move(decoded.problems)));
  if (arguments.print_config) {
    std::fputs(config->text().c_str(), stdout);
    return kDone;
  }

  std::optional<node::TemporaryState> temporary;
  if (state.empty()) {
    auto made = node::TemporaryState::make();
    if (!made) return usage_problems({{config::Place{"--state", 0, 0}, made.error().what + "; name one", {}}});
    state = made->path();
    temporary.emplace(std::move(*made));
    config = FlagConfig::from(arguments.flags, directory, state);
  }
  auto load = [config = *config, directory]() -> std::expected<node::Loaded, node::Unprepared> {
    auto loaded = node::load_text(config.text(), FlagConfig::kFile, directory);
    if (loaded) return loaded;
    return std::unexpected(node::Unprepared{config.at_flags(std::move(loaded.error().problems)),
                                            config.at_flags(std::move(loaded.error().missing))});
  };
  auto loaded = load();
  if (!loaded) return report_problems(loaded.error().all());
  return arguments.process.run("cipherway gateway", {.config = FlagConfig::kFile, .load = load}, std::move(*loaded));
}

}  // namespace cipherway::cli
