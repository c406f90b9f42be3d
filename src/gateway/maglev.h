#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cipherway::gateway {

/// A target's name, by which it is recognised after a change of config and by other nodes, and its weight.
struct Weighted {
  std::string key;
  unsigned weight = 1;
};

/// The lookup table of Maglev (Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
/// 2016, section 3.4): a hash leads to a target, each gets its share of the table by weight, and a target that is added
/// or removed moves hardly anybody but those who lead to it. Depends on keys and weights alone, not on their order, so
/// all workers and all nodes with the same targets agree.
class Maglev {
 public:
  /// Prime, as the paper wants it; one entry is 0.0015 % of the clients.
  static constexpr std::size_t kEntries = 65'537;
  static constexpr std::size_t kMostTargets = 4'096;

  Maglev() = default;
  explicit Maglev(std::span<const Weighted> targets);

  /// The index of a target; there is at least one.
  std::size_t at(std::uint64_t hash) const { return entries_[hash % kEntries]; }
  bool empty() const { return entries_.empty(); }

 private:
  std::vector<std::uint16_t> entries_;
};

}  // namespace cipherway::gateway
