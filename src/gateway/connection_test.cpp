#include "gateway/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;
using Phase = Connection::Phase;

/// A host with a loop; a client that is one end of a socket pair; targets that listen on UNIX sockets. No TLS: that is
/// for the tls module's tests and for the scenarios. What is tested here is who waits for what, and how it ends.
class ConnectionTest : public testing::Test, public ConnectionHost {
 public:
  event::EventLoop& loop() override { return loop_; }
  Scratch& scratch() override { return scratch_; }
  void closed(Connection& connection) override {
    EXPECT_EQ(&connection, connection_.get());
    ++closed_;
    loop_.at_turn_end([this] { connection_.reset(); });
  }

 protected:
  struct Target {
    std::string path;
    Fd listening;
    Fd accepted;
  };

  void TearDown() override {
    for (auto& target : targets_) ::unlink(target.path.c_str());
  }

  void add_target(bool listens) {
    std::string path = testing::TempDir() + "/cw-" + std::to_string(::getpid()) + "-" + std::to_string(targets_.size());
    ::unlink(path.c_str());
    Address address = *Address::parse("unix:" + path);
    config_targets_.push_back({{.where = address}, {}});
    targets_.push_back({path, listens ? *listen_on(address, 8) : Fd(), {}});
  }

  void start(config::Timeouts timeouts = {}) {
    config::Channel config;
    config.name.value = "test";
    config.from.listen.value.address = *Address::parse("127.0.0.1:1");
    config.to.targets = config_targets_;
    config.timeouts = timeouts;
    entrance_->lead_into({std::make_shared<Channel>(Channel{config, nullptr, nullptr, traffic_})});
    SocketPair pair = *stream_pair();
    client_ = std::move(pair.ours);
    connect(std::move(pair.theirs));
  }

  void connect(Fd client) {
    connection_ = std::make_unique<Connection>(*this, entrance_, std::move(client), *Address::parse("unix:/client"));
    connection_->start();
  }

  void turns(int count = 10) {
    for (int i = 0; i < count; ++i) loop_.turn(1ms);
  }

  void accept(std::size_t target) {
    targets_[target].accepted = Fd(::accept4(targets_[target].listening.get(), nullptr, nullptr, SOCK_NONBLOCK));
    ASSERT_TRUE(targets_[target].accepted);
  }

  static std::string read_all(const Fd& fd, bool* end = nullptr) {
    std::string text;
    char buffer[65536];
    ssize_t got;
    while ((got = ::read(fd.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(got));
    if (end != nullptr) *end = got == 0;
    return text;
  }

  static void write_all(const Fd& fd, std::string_view text) {
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  event::EventLoop loop_;
  Scratch scratch_;
  std::vector<Target> targets_;
  std::vector<config::Located<config::Target>> config_targets_;
  std::shared_ptr<Traffic> traffic_ = std::make_shared<Traffic>();
  std::shared_ptr<Entrance> entrance_ = std::make_shared<Entrance>("127.0.0.1:1");
  Fd client_;
  std::unique_ptr<Connection> connection_;
  int closed_ = 0;
};

TEST_F(ConnectionTest, RelaysBothWaysAndEndsWhenBothSidesEnded) {
  add_target(true);
  start();
  ASSERT_EQ(connection_->phase(), Phase::Relaying);
  EXPECT_TRUE(traffic_->half_open.empty());
  accept(0);
  write_all(client_, "question");
  turns();
  EXPECT_EQ(read_all(targets_[0].accepted), "question");

  // Half-close: the client is done, the target is not.
  ::shutdown(client_.get(), SHUT_WR);
  turns();
  bool end = false;
  EXPECT_EQ(read_all(targets_[0].accepted, &end), "");
  EXPECT_TRUE(end);
  ASSERT_TRUE(connection_);
  EXPECT_EQ(connection_->phase(), Phase::Relaying);
  write_all(targets_[0].accepted, "answer");
  turns();
  EXPECT_EQ(read_all(client_, &end), "answer");
  EXPECT_FALSE(end);

  ::shutdown(targets_[0].accepted.get(), SHUT_WR);
  turns();
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
  turns();
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
  EXPECT_EQ(traffic_->refused, 0u);
}

TEST_F(ConnectionTest, IsRefusedWhenNoTargetAnswers) {
  add_target(false);
  add_target(false);
  start();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  EXPECT_EQ(traffic_->refused, 1u);
  EXPECT_TRUE(traffic_->half_open.empty());
  bool end = false;
  EXPECT_EQ(read_all(client_, &end), "");
  EXPECT_TRUE(end);
  client_.reset();
  turns();
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
  turns(3);
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

TEST_F(ConnectionTest, AResetByOneSideReachesTheOther) {
  add_target(true);
  start();
  accept(0);
  write_all(targets_[0].accepted, "unread");
  turns();
  client_.reset();  // a UNIX socket closed with unread bytes resets
  turns();
  EXPECT_EQ(closed_, 1);
  char byte;
  EXPECT_LE(::read(targets_[0].accepted.get(), &byte, 1), 0);
}

TEST_F(ConnectionTest, EvictionEndsEveryPhase) {
  add_target(true);
  start();
  connection_->evict("drain timeout");
  turns(1);
  EXPECT_EQ(closed_, 1);

  config_targets_.clear();
  targets_.clear();
  add_target(false);
  start();
  ASSERT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  connection_->evict("drain timeout");
  turns(1);
  EXPECT_EQ(closed_, 2);
}

TEST(PhaseTest, EveryPhaseSaysWhatItAwaits) {
  for (auto phase : {Phase::AwaitingFirstBytes, Phase::AwaitingClientHandshake, Phase::AwaitingTarget,
                     Phase::AwaitingTargetHandshake, Phase::Relaying, Phase::AwaitingGoodbye, Phase::Closed})
    EXPECT_FALSE(to_string(phase).empty());
}

}  // namespace
}  // namespace cipherway::gateway
