#pragma once

#include <chrono>
#include <string>

namespace cipherway {

/// Monotonic time: timers, latencies, ages.
using Clock = std::chrono::steady_clock;
/// Civil time: certificate validity, log lines, ticket epochs.
using WallClock = std::chrono::system_clock;

/// RFC 3339 in UTC with milliseconds: 2026-01-02T03:04:05.678Z
std::string to_rfc3339(WallClock::time_point when);

}  // namespace cipherway
