#pragma once

#include "base/clock.h"
#include "base/fd.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway::gateway {

enum class Health : std::uint32_t { Unchecked, Up, Down };
std::string_view to_string(Health health);  // "unchecked", "up", "down"

/// Milliseconds of the monotonic clock: the same in every process of a node.
using Millis = std::uint64_t;
Millis millis(Clock::time_point when);

/// What the workers of a node know together about one target of one channel. Each field is read and written by itself,
/// by anybody, at any time: whoever reads takes it as a rumour, never as an index, a length or an address.
struct Standing {
  std::atomic<std::uint64_t> key;       ///< whose this is; 0: nobody's
  std::atomic<Millis> came_up;          ///< since when it gets connections: slow start begins here
  std::atomic<Millis> ejected_until;    ///< 0: never was
  std::atomic<Millis> checked_at;       ///< the last active check
  std::atomic<std::uint32_t> touched;   ///< second of the last sign that somebody needs it
  std::atomic<std::uint32_t> failing;   ///< failed connections in a row
  std::atomic<std::uint32_t> failures;  ///< failed connections in all
  std::atomic<std::uint32_t> ejections;
  std::atomic<std::uint32_t> check_us;  ///< how long the last check took
  std::atomic<Health> health;
  std::atomic<std::uint32_t> run;  ///< checks in a row that spoke against `health`
  std::atomic<std::uint32_t> spare;
};
static_assert(sizeof(Standing) == 64 && std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free && std::atomic<Health>::is_always_lock_free);

/// The memory that all workers of a node share: a sealed memfd that the supervisor makes once and hands to each of them
/// (Order::Board), so that what is known about targets survives reloads and crashes. There is no lock in it, so nobody
/// who is killed holds one.
///
/// Every process that maps it may write all of it. A worker that was taken over can lie about the health and load of
/// targets here, and so send connections to others of the targets that the config names, or to none; it cannot make
/// another process read or write outside the board (docs/threat-model.md).
class Board {
 public:
  static constexpr std::size_t kSeats = 512;   ///< processes that count connections at one time
  static constexpr std::size_t kRows = 2'048;  ///< targets, of all channels

  /// A fresh board, empty, that can neither grow nor shrink any more.
  static Result<Fd> make();
  /// Error unless it is sealed and of the right size: nobody can cut it off under us.
  /// Without a seat (the supervisor) it counts nothing.
  static Result<std::shared_ptr<Board>> map(const Fd& fd, std::optional<unsigned> seat);
  /// One that nobody else sees.
  static std::shared_ptr<Board> alone();

  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  /// A target's place on the board. It stays the target's as long as somebody calls `touch` every few seconds. When the
  /// board is full the place is one of this process's own.
  class Place {
   public:
    Standing& standing() const { return *standing_; }
    /// Connections now: of all seats, and of this one.
    std::uint64_t open() const;
    void opened() const;
    void closed() const;
    bool shared() const { return row_.has_value(); }

   private:
    friend class Board;
    Board* board_ = nullptr;
    std::uint64_t key_ = 0;
    Standing* standing_ = nullptr;
    std::optional<std::size_t> row_;
    mutable std::unique_ptr<Standing> own_;
    mutable std::uint32_t own_open_ = 0;
  };

  /// The place that all workers agree on for this target of this channel.
  std::unique_ptr<Place> place(std::string_view channel, std::string_view target, Clock::time_point now);
  /// Keeps it. False: somebody took it meanwhile, because nobody had kept it; ask for another.
  bool touch(const Place& place, Clock::time_point now);

  /// Whether this process is the one that does what only one should do. Holds for `kLease`; ask again sooner.
  bool hold_lease(Clock::time_point now);
  void give_up_lease();

  /// Nobody sits there any more: forgets the connections that were counted there.
  void clear_seat(unsigned seat);

  static constexpr std::chrono::milliseconds kLease{2'000};

 private:
  struct Shared;
  Board(Shared* shared, std::optional<unsigned> seat);
  std::optional<std::size_t> find(std::uint64_t key, Clock::time_point now);

  Shared* shared_;
  std::optional<unsigned> seat_;
};

}  // namespace cipherway::gateway
