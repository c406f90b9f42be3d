#include "cli/commands.h"
#include "config/words.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace cipherway::cli {
namespace {

constexpr Command kCommands[] = {
    {"authority", "make a certificate authority, issue certificates, and show them", &authority},
    {"check", "say what is wrong with configs, all of it at once", &check},
    {"gateway", "run a node with one channel, said in flags", &gateway},
    {"gateway-worker", "", &gateway_worker},
    {"quickstart", "show a whole channel on this machine, and what each process of it can see", &quickstart},
    {"run", "run a node", &run_node},
    {"status", "show how a running node is doing, and which process holds which key", &status},
    {"status-server", "", &status_server},
};

void print_help(std::FILE* out) {
  std::fputs(
      "Cipherway encrypts data in motion between unchanged programs.\n\nusage: cipherway COMMAND ...\n\ncommands:\n",
      out);
  std::size_t widest = 0;
  for (const Command& command : kCommands) widest = std::max(widest, command.name.size());
  for (const Command& command : kCommands) {
    if (command.help.empty()) continue;
    std::fprintf(out, "  %-*s  %.*s\n", static_cast<int>(widest), command.name.data(),
                 static_cast<int>(command.help.size()), command.help.data());
  }
  std::fputs("\ncipherway COMMAND --help says more; cipherway --version says which this is.\n", out);
}

int run(int argc, char** argv) {
  std::string_view name = argc < 2 ? "" : argv[1];
  if (name == "--version") {
    std::puts("cipherway " CIPHERWAY_VERSION);
    return kDone;
  }
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(stdout);
    return kDone;
  }
  for (const Command& command : kCommands)
    if (name == command.name) return command.run(argc - 1, argv + 1);

  if (name.empty()) {
    print_help(stderr);
    return kUsage;
  }
  std::vector<std::string_view> names;
  for (const Command& command : kCommands)
    if (!command.help.empty()) names.push_back(command.name);
  std::string what = "there is no command " + config::quoted(name) + config::did_you_mean(name, names);
  std::fprintf(stderr, "cipherway: %s\ncipherway --help lists the commands\n", what.c_str());
  return kUsage;
}

}  // namespace
}  // namespace cipherway::cli

int main(int argc, char** argv) {
  return cipherway::cli::run(argc, argv);
}
