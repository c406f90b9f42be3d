#include "gateway/balancer.h"

#include "base/sip_hash.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace cipherway::gateway {
namespace {

using config::Balance;
using namespace std::chrono_literals;

std::vector<Weighted> weighted(const std::vector<unsigned>& weights) {
  std::vector<Weighted> out;
  for (std::size_t i = 0; i < weights.size(); ++i)
    out.push_back({"10.0.0." + std::to_string(i + 1) + ":80", weights[i]});
  return out;
}

std::uint64_t client(int number) {
  return sip_hash({1, 2}, "client " + std::to_string(number));
}

/// How often each target was chosen; nothing opens or closes connections meanwhile.
std::vector<int> spread(Balancer& balancer, std::span<const Candidate> candidates, int choices, Random& random) {
  std::vector<int> out(candidates.size());
  for (int i = 0; i < choices; ++i) ++out[balancer.choose(candidates, client(i), random).value()];
  return out;
}

/// Pearson's chi-squared of a spread against weights: for `n` targets, values above kUnlikely[n - 2] come up once in
/// 100,000 honest runs. The seeds are fixed, so these runs are always the same.
double chi_squared(const std::vector<int>& spread, const std::vector<double>& weights) {
  double sum = 0, all = 0, chi = 0;
  for (double w : weights) sum += w;
  for (int s : spread) all += s;
  for (std::size_t i = 0; i < spread.size(); ++i) {
    if (weights[i] == 0) continue;
    double expected = all * weights[i] / sum;
    chi += (spread[i] - expected) * (spread[i] - expected) / expected;
  }
  return chi;
}
constexpr double kUnlikely3 = 23.0;  // two degrees of freedom
constexpr double kUnlikely5 = 28.5;  // four

TEST(BalancerTest, RandomFollowsTheWeights) {
  Random random(1);
  Balancer even(Balance::Random, weighted({1, 1, 1, 1, 1}));
  EXPECT_LT(chi_squared(spread(even, std::vector<Candidate>(5), 50'000, random), {1, 1, 1, 1, 1}), kUnlikely5);
  Balancer uneven(Balance::Random, weighted({1, 10, 1000}));
  auto got = spread(uneven, std::vector<Candidate>(3), 100'000, random);
  EXPECT_LT(chi_squared(got, {1, 10, 1000}), kUnlikely3);
  // The control: the same spread is not that of other weights.
  EXPECT_GT(chi_squared(got, {1, 20, 1000}), kUnlikely3);
}

TEST(BalancerTest, RoundRobinIsSmooth) {
  Random random(1);
  Balancer balancer(Balance::RoundRobin, weighted({5, 1, 1}));
  std::string turns;
  for (int i = 0; i < 14; ++i)
    turns += static_cast<char>('a' + balancer.choose(std::vector<Candidate>(3), 0, random).value());
  EXPECT_EQ(turns, "aabacaaaabacaa");  // the example of nginx's change that brought the algorithm
}

TEST(BalancerTest, RoundRobinIsExactOverEveryRound) {
  Random random(7);
  Balancer balancer(Balance::RoundRobin, weighted({3, 2, 1}));
  balancer.stagger(random);
  for (int round = 0; round < 50; ++round)
    EXPECT_EQ(spread(balancer, std::vector<Candidate>(3), 6, random), (std::vector<int>{3, 2, 1}));
}

TEST(BalancerTest, StaggeredWorkersDoNotAllBeginWithTheSameTarget) {
  std::map<std::size_t, int> begins;
  for (unsigned worker = 0; worker < 300; ++worker) {
    Random random(worker);
    Balancer balancer(Balance::RoundRobin, weighted({1, 1, 1}));
    balancer.stagger(random);
    ++begins[balancer.choose(std::vector<Candidate>(3), 0, random).value()];
  }
  EXPECT_LT(chi_squared({begins[0], begins[1], begins[2]}, {1, 1, 1}), kUnlikely3);
}

TEST(BalancerTest, RoundRobinGoesOnEvenlyAfterATargetWasAway) {
  Random random(1);
  Balancer balancer(Balance::RoundRobin, weighted({1, 1, 1}));
  std::vector<Candidate> candidates(3);
  candidates[1].available = false;
  EXPECT_EQ(spread(balancer, candidates, 100, random), (std::vector<int>{50, 0, 50}));
  candidates[1].available = true;
  // It takes its share, not what it missed.
  auto got = spread(balancer, candidates, 99, random);
  for (int each : got) EXPECT_NEAR(each, 33, 1);
}

TEST(BalancerTest, LeastConnectionsFillsUpTheEmptiestByWeight) {
  Random random(3);
  Balancer balancer(Balance::LeastConnections, weighted({1, 2, 5}));
  std::vector<Candidate> candidates(3);
  candidates[0].open = 40;  // it begins too full, and gets nothing before the others have caught up
  for (int i = 0; i < 280; ++i) ++candidates[balancer.choose(candidates, 0, random).value()].open;
  EXPECT_NEAR(static_cast<double>(candidates[0].open), 40, 1);
  EXPECT_NEAR(static_cast<double>(candidates[1].open), 80, 1);
  EXPECT_NEAR(static_cast<double>(candidates[2].open), 200, 1);
}

TEST(BalancerTest, LeastConnectionsBreaksTiesEvenly) {
  Random random(3);
  Balancer balancer(Balance::LeastConnections, weighted({1, 1, 1}));
  EXPECT_LT(chi_squared(spread(balancer, std::vector<Candidate>(3), 30'000, random), {1, 1, 1}), kUnlikely3);
}

/// The fullest of 100 targets after 10,000 connections that stay.
std::uint64_t fullest_of_100(Balance policy) {
  Random random(11);
  Balancer balancer(policy, weighted(std::vector<unsigned>(100, 1)));
  std::vector<Candidate> candidates(100);
  for (int i = 0; i < 10'000; ++i) ++candidates[balancer.choose(candidates, 0, random).value()].open;
  std::uint64_t most = 0;
  for (const Candidate& each : candidates) most = std::max(most, each.open);
  return most;
}

TEST(BalancerTest, TwoChoicesIsNearlyAsEvenAsTheBest) {
  EXPECT_EQ(fullest_of_100(Balance::LeastConnections), 100u);
  EXPECT_LE(fullest_of_100(Balance::TwoChoices), 104u);
  EXPECT_GE(fullest_of_100(Balance::Random), 115u);  // the control: chance alone is not
}

TEST(BalancerTest, TwoChoicesFollowsTheWeights) {
  Random random(5);
  Balancer balancer(Balance::TwoChoices, weighted({1, 3}));
  std::vector<Candidate> candidates(2);
  for (int i = 0; i < 4000; ++i) ++candidates[balancer.choose(candidates, 0, random).value()].open;
  EXPECT_NEAR(static_cast<double>(candidates[0].open), 1000, 20);
}

TEST(BalancerTest, PinnedLeadsTheSameClientToTheSameTargetInEveryWorker) {
  Random random(1);
  std::vector<Weighted> targets = weighted({1, 1, 1, 1, 1});
  std::vector<Weighted> in_another_order(targets.rbegin(), targets.rend());
  Balancer one(Balance::Pinned, targets), other(Balance::Pinned, in_another_order);
  for (int i = 0; i < 2000; ++i) {
    std::size_t index = one.choose(std::vector<Candidate>(5), client(i), random).value();
    EXPECT_EQ(other.choose(std::vector<Candidate>(5), client(i), random), 4 - index);
    EXPECT_EQ(one.choose(std::vector<Candidate>(5), client(i), random), index);
  }
}

TEST(BalancerTest, PinnedFollowsTheWeights) {
  Random random(1);
  Balancer even(Balance::Pinned, weighted({1, 1, 1, 1, 1}));
  EXPECT_LT(chi_squared(spread(even, std::vector<Candidate>(5), 50'000, random), {1, 1, 1, 1, 1}), kUnlikely5);
  Balancer uneven(Balance::Pinned, weighted({1, 10, 100}));
  EXPECT_LT(chi_squared(spread(uneven, std::vector<Candidate>(3), 50'000, random), {1, 10, 100}), kUnlikely3);
}

TEST(BalancerTest, PinnedMovesOnlyThoseWhoseTargetIsDownAndTakesThemBack) {
  Random random(1);
  Balancer balancer(Balance::Pinned, weighted({1, 1, 1, 1, 1}));
  std::vector<Candidate> candidates(5);
  std::vector<std::size_t> usual;
  for (int i = 0; i < 20'000; ++i) usual.push_back(balancer.choose(candidates, client(i), random).value());
  candidates[2].available = false;
  std::vector<int> heirs(5);
  for (int i = 0; i < 20'000; ++i) {
    std::size_t now = balancer.choose(candidates, client(i), random).value();
    if (usual[static_cast<std::size_t>(i)] == 2) {
      ++heirs[now];
    } else {
      EXPECT_EQ(now, usual[static_cast<std::size_t>(i)]);
    }
  }
  EXPECT_EQ(heirs[2], 0);
  EXPECT_LT(chi_squared(heirs, {1, 1, 0, 1, 1}), kUnlikely5);  // its clients are spread, not dumped on one
  candidates[2].available = true;
  for (int i = 0; i < 20'000; ++i)
    EXPECT_EQ(balancer.choose(candidates, client(i), random), usual[static_cast<std::size_t>(i)]);
}

TEST(MaglevTest, ATargetThatIsRemovedFromTheConfigMovesHardlyAnybodyElse) {
  std::vector<Weighted> before = weighted(std::vector<unsigned>(10, 1));
  std::vector<Weighted> after = before;
  after.erase(after.begin() + 4);
  Maglev one(before), other(after);
  int moved = 0, stayed = 0;
  for (std::size_t entry = 0; entry < Maglev::kEntries; ++entry) {
    std::size_t was = one.at(entry);
    if (was == 4) continue;
    std::size_t is = other.at(entry);
    ++(after[is].key == before[was].key ? stayed : moved);
  }
  // Section 3.4: "when a backend is removed ... a small number of others". A modulo would move nine of ten.
  EXPECT_LT(moved, (moved + stayed) / 20) << moved << " of " << moved + stayed;
  EXPECT_GT(moved + stayed, 0);
}

TEST(MaglevTest, TheSharesOfTheTableAreTheWeights) {
  std::vector<Weighted> targets = weighted({1, 1000, 500, 7});
  Maglev table(targets);
  std::vector<double> share(4);
  for (std::size_t entry = 0; entry < Maglev::kEntries; ++entry) ++share[table.at(entry)];
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(share[i], static_cast<double>(Maglev::kEntries) * targets[i].weight / 1508, 2);
}

TEST(BalancerTest, InOrderTakesTheFirstThatIsAvailable) {
  Random random(1);
  Balancer balancer(Balance::InOrder, weighted({1, 1000, 1}));
  std::vector<Candidate> candidates(3);
  EXPECT_EQ(balancer.choose(candidates, 0, random), 0u);
  candidates[0].available = false;
  EXPECT_EQ(balancer.choose(candidates, 0, random), 1u);
}

constexpr Balance kAll[] = {Balance::Random,     Balance::RoundRobin, Balance::LeastConnections,
                            Balance::TwoChoices, Balance::Pinned,     Balance::InOrder};

TEST(BalancerTest, NobodyChoosesWhoIsNotAvailable) {
  for (Balance policy : kAll) {
    Random random(2);
    Balancer balancer(policy, weighted({1, 5, 1000, 5}));
    std::vector<Candidate> candidates(4);
    for (unsigned mask = 0; mask < 16; ++mask) {
      for (std::size_t i = 0; i < 4; ++i) candidates[i].available = (mask >> i & 1) != 0;
      for (int i = 0; i < 50; ++i) {
        auto chosen = balancer.choose(candidates, client(i), random);
        ASSERT_EQ(chosen.has_value(), mask != 0) << "policy " << static_cast<int>(policy);
        if (!chosen) continue;
        EXPECT_TRUE(candidates[*chosen].available) << "policy " << static_cast<int>(policy);
      }
    }
  }
}

TEST(BalancerTest, WithoutTargetsThereIsNoChoice) {
  for (Balance policy : kAll) {
    Random random(2);
    Balancer balancer(policy, {});
    balancer.stagger(random);
    EXPECT_FALSE(balancer.choose({}, 1, random));
  }
}

TEST(SlowStartTest, TheShareGrowsLinearlyFromAHundredth) {
  EXPECT_DOUBLE_EQ(share_after(0s, 30s), 0.01);
  EXPECT_DOUBLE_EQ(share_after(15s, 30s), 0.5);
  EXPECT_DOUBLE_EQ(share_after(30s, 30s), 1);
  EXPECT_DOUBLE_EQ(share_after(0s, 0s), 1);
  EXPECT_DOUBLE_EQ(share_after(-1s, 30s), 0.01);
}

TEST(SlowStartTest, ATargetThatIsHalfwayUpGetsHalfItsShare) {
  Random random(9);
  std::vector<Candidate> candidates(3);
  candidates[2].share = 0.5;
  for (Balance policy : {Balance::Random, Balance::RoundRobin}) {
    Balancer balancer(policy, weighted({2, 2, 2}));
    EXPECT_LT(chi_squared(spread(balancer, candidates, 20'000, random), {2, 2, 1}), kUnlikely3);
  }
  Balancer least(Balance::LeastConnections, weighted({2, 2, 2}));
  for (int i = 0; i < 500; ++i) ++candidates[least.choose(candidates, 0, random).value()].open;
  EXPECT_NEAR(static_cast<double>(candidates[2].open), 100, 2);
}

}  // namespace
}  // namespace cipherway::gateway
