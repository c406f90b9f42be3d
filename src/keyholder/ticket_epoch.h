#pragma once

#include "base/clock.h"

#include <cstdint>

namespace cipherway::keyholder {

/// How long a ticket key makes new tickets. Keys of the previous, the current and the next epoch can be had from the
/// keyholder, so a captured worker learns the ticket keys of at most three hours.
inline constexpr std::chrono::hours kTicketEpoch{1};

/// The epoch of a moment: whole epochs since 1970. Every keyholder of a fleet counts the same.
inline std::uint64_t ticket_epoch_at(WallClock::time_point when) {
  auto since = std::chrono::floor<std::chrono::seconds>(when.time_since_epoch());
  return since.count() < 0 ? 0 : static_cast<std::uint64_t>(since / std::chrono::seconds(kTicketEpoch));
}

}  // namespace cipherway::keyholder
