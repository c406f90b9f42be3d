#pragma once

#include "base/address.h"
#include "base/clock.h"

#include <cstdint>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Who gets in, and whose turn it is, when more want in than there is room for. Everything here is arithmetic: no
/// socket, no clock of its own; the worker asks, and does what the answer says. One worker's, like all that it counts.
namespace cipherway::gateway {

/// Whom a connection counts for: an IPv4 address, an IPv6 /64 (what one host has at least), or everybody at once who
/// comes over a UNIX socket.
struct Origin {
  enum class Kind : std::uint8_t {
    Unix,
    V4,
    Network,  ///< IPv6 /64
    Site,     ///< IPv6 /48, once so many of its /64 are here that they pass for one (Admission::kNetworksOfASite)
    Others,   ///< whoever comes when the table is full
  };
  Kind kind = Kind::Unix;
  std::uint64_t prefix = 0;  ///< left-aligned for IPv6

  static Origin of(const Address& peer);
  bool operator==(const Origin&) const = default;
};

class Admission;
class FairQueue;
class Guest;

/// What is known of an origin that has connections, or had handshakes a moment ago that must not be forgotten yet.
struct Source {
  Origin origin;
  Source* site = nullptr;  ///< for a Network: the Site that it belongs to
  unsigned networks = 0;   ///< for a Site: how many of its Networks are known
  unsigned open = 0;
  Clock::time_point bucket_full_at{};  ///< a second's worth of handshakes; empty when it is a second away
  std::list<Guest*> half_open;         ///< the oldest first
  std::list<Guest*> waiting;           ///< for their turn in the FairQueue
  std::list<Source*>::iterator rank;   // among those that have as many half-open ones
  std::list<Source*>::iterator turn;   // in the FairQueue, while anybody waits
  bool is_resting = false;             ///< has no connection; kept for its bucket alone
};

/// A connection, as it is counted. Counts as half-open from entering until `settle`. Leaves when it is destroyed, which
/// must be before its Admission and its FairQueue are.
class Guest {
 public:
  Guest() = default;
  ~Guest() { leave(); }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  /// It relays: it is not half-open any more.
  void settle();
  void leave();
  bool is_inside() const { return source_ != nullptr; }
  bool is_half_open() const { return half_open_; }
  bool is_waiting() const { return queue_ != nullptr; }

 private:
  friend class Admission;
  friend class FairQueue;
  Admission* admission_ = nullptr;
  Source* source_ = nullptr;
  FairQueue* queue_ = nullptr;
  std::list<Guest*>::iterator place_;  // among the source's half-open ones
  std::list<Guest*>::iterator turn_;   // among its waiting ones
  bool half_open_ = false;
};

/// The limits of one channel. Counts per source as well as over all, so that it is the source which has the most that
/// pays when room gets short, and not whoever came next.
class Admission {
 public:
  /// 0 is no limit for the last two.
  struct Limits {
    unsigned connections = 10'000;
    unsigned half_open = 1'000;
    unsigned source_connections = 0;
    unsigned source_handshakes_per_second = 0;
  };
  /// So many /64 of one /48 count as themselves; from then on new ones share the /48's place. Whoever has a /48 can
  /// make up 65,536 sources, and gets the share of 17.
  static constexpr unsigned kNetworksOfASite = 16;
  /// When this many sources are known, further ones share one place.
  static constexpr std::size_t kMostSources = 16'384;
  /// The last eighth of `connections` is for sources that have less than an eighth: one address alone fills no channel.
  static constexpr unsigned kShare = 8;

  explicit Admission(Limits limits, std::size_t most_sources = kMostSources);

  void set_limits(Limits limits) { limits_ = limits; }

  enum class Answer {
    Welcome,
    TooManyOfSource,  ///< source_connections
    ShareUsedUp,      ///< the channel is nearly full, and this source has its share
    Full,             ///< and nobody has more half-open ones than whoever asks
  };
  enum class For { Itself, Others };
  /// Lets `guest` in, or says why not. Whoever is let in may be one too many: evict `overcrowding` until it is null.
  /// For others: the peer is a proxy that will say for whom, and as a source it has no limits of its own.
  Answer enter(Guest& guest, const Address& peer, Clock::time_point now, For whom = For::Itself);
  /// Whom to evict because a limit is exceeded: of the source with the most half-open connections the oldest, but not
  /// `newcomer`, if another can be found. Null when there is room.
  Guest* overcrowding(const Guest* newcomer = nullptr) const;
  /// The same when the limits are kept and something else is short (descriptors); null when nobody is half-open.
  Guest* greediest(const Guest* newcomer = nullptr) const;
  /// Most half-open connections that a source has.
  std::size_t most_half_open() const { return most_; }

  /// Whether the guest's source may begin a handshake now; counts it if so.
  bool may_begin_handshake(const Guest& guest, Clock::time_point now);

  unsigned open() const { return open_; }
  unsigned half_open() const { return half_open_; }
  std::size_t sources() const { return sources_.size(); }

 private:
  friend class Guest;

  struct Hash {
    std::uint64_t seed;
    std::size_t operator()(const Origin& origin) const;
  };

  Source& source_of(const Address& peer, Clock::time_point now);
  Source* find(const Origin& origin);
  Source& add(const Origin& origin);
  void forget_unneeded(Source& source, Clock::time_point now);
  void erase(Source& source);
  void forget_rested(Clock::time_point now);
  void change_half_open(Source& source, Guest& guest, bool half_open);
  void settle(Guest& guest);
  void leave(Guest& guest);

  Limits limits_;
  std::size_t most_sources_;
  unsigned open_ = 0;
  unsigned half_open_ = 0;
  Clock::time_point latest_{};  // the latest moment we were told
  std::unordered_map<Origin, std::unique_ptr<Source>, Hash> sources_;
  std::list<Source*> resting_;                // in the order in which they came to rest
  std::vector<std::list<Source*>> by_count_;  // sources by their number of half-open connections
  std::size_t most_ = 0;                      // the last index of by_count_ that is not empty, or 0
};

/// The reason in the log: "limit", "source-limit"; and the sentence behind it.
std::string_view word(Admission::Answer answer);
std::string_view explain(Admission::Answer answer);

/// Whose handshake begins next. Beginning one is the expensive thing that a stranger can make a worker do, so there is
/// a number of them per turn of the loop, and when more are ready, sources take turns: one address with a thousand of
/// them has as much as one with a single one. Handshakes cost about the same, so a turn is one handshake.
class FairQueue {
 public:
  /// Per turn of the event loop: about two milliseconds, which is what a flood adds to everybody else's latency.
  static constexpr unsigned kPerTurn = 8;
  /// Handshakes that wait for the keyholder: it serves one after the other, whoever they are for.
  static constexpr unsigned kMostAtKeyholder = 32;

  /// True: go on. False: the guest waits, and `next` will name it. `turn` is the loop's time: the same within a turn.
  bool may_start(Guest& guest, Clock::time_point turn);
  /// The next of those who wait, if there is one and this turn has room for it.
  Guest* next(Clock::time_point turn);
  bool anybody_waits() const { return !ring_.empty(); }
  /// Nobody is next before a key operation ends.
  bool is_blocked() const { return at_keyholder_ >= kMostAtKeyholder; }

  void key_operation_began() { ++at_keyholder_; }
  void key_operation_ended() { --at_keyholder_; }

 private:
  friend class Guest;

  bool has_room(Clock::time_point turn);
  void remove(Guest& guest);

  Clock::time_point turn_{};
  unsigned started_ = 0;  // in this turn
  unsigned at_keyholder_ = 0;
  std::list<Source*> ring_;  // sources with guests that wait
};

}  // namespace cipherway::gateway
