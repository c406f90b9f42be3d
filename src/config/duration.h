#pragma once

#include "base/error.h"

#include <chrono>
#include <string_view>

namespace cipherway::config {

/// "500ms", "10s", "5m", "1h", "2d": a whole number and a unit, from 1 ms to 30 days.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace cipherway::config
