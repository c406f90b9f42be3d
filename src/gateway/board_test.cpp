#include "gateway/board.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;

/// Several workers' views of one board.
class BoardTest : public testing::Test {
 protected:
  std::shared_ptr<Board> seat(unsigned number) { return *Board::map(fd_, number); }

  Fd fd_ = *Board::make();
  Clock::time_point now_ = Clock::now();
};

TEST_F(BoardTest, WorkersSeeTheSamePlaceForTheSameTargetOfTheSameChannel) {
  auto one = seat(0), other = seat(1);
  auto a = one->place("shop", "10.0.0.1:80", now_);
  auto b = other->place("shop", "10.0.0.1:80", now_);
  a->standing().health = Health::Down;
  EXPECT_EQ(b->standing().health, Health::Down);
  EXPECT_EQ(other->place("shop", "10.0.0.2:80", now_)->standing().health, Health::Unchecked);
  EXPECT_EQ(other->place("orders", "10.0.0.1:80", now_)->standing().health, Health::Unchecked);
  // Names do not run into each other.
  EXPECT_EQ(other->place("shop1", "0.0.0.1:80", now_)->standing().health, Health::Unchecked);
}

TEST_F(BoardTest, ConnectionsAreCountedOverAllSeatsAndForgottenWithASeat) {
  auto one = seat(0), other = seat(3), supervisor = *Board::map(fd_, std::nullopt);
  auto a = one->place("c", "t", now_);
  auto b = other->place("c", "t", now_);
  for (int i = 0; i < 3; ++i) a->opened();
  for (int i = 0; i < 4; ++i) b->opened();
  a->closed();
  EXPECT_EQ(a->open(), 6u);
  EXPECT_EQ(b->open(), 6u);
  supervisor->clear_seat(3);  // that worker was killed
  EXPECT_EQ(a->open(), 2u);
  b->closed();  // a worker that was thought dead cannot make the count run below zero
  EXPECT_EQ(a->open(), 2u);
  EXPECT_EQ(seat(0)->place("c", "t", now_)->open(), 0u);  // whoever takes a seat begins at zero
}

TEST_F(BoardTest, APlaceIsKeptByTouchingItAndTakenFromWhoDoesNot) {
  auto board = seat(0);
  std::vector<std::unique_ptr<Board::Place>> all;
  for (std::size_t i = 0; i < Board::kRows; ++i) all.push_back(board->place("c", std::to_string(i), now_));
  for (const auto& place : all) EXPECT_TRUE(place->shared());

  auto late = board->place("c", "late", now_ + 30s);
  EXPECT_FALSE(late->shared());  // full: it works by itself
  EXPECT_FALSE(board->place("c", "early", now_ - 30s)->shared()) << "a clock that is behind takes nothing";
  late->standing().health = Health::Down;
  late->opened();
  EXPECT_EQ(late->open(), 1u);
  EXPECT_TRUE(board->touch(*late, now_ + 30s));

  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == 7) continue;
    EXPECT_TRUE(board->touch(*all[i], now_ + 50s));
  }
  all[7]->standing().failures = 99;
  auto later = board->place("c", "later", now_ + 70s);
  EXPECT_TRUE(later->shared());
  EXPECT_EQ(later->standing().failures, 0u);
  EXPECT_FALSE(board->touch(*all[7], now_ + 70s));
  EXPECT_TRUE(board->touch(*all[8], now_ + 70s));
}

TEST_F(BoardTest, ManyWorkersThatClaimTheSameTargetsAtOnceAgree) {
  constexpr int kWorkers = 4, kTargets = 200;
  std::vector<std::vector<Standing*>> seen(kWorkers);
  std::vector<std::shared_ptr<Board>> boards;
  for (unsigned i = 0; i < kWorkers; ++i) boards.push_back(seat(i));
  std::vector<std::thread> threads;
  for (unsigned w = 0; w < kWorkers; ++w)
    threads.emplace_back([&, w] {
      for (int i = 0; i < kTargets; ++i) {
        auto place = boards[w]->place("c", std::to_string(i), now_);
        place->standing().failures.fetch_add(1);
        place->opened();
      }
    });
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < kTargets; ++i) {
    auto place = boards[0]->place("c", std::to_string(i), now_);
    EXPECT_EQ(place->standing().failures, static_cast<unsigned>(kWorkers));
    EXPECT_EQ(place->open(), static_cast<unsigned>(kWorkers));
  }
}

TEST_F(BoardTest, OneHoldsTheLeaseAndAnotherTakesItWhenThatOneIsGone) {
  auto one = seat(0), other = seat(1);
  EXPECT_TRUE(one->hold_lease(now_));
  EXPECT_FALSE(other->hold_lease(now_ + 1s));
  EXPECT_TRUE(one->hold_lease(now_ + 1s));
  EXPECT_FALSE(other->hold_lease(now_ + 2900ms));
  EXPECT_TRUE(other->hold_lease(now_ + 3100ms));
  EXPECT_FALSE(one->hold_lease(now_ + 3200ms));
  other->give_up_lease();
  EXPECT_TRUE(one->hold_lease(now_ + 3300ms));
  other->give_up_lease();  // not its own
  EXPECT_FALSE(other->hold_lease(now_ + 3400ms));
}

TEST_F(BoardTest, ALeaseForeverIsNobodys) {
  auto liar = seat(0), other = seat(1);
  EXPECT_TRUE(liar->hold_lease(now_ + 24h));
  EXPECT_TRUE(other->hold_lease(now_));
}

TEST_F(BoardTest, SurvivesAKilledProcess) {
  auto board = seat(0);
  auto place = board->place("c", "t", now_);
  pid_t child = ::fork();
  if (child == 0) {
    auto theirs = seat(1);
    theirs->place("c", "t", now_)->opened();
    theirs->hold_lease(now_);
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(place->open(), 1u);
  board->clear_seat(1);
  EXPECT_EQ(place->open(), 0u);
  EXPECT_TRUE(board->hold_lease(now_ + 2s));
}

TEST_F(BoardTest, AnythingMayStandThereAndNobodyComesToHarm) {
  Fd fd = *Board::make();
  auto board = *Board::map(fd, 0);
  auto place = board->place("c", "t", now_);
  struct stat about{};
  ASSERT_EQ(::fstat(fd.get(), &about), 0);
  std::vector<unsigned char> noise(static_cast<std::size_t>(about.st_size));
  std::uint32_t x = 1;
  for (auto& byte : noise) byte = static_cast<unsigned char>((x = x * 1664525 + 1013904223) >> 24);
  ASSERT_EQ(::pwrite(fd.get(), noise.data(), noise.size(), 0), static_cast<ssize_t>(noise.size()));
  place->opened();
  place->closed();
  static_cast<void>(place->open());
  static_cast<void>(board->touch(*place, now_));
  static_cast<void>(board->hold_lease(now_));
  static_cast<void>(board->place("c", "other", now_));
  EXPECT_FALSE(to_string(place->standing().health.load()).empty());
}

TEST(BoardMapTest, WhatCouldBeCutOffIsNotMapped) {
  Fd open_ended(::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(open_ended.get(), 1 << 20), 0);
  EXPECT_FALSE(Board::map(open_ended, 0));
  ASSERT_EQ(::fcntl(open_ended.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
  EXPECT_FALSE(Board::map(open_ended, 0)) << "of the wrong size";
  Fd good = *Board::make();
  EXPECT_TRUE(Board::map(good, 0));
  EXPECT_FALSE(Board::map(good, Board::kSeats));
  EXPECT_NE(::ftruncate(good.get(), 0), 0);
}

}  // namespace
}  // namespace cipherway::gateway
