#pragma once

#include "base/clock.h"

#include <algorithm>
#include <cstdint>

namespace cipherway::gateway {

/// Which refusals get a line in the log: all of them, until they come by the hundreds, because then it is the log that
/// a flood would fill. Those with names in them are always said; who counts rather reads the status.
class RefusalLog {
 public:
  static constexpr unsigned kAtOnce = 100;
  static constexpr unsigned kPerSecond = 20;

  /// True: worth a line, which may say how many there were without one since the last (`unlogged`).
  bool worth_a_line(Clock::time_point now, std::uint64_t& unlogged) {
    // As a bucket, kept as the moment at which it is full again.
    constexpr Clock::duration kEach = Clock::duration(std::chrono::seconds(1)) / kPerSecond;
    Clock::time_point full = std::max(full_at_, now) + kEach;
    if (full > now + kEach * kAtOnce) {
      ++unlogged_;
      return false;
    }
    full_at_ = full;
    unlogged = unlogged_;
    unlogged_ = 0;
    return true;
  }

 private:
  Clock::time_point full_at_{};
  std::uint64_t unlogged_ = 0;
};

}  // namespace cipherway::gateway
