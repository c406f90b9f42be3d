#include "gateway/resolver.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <map>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;

/// A name server in the same loop. It knows IPv4 addresses, and says NXDOMAIN or nothing about the rest.
class Server final : public event::Watcher {
 public:
  explicit Server(event::EventLoop& loop)
      : loop_(loop), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_TRUE(loop_.add(socket_.get(), EPOLLIN, *this));
  }
  ~Server() { loop_.remove(socket_.get(), *this); }

  struct Record {
    std::vector<std::string> addresses;
    std::uint8_t time_to_live = 60;
  };
  std::map<std::string, Record> names;
  std::map<std::string, int> asked;
  bool silent = false;

  NameService service(const std::string& more = "") const {
    NameService out = NameService::parse(more, "");
    out.servers = {*Address::parse("127.0.0.1:" + std::to_string(port_))};
    return out;
  }

  void ready(std::uint32_t) override {
    std::uint8_t in[512];
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    ssize_t got = 0;
    while ((got = ::recvfrom(socket_.get(), in, sizeof in, 0, reinterpret_cast<sockaddr*>(&peer), &length)) > 12) {
      std::string name;
      std::size_t at = 12;
      for (; in[at] != 0; at += 1u + in[at])
        name += (name.empty() ? "" : ".") + std::string(reinterpret_cast<char*>(in) + at + 1, in[at]);
      bool wants_v4 = in[at + 2] == 1;
      if (wants_v4) ++asked[name];
      if (silent) continue;
      std::vector<std::uint8_t> out(in, in + at + 5);
      auto known = names.find(name);
      auto addresses = known != names.end() && wants_v4 ? known->second.addresses : std::vector<std::string>{};
      out[2] = 0x81;
      out[3] = known != names.end() ? 0x80 : 0x83;
      out[6] = 0;
      out[7] = static_cast<std::uint8_t>(addresses.size());
      out[8] = out[9] = out[10] = out[11] = 0;
      for (const std::string& each : addresses) {
        in_addr ip{};
        ::inet_pton(AF_INET, each.c_str(), &ip);
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&ip);
        for (int byte : {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, static_cast<int>(known->second.time_to_live), 0, 4})
          out.push_back(static_cast<std::uint8_t>(byte));
        out.insert(out.end(), bytes, bytes + 4);
      }
      ::sendto(socket_.get(), out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&peer), length);
    }
  }

 private:
  event::EventLoop& loop_;
  Fd socket_;
  std::uint16_t port_ = 0;
};

class ResolverTest : public testing::Test {
 protected:
  template <class Condition>
  bool turn_until(Condition done, Clock::duration most = 10s) {
    auto end = Clock::now() + most;
    while (!done() && Clock::now() < end) loop_.turn(10ms);
    return done();
  }
  Resolver::Subscription follow(const std::string& name, std::vector<std::string>& into) {
    return resolver_.follow(*HostPort::parse(name), [&into](const std::vector<Address>& addresses) {
      into.clear();
      for (const Address& each : addresses) into.push_back(each.to_string());
    });
  }
  using Texts = std::vector<std::string>;

  event::EventLoop loop_;
  Server server_{loop_};
  Resolver resolver_{loop_};
};

TEST_F(ResolverTest, FindsAllAddressesSortedWithThePort) {
  server_.names["app.internal"] = {{"10.0.0.2", "10.0.0.1", "10.0.0.2"}};
  resolver_.use(server_.service());
  Texts seen;
  auto subscription = follow("app.internal:8080", seen);
  EXPECT_TRUE(turn_until([&] { return !seen.empty(); }));
  EXPECT_EQ(seen, (Texts{"10.0.0.1:8080", "10.0.0.2:8080"}));
  EXPECT_EQ(server_.asked["app.internal"], 1);
}

TEST_F(ResolverTest, AsksAgainWhenTheTimeToLiveIsOver) {
  server_.names["app.internal"] = {{"10.0.0.1"}, 1};
  resolver_.use(server_.service());
  Texts seen;
  auto subscription = follow("app.internal:80", seen);
  ASSERT_TRUE(turn_until([&] { return !seen.empty(); }));
  server_.names["app.internal"] = {{"10.0.0.7"}, 60};
  EXPECT_TRUE(turn_until([&] { return seen == Texts{"10.0.0.7:80"}; }));
  EXPECT_EQ(server_.asked["app.internal"], 2);
}

TEST_F(ResolverTest, KeepsTheLastAnswerWhenTheNameIsGone) {
  server_.names["app.internal"] = {{"10.0.0.1"}, 1};
  resolver_.use(server_.service());
  Texts seen;
  auto subscription = follow("app.internal:80", seen);
  ASSERT_TRUE(turn_until([&] { return !seen.empty(); }));
  server_.names.clear();
  EXPECT_TRUE(turn_until([&] { return server_.asked["app.internal"] >= 2; }));
  EXPECT_EQ(seen, Texts{"10.0.0.1:80"});
}

TEST_F(ResolverTest, SearchesForShortNames) {
  server_.names["app.shop.example"] = {{"10.0.0.1"}};
  resolver_.use(server_.service("search other.example shop.example\n"));
  Texts seen;
  auto subscription = follow("app:80", seen);
  EXPECT_TRUE(turn_until([&] { return seen == Texts{"10.0.0.1:80"}; }));
  EXPECT_EQ(server_.asked["app.other.example"], 1);
  EXPECT_EQ(server_.asked["app"], 0);
}

TEST_F(ResolverTest, IsSettledAfterAnAnswerOrAFailureForEveryName) {
  server_.names["known.internal"] = {{"10.0.0.1"}};
  resolver_.use(server_.service());
  int settled = 0;
  resolver_.when_settled([&] { ++settled; });
  EXPECT_EQ(settled, 1) << "there is nothing to wait for";
  Texts a, b;
  auto one = follow("known.internal:80", a), other = follow("unknown.internal:80", b);
  resolver_.when_settled([&] { ++settled; });
  EXPECT_EQ(settled, 1);
  EXPECT_TRUE(turn_until([&] { return settled == 2; }));
  EXPECT_EQ(a, Texts{"10.0.0.1:80"});
  EXPECT_TRUE(b.empty());
}

TEST_F(ResolverTest, OtherServersAreAskedAtOnce) {
  server_.silent = true;
  resolver_.use(server_.service());
  Texts seen;
  auto subscription = follow("app.internal:80", seen);
  ASSERT_TRUE(turn_until([&] { return server_.asked["app.internal"] >= 1; }));
  Server other(loop_);
  other.names["app.internal"] = {{"10.0.0.3"}};
  resolver_.use(other.service());
  EXPECT_TRUE(turn_until([&] { return seen == Texts{"10.0.0.3:80"}; }));
}

TEST_F(ResolverTest, NobodyIsAskedForWhatNobodyFollows) {
  server_.names["app.internal"] = {{"10.0.0.1"}, 1};
  resolver_.use(server_.service());
  Texts seen;
  {
    auto subscription = follow("app.internal:80", seen);  // given up while the question is under way
  }
  turn_until([] { return false; }, 1500ms);
  EXPECT_TRUE(seen.empty());
  EXPECT_LE(server_.asked["app.internal"], 1);
}

TEST_F(ResolverTest, MayEndInTheMiddleOfAQuestion) {
  server_.silent = true;
  auto resolver = std::make_unique<Resolver>(loop_);
  resolver->use(server_.service());
  auto subscription = std::make_unique<Resolver::Subscription>(
      resolver->follow(*HostPort::parse("app.internal:80"), [](const std::vector<Address>&) {}));
  turn_until([] { return false; }, 50ms);
  subscription.reset();
  resolver.reset();
  turn_until([] { return false; }, 50ms);
}

}  // namespace
}  // namespace cipherway::gateway
