#include "gateway/maglev.h"

#include "base/sip_hash.h"

#include <algorithm>
#include <numeric>

namespace cipherway::gateway {

namespace {
// Fixed, so that nodes agree.
constexpr SipKey kOffsetKey{0x6369706865727761, 0x79206f6666736574};
constexpr SipKey kSkipKey{0x6369706865727761, 0x7920736b69702121};
constexpr std::uint16_t kFree = 0xffff;
}  // namespace

Maglev::Maglev(std::span<const Weighted> targets) {
  if (targets.empty() || targets.size() > kMostTargets) return;
  struct Turn {
    std::size_t target;
    std::size_t next;  // of its permutation
    std::size_t skip;
    double share;  // turns it takes in a round: the heaviest takes one
    double due = 0;
  };
  std::vector<std::size_t> order(targets.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](std::size_t i) -> const std::string& { return targets[i].key; });
  unsigned heaviest = 1;
  for (const Weighted& target : targets) heaviest = std::max(heaviest, target.weight);
  std::vector<Turn> turns;
  for (std::size_t i : order)
    turns.push_back({.target = i,
                     .next = sip_hash(kOffsetKey, targets[i].key) % kEntries,
                     .skip = sip_hash(kSkipKey, targets[i].key) % (kEntries - 1) + 1,
                     .share = static_cast<double>(targets[i].weight) / heaviest});

  entries_.assign(kEntries, kFree);
  for (std::size_t filled = 0; filled < kEntries;) {
    for (Turn& turn : turns) {
      turn.due += turn.share;
      if (turn.due < 1) continue;
      turn.due -= 1;
      while (entries_[turn.next] != kFree) turn.next = (turn.next + turn.skip) % kEntries;
      entries_[turn.next] = static_cast<std::uint16_t>(turn.target);
      if (++filled == kEntries) break;
    }
  }
}

}  // namespace cipherway::gateway
