#pragma once

#include "base/clock.h"

#include <algorithm>

namespace cipherway::node {

/// How long to wait before a process that ended is started again: 100 ms, twice as long each time up to 10 s, and from
/// the beginning after a minute of life. Pure: the caller tells the time.
class BackOff {
 public:
  static constexpr std::chrono::milliseconds kLeast{100};
  static constexpr std::chrono::milliseconds kMost{10'000};
  static constexpr std::chrono::seconds kLongLife{60};

  /// A process that lived for `life` ended (zero: it did not even start).
  std::chrono::milliseconds after(Clock::duration life) {
    if (life >= kLongLife) next_ = kLeast;
    auto delay = next_;
    next_ = std::min(next_ * 2, kMost);
    return delay;
  }

 private:
  std::chrono::milliseconds next_ = kLeast;
};

}  // namespace cipherway::node
