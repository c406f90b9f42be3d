#include "gateway/verdict.h"

#include <algorithm>
#include <limits>

namespace cipherway::gateway {

Turn checked(Standing& standing, bool passed, unsigned rise, unsigned fall, Clock::time_point now,
             Clock::duration took) {
  auto micros = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  standing.check_us =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(micros, 0, std::numeric_limits<std::uint32_t>::max()));
  standing.checked_at = millis(now);
  Health was = standing.health;
  Health says = passed ? Health::Up : Health::Down;
  if (was == says) {
    standing.run = 0;
    return Turn::None;
  }
  bool first = was != Health::Up && was != Health::Down;
  std::uint32_t run = first ? 0 : standing.run + 1;
  if (!first && run < (passed ? rise : fall)) {
    standing.run = run;
    return Turn::None;
  }
  standing.run = 0;
  standing.health = says;
  if (!passed) return Turn::Down;
  if (first) return Turn::None;
  standing.came_up = millis(now);
  standing.failing = 0;
  standing.ejected_until = 0;
  return Turn::Up;
}

Health verdict(const Standing& standing, Clock::time_point now, Clock::duration valid) {
  Millis at = standing.checked_at.load(std::memory_order_relaxed);
  Millis most = static_cast<Millis>(std::chrono::duration_cast<std::chrono::milliseconds>(valid).count());
  if (at == 0 || millis(now) > at + most) return Health::Unchecked;
  Health health = standing.health.load(std::memory_order_relaxed);
  return health == Health::Down || health == Health::Up ? health : Health::Unchecked;
}

bool is_ejected(const Standing& standing, Clock::time_point now, Clock::duration duration) {
  Millis until = standing.ejected_until.load(std::memory_order_relaxed);
  // No honest worker ejects for longer.
  return until > millis(now) && until <= millis(now + duration);
}

bool connection_failed(Standing& standing, unsigned failures, Clock::time_point now, Clock::duration duration) {
  ++standing.failures;
  std::uint32_t failing = ++standing.failing;
  if (failures == 0 || failing < failures || is_ejected(standing, now, duration)) return false;
  Millis before = standing.ejected_until;
  if (!standing.ejected_until.compare_exchange_strong(before, millis(now + duration))) return false;  // another worker
  ++standing.ejections;
  return true;
}

bool connection_worked(Standing& standing, Clock::time_point now, Clock::duration duration) {
  if (standing.failing.load(std::memory_order_relaxed) == 0) return false;
  standing.failing = 0;
  if (!is_ejected(standing, now, duration)) return false;
  standing.ejected_until = millis(now);
  return true;
}

Clock::time_point up_since(const Standing& standing, Clock::time_point now) {
  Millis since = standing.came_up.load(std::memory_order_relaxed);
  Millis back = standing.ejected_until.load(std::memory_order_relaxed);
  if (back <= millis(now)) since = std::max(since, back);
  return Clock::time_point(std::chrono::milliseconds(std::min(since, millis(now))));
}

}  // namespace cipherway::gateway
