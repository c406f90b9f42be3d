#include "gateway/connection_for_tests.h"

#include <map>
#include <set>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;
using Phase = Connection::Phase;

TEST_F(ConnectionTest, RelaysBothWaysAndEndsWhenBothSidesEnded) {
  add_target(true);
  start();
  ASSERT_EQ(connection_->phase(), Phase::Relaying);
  EXPECT_TRUE(traffic_->half_open.empty());
  accept(0);
  write_all(client_, "question");
  take_turns();
  EXPECT_EQ(read_all(targets_[0].accepted), "question");

  // Half-close: the client is done, the target is not.
  ::shutdown(client_.get(), SHUT_WR);
  take_turns();
  bool end = false;
  EXPECT_EQ(read_all(targets_[0].accepted, &end), "");
  EXPECT_TRUE(end);
  ASSERT_TRUE(connection_);
  EXPECT_EQ(connection_->phase(), Phase::Relaying);
  write_all(targets_[0].accepted, "answer");
  take_turns();
  EXPECT_EQ(read_all(client_, &end), "answer");
  EXPECT_FALSE(end);

  ::shutdown(targets_[0].accepted.get(), SHUT_WR);
  take_turns();
  EXPECT_EQ(read_all(client_, &end), "");
  EXPECT_TRUE(end);
  EXPECT_EQ(closed_, 1);
  EXPECT_FALSE(connection_);
  EXPECT_EQ(traffic_->bytes_in, 8u);
  EXPECT_EQ(traffic_->bytes_out, 6u);
  EXPECT_EQ(traffic_->open, 0u);
}

TEST_F(ConnectionTest, BytesThatCameBeforeTheTargetAreDelivered) {
  add_target(true);
  SocketPair early = *stream_pair();
  write_all(early.ours, "impatient");
  start();
  connection_.reset();  // not this one
  closed_ = 0;
  client_ = std::move(early.ours);
  connect(std::move(early.theirs));
  take_turns();
  accept(0);  // the first connection's
  accept(0);
  EXPECT_EQ(read_all(targets_[0].accepted), "impatient");
}

TEST_F(ConnectionTest, TriesTheNextTargetWhenOneDoesNotAnswer) {
  add_target(false);
  add_target(false);
  add_target(true);
  start();
  EXPECT_EQ(connection_->phase(), Phase::Relaying);
  accept(2);
  EXPECT_EQ(traffic_->refusals.total, 0u);
}

TEST_F(ConnectionTest, IsRefusedWhenNoTargetAnswers) {
  add_target(false);
  add_target(false);
  start();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  EXPECT_EQ(traffic_->refusals.total, 1u);
  EXPECT_TRUE(traffic_->half_open.empty());
  bool end = false;
  EXPECT_EQ(read_all(client_, &end), "");
  EXPECT_TRUE(end);
  client_.reset();
  take_turns();
  EXPECT_EQ(closed_, 1);
}

TEST_F(ConnectionTest, AClientThatDoesNotSayGoodbyeIsNotWaitedForLong) {
  add_target(false);
  start();
  auto until = Clock::now() + 3s;
  while (connection_ && Clock::now() < until) loop_.turn(50ms);
  EXPECT_EQ(closed_, 1);
}

TEST_F(ConnectionTest, AnIdleConnectionIsReaped) {
  add_target(true);
  start({.idle = 30ms});
  take_turns(3);
  ASSERT_TRUE(connection_);
  auto until = Clock::now() + 2s;
  while (connection_ && Clock::now() < until) loop_.turn(5ms);
  EXPECT_EQ(closed_, 1);
}

TEST_F(ConnectionTest, TrafficKeepsAConnectionFromBeingIdle) {
  add_target(true);
  start({.idle = 60ms});
  accept(0);
  auto until = Clock::now() + 200ms;
  while (Clock::now() < until) {
    ASSERT_TRUE(connection_);
    write_all(client_, "x");
    auto pause = Clock::now() + 5ms;
    while (Clock::now() < pause) loop_.turn(1ms);
  }
  EXPECT_EQ(closed_, 0);
  ASSERT_TRUE(connection_);
}

TEST_F(ConnectionTest, ASlowReaderStopsTheSenderAndNothingIsLost) {
  add_target(true);
  start();
  accept(0);
  std::string pattern;
  for (int i = 0; i < 4096; ++i) pattern += std::to_string(i) + ",";
  std::string sent, received;
  std::size_t in_flight_most = 0;
  for (int round = 0; round < 4000 && sent.size() < (8u << 20); ++round) {
    ssize_t put = ::send(client_.get(), pattern.data(), pattern.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put > 0) sent.append(pattern, 0, static_cast<std::size_t>(put));
    loop_.turn(0ms);
    in_flight_most = std::max(in_flight_most, sent.size() - received.size());
    if (put <= 0) {
      char piece[50'000];
      ssize_t got = ::read(targets_[0].accepted.get(), piece, sizeof piece);
      if (got > 0) received.append(piece, static_cast<std::size_t>(got));
    }
  }
  ASSERT_GE(sent.size(), 1u << 20);
  for (int i = 0; i < 2000 && received.size() < sent.size(); ++i) {
    received += read_all(targets_[0].accepted);
    loop_.turn(0ms);
  }
  EXPECT_TRUE(received == sent) << received.size() << " of " << sent.size();
  // What the kernel holds for four sockets, and one batch of ours.
  EXPECT_LT(in_flight_most, 4u * 400'000 + Scratch::kMostBatch);
}

TEST_F(ConnectionTest, ASideThatTakesNothingIsStalledWhateverElseGoesOn) {
  add_target(true);
  start({.stall = 50ms});
  accept(0);
  std::string much(4u << 20, 'x');
  auto until = Clock::now() + 5s;
  while (connection_ && Clock::now() < until) {
    ::send(client_.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::send(targets_[0].accepted.get(), "y", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    read_all(client_);
    loop_.turn(5ms);
  }
  EXPECT_EQ(closed_, 1);
}

TEST_F(ConnectionTest, ASideThatTakesLittleIsNotStalled) {
  add_target(true);
  start({.stall = 100ms});
  accept(0);
  std::string much(4u << 20, 'x');
  auto until = Clock::now() + 500ms;
  while (Clock::now() < until) {
    ASSERT_TRUE(connection_);
    ::send(client_.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    char piece[65536];
    ASSERT_NE(::read(targets_[0].accepted.get(), piece, sizeof piece), 0);
    loop_.turn(5ms);
  }
  EXPECT_EQ(closed_, 0);
}

TEST_F(ConnectionTest, WithNoMemoryLeftAConnectionThatHoldsNothingGoesOn) {
  add_target(true);
  start();
  accept(0);
  scratch_.budget.set_limit(0);
  std::string sent(1u << 20, 'x'), received;
  std::size_t at = 0;
  std::size_t held_most = 0;
  for (int i = 0; i < 20'000 && received.size() < sent.size(); ++i) {
    ssize_t put = ::send(client_.get(), sent.data() + at, sent.size() - at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put > 0) at += static_cast<std::size_t>(put);
    loop_.turn(0ms);
    held_most = std::max(held_most, scratch_.budget.held());
    if (i % 40 == 39) received += read_all(targets_[0].accepted);
  }
  EXPECT_EQ(received.size(), sent.size());
  EXPECT_LE(held_most, Budget::kReserve);
  EXPECT_GT(held_most, 0u) << "nothing was ever held up, so nothing was shown";
  take_turns();
  EXPECT_EQ(scratch_.budget.held(), 0u) << "nothing is held once all is delivered";
}

TEST_F(ConnectionTest, AResetByOneSideReachesTheOther) {
  add_target(true);
  start();
  accept(0);
  write_all(targets_[0].accepted, "unread");
  take_turns();
  client_.reset();  // a UNIX socket closed with unread bytes resets
  take_turns();
  EXPECT_EQ(closed_, 1);
  char byte;
  EXPECT_LE(::read(targets_[0].accepted.get(), &byte, 1), 0);
}

TEST_F(ConnectionTest, EvictionEndsEveryPhase) {
  add_target(true);
  start();
  connection_->evict("drain timeout");
  take_turns(1);
  EXPECT_EQ(closed_, 1);

  config_targets_.clear();
  targets_.clear();
  add_target(false);
  start();
  ASSERT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  connection_->evict("drain timeout");
  take_turns(1);
  EXPECT_EQ(closed_, 2);
}

TEST(PhaseTest, PhasesLeadWhereTheTableSaysAndNowhereElse) {
  using enum Connection::Phase;
  const std::map<Phase, std::set<Phase>> table{
      {AwaitingProxyHeader, {AwaitingFirstBytes, AwaitingGoodbye, Closed}},
      {AwaitingFirstBytes, {AwaitingTurn, AwaitingTarget, AwaitingGoodbye, Closed}},
      {AwaitingTurn, {AwaitingClientHandshake, AwaitingGoodbye, Closed}},
      {AwaitingClientHandshake, {AwaitingTarget, AwaitingGoodbye, Closed}},
      {AwaitingTarget, {AwaitingTarget, AwaitingTargetHandshake, Relaying, AwaitingGoodbye, Closed}},
      {AwaitingTargetHandshake, {AwaitingTarget, Relaying, AwaitingGoodbye, Closed}},
      {Relaying, {AwaitingGoodbye, Closed}},
      {AwaitingGoodbye, {Closed}},
      {Closed, {}},
  };
  for (const auto& [from, allowed] : table)
    for (const auto& [to, ignored] : table)
      EXPECT_EQ(may_follow(from, to), allowed.contains(to)) << to_string(from) << " -> " << to_string(to);
}

TEST(PhaseTest, EveryPhaseSaysWhatItAwaits) {
  for (auto phase :
       {Phase::AwaitingProxyHeader, Phase::AwaitingFirstBytes, Phase::AwaitingTurn, Phase::AwaitingClientHandshake,
        Phase::AwaitingTarget, Phase::AwaitingTargetHandshake, Phase::Relaying, Phase::AwaitingGoodbye, Phase::Closed})
    EXPECT_FALSE(to_string(phase).empty());
}

}  // namespace
}  // namespace cipherway::gateway
