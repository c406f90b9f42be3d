#include "gateway/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <optional>
#include <set>

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
  Turns& turns() override { return turns_; }
  RefusalLog& refusal_log() override { return refusal_log_; }
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

  /// `change` makes the channel another one than plaintext with default limits.
  void start(config::Timeouts timeouts = {}, const std::function<void(config::Channel&)>& change = {}) {
    config::Channel config;
    config.name.value = "test";
    config.from.listen.value.address = *Address::parse("127.0.0.1:1");
    config.to.targets = config_targets_;
    config.to.balance = config::Balance::InOrder;
    config.eject = eject_;
    config.timeouts = timeouts;
    if (change) change(config);
    auto targets = std::make_shared<gateway::Targets>(config, TargetSources{board_, resolver_, random_});
    entrance_->lead_into({std::make_shared<Channel>(Channel{config, nullptr, nullptr, traffic_, targets, nullptr})});
    SocketPair pair = *stream_pair();
    client_ = std::move(pair.ours);
    connect(std::move(pair.theirs));
  }

  void connect(Fd client) {
    connection_ = std::make_unique<Connection>(*this, entrance_, std::move(client), *Address::parse("unix:/client"));
    connection_->start();
  }

  void take_turns(int count = 10) {
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
  Turns turns_{loop_, [](Guest& guest) { static_cast<Connection&>(guest).turn_came(); }};
  RefusalLog refusal_log_;
  std::shared_ptr<Board> board_ = Board::alone();
  Resolver resolver_{loop_};
  Random random_{1};
  config::Eject eject_;
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

void passes_through(config::Channel& config) {
  config.from.protect.value = config.to.protect.value = config::Protect::Passthrough;
}
void listens_to_proxies(config::Channel& config) {
  config.from.proxy_from.push_back({*Network::parse("unix"), {}});
}
void suspects_proxies(config::Channel& config) {
  config.from.proxy_from.push_back({*Network::parse("192.0.2.0/24"), {}});
}

/// A ClientHello of TLS 1.2 without extensions.
std::string hello() {
  std::string body = std::string("\x03\x03", 2) + std::string(32, 'r') + std::string("\0\0\x02\x13\x01\x01\0", 7);
  std::string message = std::string("\x01\0\0", 3) + static_cast<char>(body.size()) + body;
  return std::string("\x16\x03\x01\0", 4) + static_cast<char>(message.size()) + message;
}

TEST_F(ConnectionTest, PassthroughAwaitsTheClientHelloAndDeliversIt) {
  add_target(true);
  start({}, passes_through);
  EXPECT_EQ(connection_->phase(), Phase::AwaitingFirstBytes);
  EXPECT_EQ(entrance_->waiting.size(), 1u);
  EXPECT_EQ(traffic_->total, 0u);
  std::string bytes = hello();
  for (char byte : bytes) {
    EXPECT_EQ(connection_->phase(), Phase::AwaitingFirstBytes);
    write_all(client_, {&byte, 1});
    take_turns(2);
  }
  ASSERT_EQ(connection_->phase(), Phase::Relaying);
  EXPECT_TRUE(entrance_->waiting.empty());
  EXPECT_EQ(traffic_->total, 1u);
  accept(0);
  take_turns();
  EXPECT_EQ(read_all(targets_[0].accepted), bytes);
  write_all(client_, "more");
  write_all(targets_[0].accepted, "answer");
  take_turns();
  EXPECT_EQ(read_all(targets_[0].accepted), "more");
  EXPECT_EQ(read_all(client_), "answer");
  EXPECT_EQ(traffic_->bytes_in, bytes.size() + 4) << "counted as they flow";
}

TEST_F(ConnectionTest, WhoSpeaksNoTlsDoesNotPassThrough) {
  add_target(true);
  start({}, passes_through);
  write_all(client_, "GET / HTTP/1.1\r\n\r\n");
  take_turns();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  EXPECT_EQ(traffic_->refusals.total, 1u);
  EXPECT_EQ(read_all(client_), "");
}

TEST_F(ConnectionTest, AMalformedClientHelloIsAnsweredWithAnAlert) {
  add_target(true);
  start({}, passes_through);
  std::string bytes = hello();
  bytes[5] = 2;  // a ServerHello
  write_all(client_, bytes);
  take_turns();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  EXPECT_EQ(read_all(client_), std::string("\x15\x03\x03\0\x02\x02\x0a", 7));
}

TEST_F(ConnectionTest, AnUnknownNameIsAnsweredWithAnAlert) {
  add_target(true);
  start({}, [](config::Channel& config) {
    passes_through(config);
    config.from.server_names.push_back({"shop.example.org", {}});
  });
  write_all(client_, hello());
  take_turns();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  EXPECT_EQ(read_all(client_), std::string("\x15\x03\x03\0\x02\x02\x70", 7));
}

TEST_F(ConnectionTest, TheChannelIsTheOneInForceWhenTheClientSpeaks) {
  add_target(false);
  start({}, passes_through);
  targets_.clear();
  config_targets_.clear();
  add_target(true);
  auto channel = std::make_shared<Channel>(*entrance_->channels().front());
  channel->config.to.targets = config_targets_;
  entrance_->lead_into({channel});
  write_all(client_, hello());
  take_turns();
  EXPECT_EQ(connection_->phase(), Phase::Relaying);
  EXPECT_EQ(connection_->channel(), channel.get());
}

TEST_F(ConnectionTest, WhereTheAddressIsGoneThereIsNoChannel) {
  add_target(true);
  start({}, passes_through);
  entrance_->lead_into({});
  write_all(client_, hello());
  take_turns();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  EXPECT_EQ(entrance_->refusals.total, 1u);
}

TEST_F(ConnectionTest, WhoSaysNothingIsNotWaitedForLong) {
  add_target(true);
  start({.handshake = 20ms}, passes_through);
  auto until = Clock::now() + 2s;
  while (connection_->phase() == Phase::AwaitingFirstBytes && Clock::now() < until) loop_.turn(5ms);
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
}

TEST_F(ConnectionTest, AProxyHeaderIsTakenOffAndTheRestDelivered) {
  add_target(true);
  start({}, listens_to_proxies);
  EXPECT_EQ(connection_->phase(), Phase::AwaitingProxyHeader);
  write_all(client_, "PROXY TCP4 192.0.2.1 198.51.100.1 5");
  take_turns();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingProxyHeader);
  write_all(client_, "6324 443\r\nhello");
  take_turns();
  ASSERT_EQ(connection_->phase(), Phase::Relaying);
  accept(0);
  take_turns();
  EXPECT_EQ(read_all(targets_[0].accepted), "hello");
}

TEST_F(ConnectionTest, AfterAProxyHeaderAPlaintextServerMaySpeakFirst) {
  add_target(true);
  start({}, listens_to_proxies);
  write_all(client_, "PROXY UNKNOWN\r\n");
  take_turns();
  ASSERT_EQ(connection_->phase(), Phase::Relaying);
  accept(0);
  write_all(targets_[0].accepted, "220 ready");
  take_turns();
  EXPECT_EQ(read_all(client_), "220 ready");
}

TEST_F(ConnectionTest, WhoMustBeginWithAProxyHeaderAndDoesNotIsRefused) {
  for (const char* bytes : {"GET / HTTP/1.1\r\n", "PROXY TCP4 192.0.2.1\r\n"}) {
    targets_.clear();
    config_targets_.clear();
    add_target(true);
    start({}, listens_to_proxies);
    write_all(client_, bytes);
    take_turns();
    EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye) << bytes;
    Fd nobody(::accept4(targets_[0].listening.get(), nullptr, nullptr, SOCK_NONBLOCK));
    EXPECT_FALSE(nobody) << "a target was told of a connection that was not let in";
  }
  EXPECT_EQ(entrance_->channels().front()->traffic->refusals.total, 2u);
}

TEST_F(ConnectionTest, AProxyHeaderFromElsewhereDoesNotReachTheTarget) {
  add_target(true);
  start({}, suspects_proxies);
  ASSERT_EQ(connection_->phase(), Phase::Relaying) << "the server may speak first";
  accept(0);
  for (char byte : std::string("PROXY TCP4")) {
    write_all(client_, {&byte, 1});
    take_turns(2);
  }
  ASSERT_EQ(connection_->phase(), Phase::Relaying);
  write_all(client_, " 192.0.2.1 198.51.100.1 56324 443\r\nhello");
  take_turns();
  EXPECT_EQ(connection_->phase(), Phase::AwaitingGoodbye);
  EXPECT_EQ(read_all(targets_[0].accepted), "PROXY TCP4");
  EXPECT_EQ(traffic_->refusals.total, 1u);
}

TEST_F(ConnectionTest, WhatIsNoProxyHeaderFromElsewhereIsRelayed) {
  add_target(true);
  start({}, suspects_proxies);
  accept(0);
  write_all(client_, "PROXY TCP5 is no header");
  take_turns();
  write_all(client_, "PROXY TCP4 in the middle neither");
  take_turns();
  EXPECT_EQ(read_all(targets_[0].accepted), "PROXY TCP5 is no headerPROXY TCP4 in the middle neither");
}

TEST_F(ConnectionTest, ATargetIsIntroducedBeforeAnythingElse) {
  add_target(true);
  start({}, [](config::Channel& config) {
    listens_to_proxies(config);
    config.to.proxy_protocol = config::ProxyVersion::V1;
  });
  write_all(client_, "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\nhello");
  take_turns();
  accept(0);
  take_turns();
  EXPECT_EQ(read_all(targets_[0].accepted), "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\nhello");
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
