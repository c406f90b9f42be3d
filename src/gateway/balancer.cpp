#include "gateway/balancer.h"

#include "base/sip_hash.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cipherway::gateway {

Balancer::Balancer(config::Balance policy, std::vector<Weighted> targets)
    : policy_(policy), targets_(std::move(targets)), turn_(targets_.size(), 0) {
  if (policy_ == config::Balance::Pinned) table_ = Maglev(targets_);
}

void Balancer::stagger(Random& random) {
  for (std::size_t i = 0; i < turn_.size(); ++i) turn_[i] = random.unit() * targets_[i].weight;
}

double Balancer::weight(std::span<const Candidate> candidates, std::size_t i) const {
  return candidates[i].available ? targets_[i].weight * candidates[i].share : 0;
}

std::optional<std::size_t> Balancer::choose(std::span<const Candidate> candidates, std::uint64_t pin, Random& random) {
  if (candidates.size() != targets_.size()) broken("a balancer was shown other targets than its own");
  switch (policy_) {
    case config::Balance::Random: return at_random(candidates, random);
    case config::Balance::RoundRobin: return in_turn(candidates);
    case config::Balance::LeastConnections: return least_connections(candidates, random);
    case config::Balance::TwoChoices: return two_choices(candidates, random);
    case config::Balance::Pinned: return pinned(candidates, pin);
    case config::Balance::InOrder: return first(candidates);
  }
  broken("Balance out of range");
}

std::optional<std::size_t> Balancer::at_random(std::span<const Candidate> candidates, Random& random,
                                               std::optional<std::size_t> but) const {
  double sum = 0;
  for (std::size_t i = 0; i < targets_.size(); ++i)
    if (i != but) sum += weight(candidates, i);
  double left = random.unit() * sum;
  std::optional<std::size_t> last;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    double mine = i == but ? 0 : weight(candidates, i);
    if (mine <= 0) continue;
    last = i;
    left -= mine;
    if (left < 0) break;
  }
  return last;
}

/// Smooth weighted round-robin, as nginx made it known: every target is due its weight a turn, the one that is due most
/// takes the turn and pays the sum. A heavy target's turns are spread among those of the others.
std::optional<std::size_t> Balancer::in_turn(std::span<const Candidate> candidates) {
  double sum = 0;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    double mine = weight(candidates, i);
    if (mine <= 0) continue;
    sum += mine;
    turn_[i] += mine;
    if (!best || turn_[i] > turn_[*best]) best = i;
  }
  if (best) turn_[*best] -= sum;
  return best;
}

namespace {

/// How full a target would be with one more: less is better.
double fullness(const Candidate& candidate, double weight) {
  return (static_cast<double>(candidate.open) + 1) / weight;
}

}  // namespace

std::optional<std::size_t> Balancer::least_connections(std::span<const Candidate> candidates, Random& random) const {
  std::optional<std::size_t> best;
  double least = std::numeric_limits<double>::infinity();
  std::uint64_t equals = 0;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    double mine = weight(candidates, i);
    if (mine <= 0) continue;
    double full = fullness(candidates[i], mine);
    if (full > least) continue;
    equals = full < least ? 1 : equals + 1;
    least = full;
    if (random.below(equals) == 0) best = i;  // each of the equals is as likely as the others
  }
  return best;
}

/// Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (1996): nearly as even as the least loaded of
/// all, and no herd runs to the one that just came.
std::optional<std::size_t> Balancer::two_choices(std::span<const Candidate> candidates, Random& random) const {
  auto one = at_random(candidates, random);
  if (!one) return one;
  auto other = at_random(candidates, random, one);
  if (!other) return one;
  double full_one = fullness(candidates[*one], weight(candidates, *one));
  double full_other = fullness(candidates[*other], weight(candidates, *other));
  return full_other < full_one ? other : one;
}

/// The table's target if it is available. Else each client falls to one of the others by weighted rendezvous hashing:
/// nobody moves whose target is available, and everybody returns when it is again.
std::optional<std::size_t> Balancer::pinned(std::span<const Candidate> candidates, std::uint64_t pin) const {
  if (!table_.empty()) {
    std::size_t usual = table_.at(pin);
    if (candidates[usual].available) return usual;
  }
  std::optional<std::size_t> best;
  double most = 0;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (!candidates[i].available) continue;
    std::uint64_t drawn = sip_hash({pin, 0x72656e64657a766f}, targets_[i].key);
    double unit = (static_cast<double>(drawn >> 11) + 0.5) * 0x1.0p-53;
    double score = targets_[i].weight / -std::log(unit);
    if (best && score <= most) continue;
    best = i;
    most = score;
  }
  return best;
}

std::optional<std::size_t> Balancer::first(std::span<const Candidate> candidates) {
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (candidates[i].available) return i;
  return std::nullopt;
}

double share_after(Clock::duration up, Clock::duration slow_start) {
  constexpr double kLeast = 0.01;
  if (slow_start <= Clock::duration::zero() || up >= slow_start) return 1;
  double part = std::chrono::duration<double>(up) / std::chrono::duration<double>(slow_start);
  return std::max(kLeast, part);
}

}  // namespace cipherway::gateway
