#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "node/supervisor.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <map>

namespace cipherway::cli {

namespace {

const std::map<std::string, log::Level> kLevels = {
    {"debug", log::Level::Debug}, {"info", log::Level::Info}, {"warn", log::Level::Warn}, {"error", log::Level::Error}};

}  // namespace

int run_node(int argc, char** argv) {
  node::SupervisorOptions options;
  std::string log_file;
  CLI::App app(
      "Runs a node: a keyholder and gateway workers for the channels of its config.\n"
      "HUP reloads, TERM and INT let connections end and stop (a second one stops at once), USR1 reopens the log "
      "file.\n"
      "Changed certificates, keys and trust bundles are noticed without a signal.",
      "cipherway run");
  app.footer(
      "Exit codes: 0 stopped as asked; 1 the config cannot run, or connections had to be cut; 2 usage.\n"
      "More: docs/guide/running.md");
  app.add_option("CONFIG", options.config, "the node's config (node.toml)")->required();
  app.add_option("--log", log_file, "append the log to this file instead of standard error");
  app.add_option("--log-level", options.log_level, "least level that is logged: debug, info, warn or error")
      ->check(CLI::IsMember(kLevels));
  if (auto code = parse(app, argc, argv)) return *code;
  if (!log_file.empty()) options.log_file = log_file;
  log::set_process_name("supervisor");
  log::set_least_level(kLevels.at(options.log_level));

  auto loaded = node::load(options.config);
  if (!loaded) {
    for (const config::Problem& problem : loaded.error().all())
      std::fprintf(stderr, "%s\n", problem.to_string().c_str());
    return kFailed;
  }
  ::signal(SIGPIPE, SIG_IGN);
  event::EventLoop loop;
  node::Supervisor supervisor(loop, std::move(options));
  if (Result<void> started = supervisor.start(std::move(*loaded)); !started) {
    std::fprintf(stderr, "cipherway run: %s\n", started.error().what.c_str());
    return kFailed;
  }
  loop.run();
  return supervisor.exit_code();
}

}  // namespace cipherway::cli
