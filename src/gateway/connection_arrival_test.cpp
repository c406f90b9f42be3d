#include "gateway/connection_for_tests.h"

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;
using Phase = Connection::Phase;

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

}  // namespace
}  // namespace cipherway::gateway
