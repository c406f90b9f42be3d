#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace cipherway::cli {

/// Parses the arguments of one command. Nothing: they are fine, go on. A number: the exit status to return at once,
/// 0 after --help, kUsage after a mistake that has been explained on standard error.
std::optional<int> parse(CLI::App& app, int argc, char** argv);

}  // namespace cipherway::cli
