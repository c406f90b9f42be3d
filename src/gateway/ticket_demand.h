#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace cipherway::gateway {

/// Which sources come back with the session tickets that they are given. A ticket is a twentieth of a full handshake,
/// and many clients throw it away: probes, command-line tools, libraries without a cache of sessions. A source of which
/// many handshakes in a row were full ones is given one now and then, in case it has changed; one that resumes is given
/// one with every handshake.
///
/// Sources are known by a hash, of which a few bits count: those that share a place share what is known of them.
class TicketDemand {
 public:
  /// So many full handshakes in a row, tickets and all, before it is doubted that the source uses them.
  static constexpr unsigned kPatience = 16;
  /// From then on, every so manieth full handshake comes with a ticket.
  static constexpr unsigned kEvery = 8;

  /// Whether the source's next handshake shall end with a ticket if it is a full one.
  bool wants_one(std::uint64_t source) const {
    unsigned in_a_row = full_in_a_row_[source % kPlaces];
    return in_a_row < kPatience || in_a_row == kPatience + kEvery - 1;
  }
  /// A full handshake was done.
  void was_full(std::uint64_t source) {
    std::uint8_t& in_a_row = full_in_a_row_[source % kPlaces];
    if (++in_a_row == kPatience + kEvery) in_a_row = kPatience;
  }
  void resumed(std::uint64_t source) { full_in_a_row_[source % kPlaces] = 0; }

 private:
  static constexpr std::size_t kPlaces = 2048;
  std::array<std::uint8_t, kPlaces> full_in_a_row_{};
};

}  // namespace cipherway::gateway
