#pragma once

#include "base/clock.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace cipherway::cli {

/// A node's status report (docs/guide/status.md) as tables for a terminal.
std::string status_text(const nlohmann::ordered_json& report, WallClock::time_point now);

/// Only which process holds which key.
std::string exposure_text(const nlohmann::ordered_json& report);

/// "in 23 h 10 min", "3 days ago".
std::string in_words(std::chrono::seconds from_now);

}  // namespace cipherway::cli
