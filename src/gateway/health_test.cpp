#include "gateway/health.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;

TEST(NoClientTest, IsAProxyHeaderThatNamesNobody) {
  EXPECT_EQ(no_client(config::ProxyVersion::V1), "PROXY UNKNOWN\r\n");
  // The signature, version 2 and LOCAL, unspecified, no addresses.
  EXPECT_EQ(to_hex(as_bytes(no_client(config::ProxyVersion::V2))), "0d0a0d0a000d0a515549540a20000000");
}

/// A target that listens on a UNIX socket; the test answers for it.
class HealthTest : public testing::Test {
 protected:
  HealthTest() {
    config_.name.value = "c";
    config_.to.targets.push_back({{.where = *Address::parse("unix:" + path_)}, {}});
  }
  ~HealthTest() override { ::unlink(path_.c_str()); }

  void listen() { listening_ = *listen_on(*Address::parse("unix:" + path_), 8); }
  void stop_listening() {
    listening_.reset();
    ::unlink(path_.c_str());
  }

  template <class Condition>
  bool turn_until(Condition done, Clock::duration most = 10s) {
    auto end = Clock::now() + most;
    while (!done() && Clock::now() < end) loop_.turn(5ms);
    return done();
  }

  std::optional<Check::Outcome> check(std::optional<std::string> request, const std::string& answer,
                                      Clock::duration timeout = 10s) {
    std::optional<Check::Outcome> outcome;
    Check one(loop_, scratch_,
              {.address = *Address::parse("unix:" + path_),
               .tls = nullptr,
               .greeting = "hello\n",
               .request = std::move(request),
               .timeout = timeout},
              [&](const Check::Outcome& said) { outcome = said; });
    one.start();
    Fd accepted;
    turn_until([&] {
      if (!accepted && listening_) {
        accepted = Fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK));
        if (!accepted) return outcome.has_value();
        EXPECT_EQ(::write(accepted.get(), answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
      }
      return outcome.has_value();
    });
    char buffer[1024];
    ssize_t got = accepted ? ::read(accepted.get(), buffer, sizeof buffer) : 0;
    received_ = std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
    return outcome;
  }

  std::string path_ = testing::TempDir() + "cw-health-" + std::to_string(::getpid());
  event::EventLoop loop_;
  Scratch scratch_{loop_};
  Resolver resolver_{loop_};
  Random random_{1};
  config::Channel config_;
  Fd listening_;
  std::string received_;
};

TEST_F(HealthTest, ConnectingIsEnough) {
  EXPECT_EQ(check({}, "")->reason, "connect-failed");
  listen();
  EXPECT_TRUE(check({}, "")->passed);
  EXPECT_EQ(received_, "hello\n");
}

TEST_F(HealthTest, AGoodStatusPasses) {
  listen();
  EXPECT_TRUE(check("GET", "HTTP/1.1 204 Fine\r\n")->passed);
  EXPECT_EQ(received_, "hello\nGET");
  EXPECT_EQ(check("GET", "HTTP/1.1 500 Oh\r\n")->reason, "http-status");
  EXPECT_EQ(check("GET", "SMTP\r\n")->reason, "not-http");
  EXPECT_EQ(check("GET", "HTTP/1.1 20", 50ms)->reason, "timeout");
}

TEST_F(HealthTest, TheRequestNamesTheTargetUnlessToldOtherwise) {
  auto targets = std::make_shared<Targets>(config_, TargetSources{Board::alone(), resolver_, random_});
  config::Health health;
  health.path = "/ready";
  EXPECT_NE(health_request(health, *targets->all()[0]).find("GET /ready HTTP/1.1\r\nHost: localhost\r\n"),
            std::string::npos);
  health.host = "app.example.org";
  EXPECT_NE(health_request(health, *targets->all()[0]).find("\r\nHost: app.example.org\r\n"), std::string::npos);
}

TEST_F(HealthTest, WhoHoldsTheLeaseChecksAndTheOtherReads) {
  config_.health = config::Health{.interval = 20ms, .timeout = 20ms, .rise = 1, .fall = 1};
  Fd fd = *Board::make();
  auto board = *Board::map(fd, 0), other_board = *Board::map(fd, 1);
  auto targets = std::make_shared<Targets>(config_, TargetSources{board, resolver_, random_});
  auto other_targets = std::make_shared<Targets>(config_, TargetSources{other_board, resolver_, random_});
  HealthChecks checks(loop_, scratch_, random_), other(loop_, scratch_, random_);
  checks.use(board, {{targets, nullptr, ""}});
  other.use(other_board, {{other_targets, nullptr, ""}});
  EXPECT_TRUE(checks.holds_lease());
  EXPECT_FALSE(other.holds_lease());
  auto health = [&] { return other_targets->all()[0]->standing().health.load(); };
  EXPECT_TRUE(turn_until([&] { return health() == Health::Down; }));
  listen();
  EXPECT_TRUE(turn_until([&] { return health() == Health::Up; }));
  checks.stop();
  EXPECT_TRUE(turn_until([&] { return other.holds_lease(); }));
  stop_listening();
  EXPECT_TRUE(turn_until([&] { return health() == Health::Down; }));
}

}  // namespace
}  // namespace cipherway::gateway
