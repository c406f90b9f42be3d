#pragma once

#include <string_view>

/// The commands of `cipherway`: one file each, one function each. Nothing registers itself: main.cpp has the table.
namespace cipherway::cli {

/// Exit statuses that every command keeps to (docs/man/cipherway.1).
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

struct Command {
  std::string_view name;
  std::string_view help;  ///< one line; empty: for the node itself, not for people, and not listed
  /// Gets its arguments as main does: argv[0] is the name of the command.
  int (*run)(int argc, char** argv);
};

int authority(int argc, char** argv);
int check(int argc, char** argv);
int gateway(int argc, char** argv);
int gateway_worker(int argc, char** argv);
int quickstart(int argc, char** argv);
int run_node(int argc, char** argv);
int status(int argc, char** argv);
int status_server(int argc, char** argv);

}  // namespace cipherway::cli
