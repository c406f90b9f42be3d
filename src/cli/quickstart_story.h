#pragma once

#include "base/error.h"
#include "cli/quickstart_report.h"

#include <functional>
#include <string>

namespace cipherway::cli {

/// Told what is being done now, for people who wait.
using Progress = std::function<void(const std::string& what)>;

/// Sets two nodes up on this machine, moves data through the channel between them, measures, and takes everything down
/// again, whether it works or not. An error says what could not be done, and what to do about it where we know.
Result<QuickstartReport> tell_quickstart_story(const Progress& progress);

}  // namespace cipherway::cli
