#include "cli/node_process.h"

#include "base/log.h"
#include "cli/commands.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>

namespace cipherway::cli {

void NodeProcess::add_flags(CLI::App& app) {
  app.add_option("--log", log_file, "append the log to this file instead of standard error");
  app.add_option("--log-level", log_level, "least level that is logged: debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
}

int NodeProcess::run(const char* command, node::SupervisorOptions options, node::Loaded first) const {
  if (!log_file.empty()) options.log_file = log_file;
  options.log_level = log_level;
  auto passed = node::PassedSockets::take();
  if (!passed) {
    std::fprintf(stderr, "%s: %s\n", command, passed.error().what.c_str());
    return kFailed;
  }
  options.passed = std::move(*passed);
  log::set_process_name("supervisor");
  log::set_least_level(log::level_from(log_level).value_or(log::Level::Info));
  ::signal(SIGPIPE, SIG_IGN);
  event::EventLoop loop;
  node::Supervisor supervisor(loop, std::move(options));
  if (Result<void> started = supervisor.start(std::move(first)); !started) {
    std::fprintf(stderr, "%s: %s\n", command, started.error().what.c_str());
    return kFailed;
  }
  loop.run();
  return supervisor.exit_code();
}

int report_problems(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) std::fprintf(stderr, "%s\n", problem.to_string().c_str());
  return kFailed;
}

}  // namespace cipherway::cli
