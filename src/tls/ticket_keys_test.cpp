#include "tls/ticket_keys.h"

#include <gtest/gtest.h>

#include <map>

namespace cipherway::tls {
namespace {

/// A keyholder that answers when told to, and a clock that stands where it is put.
struct Fixture : testing::Test {
  event::EventLoop loop;
  WallClock::time_point now{std::chrono::hours(500'000)};
  std::map<std::uint64_t, TicketKeys::Received> asked;

  std::unique_ptr<TicketKeys> keys() {
    return std::make_unique<TicketKeys>(
        loop, "shop", [this](std::uint64_t epoch, auto received) { asked[epoch] = std::move(received); },
        [this] { return now; });
  }
  static SecretBytes key_of(std::uint64_t epoch) {
    SecretBytes key(80);
    for (std::size_t i = 0; i < 80; ++i) key.data()[i] = static_cast<std::uint8_t>(epoch + i);
    return key;
  }
  void answer(std::uint64_t epoch) { asked.at(epoch)(key_of(epoch)); }
};

using TicketKeysTest = Fixture;

TEST_F(TicketKeysTest, AsksForTheCurrentEpochAndItsNeighbours) {
  auto held = keys();
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_TRUE(asked.contains(499'999) && asked.contains(500'000) && asked.contains(500'001));
}

TEST_F(TicketKeysTest, WithoutTheCurrentKeyNoneIsFresh) {
  auto held = keys();
  EXPECT_EQ(held->fresh(), nullptr);
  answer(499'999);
  EXPECT_EQ(held->fresh(), nullptr);
  answer(500'000);
  ASSERT_NE(held->fresh(), nullptr);
  EXPECT_EQ(held->fresh()->epoch, 500'000u);
}

TEST_F(TicketKeysTest, AKeyIsFoundByItsNameForOneEpochAfterItsOwn) {
  auto held = keys();
  answer(499'999);
  answer(500'000);
  SecretBytes old = key_of(499'999);
  ASSERT_NE(held->named(old.view().first(16)), nullptr);
  EXPECT_EQ(held->named(old.view().first(16))->epoch, 499'999u);
  EXPECT_EQ(held->named(key_of(7).view().first(16)), nullptr);
}

TEST_F(TicketKeysTest, AnAnswerOfAnotherLengthIsNotAKey) {
  auto held = keys();
  asked.at(500'000)(SecretBytes(79));
  EXPECT_EQ(held->fresh(), nullptr);
}

TEST_F(TicketKeysTest, AnAnswerAfterTheEndIsIgnored) {
  auto held = keys();
  held.reset();
  answer(500'000);
}

TEST_F(TicketKeysTest, KeysOfAnOldKeyholderOpenTicketsAndMakeNone) {
  auto held = keys();
  answer(500'000);
  Bytes old_name(held->fresh()->name().begin(), held->fresh()->name().end());
  asked.clear();
  held->retire();
  EXPECT_EQ(held->fresh(), nullptr);
  ASSERT_NE(held->named(old_name), nullptr);
  EXPECT_EQ(asked.size(), 1u);  // the neighbours had not been answered: they are still asked for
  asked.at(500'000)(key_of(7));
  ASSERT_NE(held->fresh(), nullptr);
  EXPECT_NE(held->fresh(), held->named(old_name));
}

TEST_F(TicketKeysTest, RetiredKeysAreNotKeptForEver) {
  auto held = keys();
  for (int i = 0; i < 100; ++i) {
    for (std::uint64_t epoch : {499'999u, 500'000u, 500'001u}) answer(epoch);
    held->retire();
  }
  EXPECT_LE(held->epochs_held().size(), 16u);
}

}  // namespace
}  // namespace cipherway::tls
