#include "gateway/targets.h"

#include "gateway/verdict.h"

#include <gtest/gtest.h>

#include <set>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;

/// One channel's targets as one worker sees them; nothing is connected to.
class TargetsTest : public testing::Test {
 protected:
  void add(const std::string& where, unsigned weight = 1, unsigned connections = 0) {
    config::Target target{.where = {}, .weight = weight, .connections = connections};
    if (auto address = Address::parse(where))
      target.where = *address;
    else
      target.where = *HostPort::parse(where);
    config_.to.targets.push_back({target, {}});
  }

  std::shared_ptr<Targets> make(std::shared_ptr<Board> board = nullptr) {
    config_.name.value = "c";
    return std::make_shared<Targets>(config_, TargetSources{board ? board : board_, resolver_, random_});
  }

  /// Where a connection without a past goes, and stays until the visit is dropped.
  static std::string text(const std::expected<Visit, NoTarget>& visit) {
    if (visit) return visit->text();
    return visit.error() == NoTarget::AllDown   ? "all down"
           : visit.error() == NoTarget::AllFull ? "all full"
                                                : "none left";
  }
  std::expected<Visit, NoTarget> next(const std::shared_ptr<Targets>& targets) {
    Journey journey;
    return targets->next(journey, now_);
  }

  event::EventLoop loop_;
  Resolver resolver_{loop_};
  Random random_{1};
  std::shared_ptr<Board> board_ = Board::alone();
  config::Channel config_;
  Clock::time_point now_ = Clock::now();
};

TEST_F(TargetsTest, AJourneyVisitsThreeTargetsAtMostAndNoneTwice) {
  for (int i = 1; i <= 5; ++i) add("10.0.0." + std::to_string(i) + ":80");
  auto targets = make();
  Journey journey;
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(seen.insert(text(targets->next(journey, now_))).second);
  EXPECT_EQ(text(targets->next(journey, now_)), "none left");
}

TEST_F(TargetsTest, CountsVisitsForAsLongAsTheyLast) {
  add("10.0.0.1:80");
  auto targets = make();
  {
    auto one = next(targets);
    auto other = next(targets);
    EXPECT_EQ(targets->all()[0]->place->open(), 2u);
    one = next(targets);
    EXPECT_EQ(targets->all()[0]->place->open(), 2u);
  }
  EXPECT_EQ(targets->all()[0]->place->open(), 0u);
}

TEST_F(TargetsTest, ALimitHoldsOverAllWorkers) {
  add("10.0.0.1:80", 1, 3);
  Fd fd = *Board::make();
  auto one = make(*Board::map(fd, 0)), other = make(*Board::map(fd, 1));
  auto a = next(one), b = next(other), c = next(one);
  EXPECT_TRUE(a && b && c);
  EXPECT_EQ(text(next(other)), "all full");
  a = std::unexpected(NoTarget::NoneLeft);
  EXPECT_EQ(text(next(other)), "10.0.0.1:80");
}

TEST_F(TargetsTest, EjectedOnesAreTriedOnlyWhenNothingElseIsLeft) {
  add("10.0.0.1:80");
  add("10.0.0.2:80");
  config_.to.balance = config::Balance::InOrder;
  config_.eject = {.failures = 2, .duration = 10s};
  auto targets = make();
  for (int i = 0; i < 2; ++i) next(targets)->failed(now_);
  EXPECT_EQ(targets->state(*targets->all()[0], now_), "ejected");
  EXPECT_EQ(text(next(targets)), "10.0.0.2:80");
  Journey journey;
  EXPECT_EQ(text(targets->next(journey, now_)), "10.0.0.2:80");
  EXPECT_EQ(text(targets->next(journey, now_)), "10.0.0.1:80");
  for (int i = 0; i < 2; ++i) next(targets)->failed(now_);  // the other one now
  auto anyway = next(targets);
  ASSERT_EQ(text(anyway), "10.0.0.1:80");
  anyway->worked(now_);
  EXPECT_EQ(targets->state(*targets->all()[0], now_), "up");
  now_ += 11s;
  EXPECT_EQ(targets->state(*targets->all()[1], now_), "up");
}

TEST_F(TargetsTest, WithChecksAllDownIsRefused) {
  add("10.0.0.1:80");
  add("10.0.0.2:80");
  config_.health = config::Health{};
  auto targets = make();
  EXPECT_EQ(targets->state(*targets->all()[0], now_), "unchecked");
  EXPECT_TRUE(next(targets)) << "who was not checked yet counts as up";
  for (const auto& target : targets->all()) checked(target->standing(), false, 1, 1, now_, 1ms);
  EXPECT_EQ(text(next(targets)), "all down");
  checked(targets->all()[1]->standing(), true, 1, 1, now_, 1ms);
  EXPECT_EQ(text(next(targets)), "10.0.0.2:80");
  now_ += 10min;  // nobody checks any more
  checked(targets->all()[1]->standing(), false, 1, 1, now_, 1ms);
  EXPECT_EQ(text(next(targets)), "10.0.0.1:80");
}

TEST_F(TargetsTest, WhatAReloadWithoutChecksFindsOnTheBoardDoesNotCount) {
  add("10.0.0.1:80");
  config_.health = config::Health{};
  auto before = make();
  checked(before->all()[0]->standing(), false, 1, 1, now_, 1ms);
  EXPECT_EQ(text(next(before)), "all down");
  EXPECT_EQ(text(next(make())), "all down") << "a reload forgets nothing";
  config_.health.reset();
  EXPECT_EQ(text(next(make())), "10.0.0.1:80");
}

TEST_F(TargetsTest, SlowStartCountsFromWhenItCameUp) {
  add("10.0.0.1:80");
  config_.to.slow_start = 10s;
  auto targets = make();
  now_ = Clock::now();
  EXPECT_LT(targets->share(*targets->all()[0], now_), 0.1);
  EXPECT_NEAR(targets->share(*targets->all()[0], now_ + 5s), 0.5, 0.05);
  EXPECT_EQ(targets->share(*targets->all()[0], now_ + 10s), 1);
}

TEST_F(TargetsTest, NamesBecomeTheirAddressesAndFollowThem) {
  add("10.0.0.1:80");
  add("app.internal:80", 3, 7);
  add("10.0.0.2:80");
  resolver_.use(NameService::parse("nameserver 127.0.0.1\n", ""));
  auto targets = make();
  EXPECT_EQ(targets->unresolved(), std::vector<std::string>{"app.internal:80"});
  EXPECT_EQ(targets->all().size(), 2u);
  auto kept = targets->all()[0];
  resolver_.use(NameService::parse("", "10.0.0.9 app.internal\n10.0.0.2 app.internal\n"));
  ASSERT_EQ(targets->all().size(), 3u) << "an address that is there twice is one target";
  EXPECT_EQ(targets->all()[0], kept) << "who stays keeps what is known about it";
  EXPECT_EQ(targets->all()[2]->name, "app.internal:80");
  EXPECT_EQ(targets->all()[2]->weight, 3u);
  EXPECT_EQ(targets->all()[2]->limit, 7u);
  EXPECT_TRUE(targets->unresolved().empty());
  targets->retire();
  resolver_.use(NameService::parse("", "10.0.0.10 app.internal\n"));
  EXPECT_EQ(targets->all().size(), 3u);
}

TEST_F(TargetsTest, ANameThatIsNowhereIsAllDown) {
  add("app.internal:80");
  resolver_.use(NameService::parse("nameserver 127.0.0.1\n", ""));
  EXPECT_EQ(text(next(make())), "all down");
}

TEST_F(TargetsTest, AFloodOfRefusalsIsALineASecond) {
  add("10.0.0.1:80");
  auto targets = make();
  std::uint64_t missed = 0;
  int lines = 0;
  for (int i = 0; i < 1000; ++i) lines += targets->worth_logging(now_ + i * 2ms, missed) ? 1 : 0;
  EXPECT_EQ(lines, 2);
  EXPECT_EQ(missed, 499u);
}

}  // namespace
}  // namespace cipherway::gateway
