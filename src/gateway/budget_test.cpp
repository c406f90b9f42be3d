#include "gateway/budget.h"

#include <gtest/gtest.h>

#include <vector>

namespace cipherway::gateway {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kLargest = 512 * 1024;

TEST(Budget, WithRoomThereIsNoLimit) {
  Budget budget;
  for (int i = 0; i < 2'000; ++i) budget.connection_began();
  EXPECT_GE(budget.most_batch(0), kLargest);
  budget.changed(0, 96 * kMiB);
  EXPECT_GE(budget.most_batch(kLargest), kLargest);
  EXPECT_FALSE(budget.is_short());
}

TEST(Budget, ShrinksBatchesAndThenStopsThoseThatHoldSomething) {
  Budget budget(16 * kMiB);
  budget.connection_began();
  std::size_t before = budget.most_batch(0);
  for (std::size_t held = 0; held < 15 * kMiB; held += kMiB) {
    budget.changed(0, kMiB);
    EXPECT_LE(budget.most_batch(0), before);
    before = budget.most_batch(0);
  }
  budget.changed(0, kMiB);
  EXPECT_TRUE(budget.is_short());
  EXPECT_EQ(budget.most_batch(1), 0u);
  EXPECT_EQ(budget.most_batch(0), Budget::kLeastBatch) << "one that holds nothing goes on";
  budget.changed(16 * kMiB, 0);
  EXPECT_FALSE(budget.is_short());
}

/// Every connection takes in what it may and delivers nothing, the worst that can happen.
TEST(Budget, IsNeverExceeded) {
  for (std::size_t limit : {1 * kMiB, 64 * kMiB, 256 * kMiB}) {
    for (std::size_t connections : {10u, 100u, 10'000u}) {
      if (connections * Budget::kReserve > limit) continue;
      Budget budget(limit);
      for (std::size_t i = 0; i < connections; ++i) budget.connection_began();
      std::vector<std::size_t> own(connections);
      for (int round = 0; round < 50; ++round)
        for (std::size_t& holds : own) {
          std::size_t batch = std::min(kLargest, budget.most_batch(holds));
          if (holds > kLargest) continue;  // one batch per direction, as endpoints have it
          budget.changed(0, batch);
          holds += batch;
        }
      EXPECT_LE(budget.held(), limit) << connections << " connections";
      EXPECT_GT(budget.held(), std::min(limit / 8, connections * kLargest)) << connections << " connections";
    }
  }
}

/// Those who come when it is used up are let through in small steps, for which half of it was left.
TEST(Budget, IsNotExceededByThoseWhoComeLate) {
  for (std::size_t limit : {1 * kMiB, 24 * kMiB, 256 * kMiB}) {
    Budget budget(limit);
    std::size_t connections = 0;
    auto come = [&] {
      budget.connection_began();
      ++connections;
      for (std::size_t holds = 0;;) {
        std::size_t batch = holds > kLargest ? 0 : std::min(kLargest, budget.most_batch(holds));
        if (batch == 0) break;
        budget.changed(0, batch);
        holds += batch;
      }
    };
    while (connections < limit / 2 / Budget::kReserve) come();
    EXPECT_LE(budget.held(), limit) << connections << " connections";
    EXPECT_TRUE(budget.is_short()) << "the control: it was used up";
  }
}

TEST(Budget, MoreConnectionsThanItHasReserveForStillPassInSmallSteps) {
  Budget budget(kMiB);
  for (int i = 0; i < 10'000; ++i) budget.connection_began();
  EXPECT_EQ(budget.most_batch(0), Budget::kLeastBatch);
  EXPECT_EQ(budget.most_batch(Budget::kLeastBatch), 0u);
}

}  // namespace
}  // namespace cipherway::gateway
