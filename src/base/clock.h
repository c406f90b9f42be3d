#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace cipherway {

/// Monotonic time: timers, latencies, ages.
using Clock = std::chrono::steady_clock;
/// Civil time: certificate validity, log lines, ticket epochs.
using WallClock = std::chrono::system_clock;

/// RFC 3339 in UTC with milliseconds: 2026-01-02T03:04:05.678Z
std::string to_rfc3339(WallClock::time_point when);
/// The same back, with or without milliseconds; nothing if it is not such a time.
std::optional<WallClock::time_point> parse_rfc3339(const std::string& text);

}  // namespace cipherway
