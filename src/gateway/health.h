#pragma once

#include "gateway/check.h"
#include "gateway/targets.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cipherway::gateway {

/// The active checks of a node's targets. Every worker has one of these; the one that holds the lease of the board does
/// the work, and what it finds out stands on the board for all. A holder that is killed is followed by another worker
/// within the length of the lease.
class HealthChecks {
 public:
  /// A channel whose targets are checked.
  struct Watched {
    std::shared_ptr<Targets> targets;
    std::shared_ptr<tls::Context> tls;  ///< of checks by TLS, and of HTTP where targets speak TLS; else null
    std::string greeting;               ///< what connections to its targets begin with
  };

  HealthChecks(event::EventLoop& loop, Scratch& scratch, Random& random);
  ~HealthChecks();

  /// From now on these; those of before are dropped.
  void use(std::shared_ptr<Board> board, std::vector<Watched> watched);
  /// No more checks: leaves the lease to another worker.
  void stop();
  bool holds_lease() const { return holds_; }

 private:
  using Key = std::pair<const Targets*, std::string>;
  /// One target's checks, one after the other.
  struct Series {
    std::unique_ptr<event::Timer> timer;
    std::unique_ptr<Check> check;  ///< under way, or over
    Clock::time_point began{};
  };

  void look();
  void begin(const Watched& watched, const std::shared_ptr<Target>& target);
  void run(const Key& key);
  void over(const Key& key, const Check::Outcome& outcome);
  void drop(std::map<Key, Series>::iterator series);
  void bury(std::unique_ptr<Check> check);
  Clock::duration jittered(Clock::duration interval);

  event::EventLoop& loop_;
  Scratch& scratch_;
  Random& random_;
  std::shared_ptr<Board> board_;
  std::vector<Watched> watched_;
  std::map<Key, Series> series_;
  std::vector<std::unique_ptr<Check>> ending_;
  bool holds_ = false;
  bool cleaning_ = false;
  event::Timer timer_;
};

/// What a check asks an HTTP target.
std::string health_request(const config::Health& health, const Target& target);

}  // namespace cipherway::gateway
