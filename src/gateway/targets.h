#pragma once

#include "base/address.h"
#include "config/config.h"
#include "gateway/balancer.h"
#include "gateway/board.h"
#include "gateway/resolver.h"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway::gateway {

/// One address that a channel leads to.
struct Target {
  Address address;
  std::string text;  ///< of the address: how logs and the board call it
  std::string name;  ///< as in the config: "app.internal:8080", or the address itself
  unsigned weight = 1;
  unsigned limit = 0;  ///< connections at once, over all workers; 0: none
  std::unique_ptr<Board::Place> place;

  Standing& standing() const { return place->standing(); }
};

/// What a worker has one of, and all its channels' targets use.
struct TargetSources {
  std::shared_ptr<Board> board;
  Resolver& resolver;
  Random& random;
};

/// Why there is no (other) target for a connection.
enum class NoTarget {
  AllDown,   ///< every one is down, or no name resolves
  AllFull,   ///< those that are up have as many connections as they may
  NoneLeft,  ///< those that could be tried have been
};

/// One connection's search for a target.
struct Journey {
  static constexpr std::size_t kMostTries = 3;
  std::uint64_t pin = 0;           ///< who asks: the same is led to the same target (pinned)
  std::vector<std::string> tried;  ///< texts of targets
};

class Targets;

/// A connection to a target, or the attempt to make one: counted on the board for as long as this lives.
class Visit {
 public:
  Visit(std::shared_ptr<Targets> targets, std::shared_ptr<const Target> target);
  Visit(Visit&&) = default;
  Visit& operator=(Visit&& other) noexcept;
  ~Visit();

  const Address& address() const { return target_->address; }
  const std::string& text() const { return target_->text; }
  /// It could not be reached, or its handshake failed.
  void failed(Clock::time_point now);
  /// It can be: the connection carries data from here on.
  void worked(Clock::time_point now);

 private:
  void leave();
  std::shared_ptr<Targets> targets_;
  std::shared_ptr<const Target> target_;
};

/// Where the connections of a channel go, in one worker. What it knows about its targets it shares with the other
/// workers over the board. A reload makes a new one, which finds what was known on the board.
class Targets : public std::enable_shared_from_this<Targets> {
 public:
  static constexpr std::size_t kMostTargets = 1'024;  ///< addresses of a channel, names resolved

  Targets(const config::Channel& channel, const TargetSources& sources);
  /// A reload has replaced it: names are followed no more. Connections that it led somewhere go on.
  void retire();

  /// The next target to try. Those that are down, full or tried already are left out; ejected ones are tried when
  /// nothing else is left.
  std::expected<Visit, NoTarget> next(Journey& journey, Clock::time_point now);

  /// From time to time: keeps the places on the board, and says when all targets have gone down or some are back.
  void tick(Clock::time_point now);
  /// Whether a refusal for want of targets is worth a line in the log now: one a second is. `missed`: how many were not
  /// since the last that was.
  bool worth_logging(Clock::time_point now, std::uint64_t& missed);

  const std::string& channel() const { return channel_; }
  const std::optional<config::Health>& health() const { return health_; }
  const config::Eject& eject() const { return eject_; }
  const std::vector<std::shared_ptr<Target>>& all() const { return targets_; }
  /// "up", "down", "ejected", or "unchecked" where nobody has checked yet and somebody will.
  std::string_view state(const Target& target, Clock::time_point now) const;
  double share(const Target& target, Clock::time_point now) const;
  /// Names that have no address at the moment.
  std::vector<std::string> unresolved() const;

 private:
  /// A line of the config: an address, or a name and what it stands for now.
  struct Entry {
    config::Target config;
    std::vector<Address> addresses;
    Resolver::Subscription subscription;
  };
  void gather();
  std::shared_ptr<Target> target(const Address& address, const config::Target& config);
  std::optional<std::size_t> choose(const Journey& journey, bool ejected_too, bool& full, Clock::time_point now);
  bool is_down(const Target& target, Clock::time_point now) const;
  void all_down(bool down, Clock::time_point now);

  std::string channel_;
  std::optional<config::Health> health_;
  config::Eject eject_;
  config::Balance policy_;
  Clock::duration slow_start_;
  std::shared_ptr<Board> board_;
  Random& random_;
  std::vector<Entry> entries_;
  std::vector<std::shared_ptr<Target>> targets_;
  Balancer balancer_;
  std::unique_ptr<Board::Place> own_place_;  // the channel's: whether all targets are down has been said
  std::vector<Candidate> candidates_;        // reused
  bool ready_ = false;                       // every entry is there
  bool all_down_ = false;
  Clock::time_point logged_{};
  std::uint64_t unlogged_ = 0;
};

}  // namespace cipherway::gateway
