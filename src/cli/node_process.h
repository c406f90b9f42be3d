#pragma once

#include "node/supervisor.h"

#include <string>

namespace CLI {
class App;
}

namespace cipherway::cli {

/// What `cipherway run` and `cipherway gateway` have in common: the flags that are about the process and not about
/// channels, and the life of the node.
struct NodeProcess {
  std::string log_file;
  std::string log_level = "info";

  void add_flags(CLI::App& app);
  /// Takes the sockets that a service manager passed, then is the supervisor to its end: the exit code. `command` is
  /// who speaks when the node cannot start.
  int run(const char* command, node::SupervisorOptions options, node::Loaded first) const;
};

/// Says what is wrong, a line each; returns kFailed.
int report_problems(const std::vector<config::Problem>& problems);

}  // namespace cipherway::cli
