#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/node_process.h"

#include <CLI/CLI.hpp>

namespace cipherway::cli {

int run_node(int argc, char** argv) {
  NodeProcess process;
  std::string config;
  CLI::App app(
      "Runs a node: a keyholder and gateway workers for the channels of its config.\n"
      "HUP reloads, TERM and INT let connections end and stop (a second one stops at once), USR1 reopens the log "
      "file.\n"
      "Changed certificates, keys and trust bundles are noticed without a signal.",
      "cipherway run");
  app.footer(
      "Exit codes: 0 stopped as asked; 1 the config cannot run, or connections had to be cut; 2 usage.\n"
      "More: docs/guide/running.md");
  app.add_option("CONFIG", config, "the node's config (node.toml)")->required();
  process.add_flags(app);
  if (auto code = parse(app, argc, argv)) return *code;

  auto loaded = node::load(config);
  if (!loaded) return report_problems(loaded.error().all());
  return process.run("cipherway run", node::SupervisorOptions{.config = config}, std::move(*loaded));
}

}  // namespace cipherway::cli
