#include "cli/flags.h"

#include "cli/commands.h"

#include <CLI/CLI.hpp>

namespace cipherway::cli {

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
}

}  // namespace cipherway::cli
