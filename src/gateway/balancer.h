#pragma once

#include "base/clock.h"
#include "config/config.h"
#include "gateway/maglev.h"
#include "gateway/random.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cipherway::gateway {

/// A target as it is at the moment of one choice.
struct Candidate {
  bool available = true;   ///< may be chosen at all
  std::uint64_t open = 0;  ///< connections to it now, of all workers
  double share = 1;        ///< the part of its weight that it gets: less than 1 while it starts slowly; above 0
};

/// Which target is next: the policies of `balance`. Values in, an index out. One a channel and worker; the workers of a
/// node need not agree on anything, because what they share (open connections) comes in with the candidates.
class Balancer {
 public:
  Balancer(config::Balance policy, std::vector<Weighted> targets);

  /// Round-robin only: begins somewhere, so that not all workers begin with the same target.
  void stagger(Random& random);

  /// An available candidate, one for each target in their order, or nothing if none is. `pin` says who asks (pinned
  /// only): the same leads to the same target.
  std::optional<std::size_t> choose(std::span<const Candidate> candidates, std::uint64_t pin, Random& random);

  config::Balance policy() const { return policy_; }

 private:
  double weight(std::span<const Candidate> candidates, std::size_t i) const;
  std::optional<std::size_t> at_random(std::span<const Candidate> candidates, Random& random,
                                       std::optional<std::size_t> but = {}) const;
  std::optional<std::size_t> in_turn(std::span<const Candidate> candidates);
  std::optional<std::size_t> least_connections(std::span<const Candidate> candidates, Random& random) const;
  std::optional<std::size_t> two_choices(std::span<const Candidate> candidates, Random& random) const;
  std::optional<std::size_t> pinned(std::span<const Candidate> candidates, std::uint64_t pin) const;
  static std::optional<std::size_t> first(std::span<const Candidate> candidates);

  config::Balance policy_;
  std::vector<Weighted> targets_;
  std::vector<double> turn_;  // round-robin: how much each is due
  Maglev table_;              // pinned
};

/// The part of its weight that a target gets which has been up for `up`: grows linearly over `slow_start`, from 1/100.
double share_after(Clock::duration up, Clock::duration slow_start);

}  // namespace cipherway::gateway
