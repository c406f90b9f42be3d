#include "gateway/name_service.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> out;
  for (const Address& each : addresses) out.push_back(each.to_string());
  return out;
}
using Texts = std::vector<std::string>;

TEST(NameServiceTest, ReadsWhatResolvConfSays) {
  auto service = NameService::parse(
      "# a comment\n"
      "nameserver 10.0.0.53\n"
      "nameserver\t2001:db8::53   # the other one\n"
      "nameserver not-an-address\n"
      "nameserver 10.0.0.54\n"
      "nameserver 10.0.0.55\n"
      "domain ignored.example\n"
      "search Shop.Example.org. internal\n"
      "options timeout:1 ndots:2 rotate\n",
      "");
  EXPECT_EQ(texts(service.servers), (Texts{"10.0.0.53:53", "[2001:db8::53]:53", "10.0.0.54:53"}));
  EXPECT_EQ(service.search, (Texts{"shop.example.org", "internal"}));
  EXPECT_EQ(service.ndots, 2u);
}

TEST(NameServiceTest, WithoutAFileTheServerIsOnThisMachine) {
  EXPECT_EQ(texts(NameService::parse("", "").servers), Texts{"127.0.0.1:53"});
  EXPECT_EQ(NameService::parse("options ndots:99999999999\n", "").ndots, 1u);
  EXPECT_EQ(NameService::parse("options ndots:99\n", "").ndots, 15u);
}

TEST(NameServiceTest, HostsComeBeforeQuestions) {
  auto service = NameService::parse("",
                                    "127.0.0.1 localhost\n"
                                    "10.1.0.1  App.Internal app # both\n"
                                    "10.1.0.2  app.internal\n"
                                    "10.1.0.1  app.internal\n"
                                    "fe80::1%eth0 zone\n"
                                    "rubbish app.internal\n"
                                    "::7 app.internal");
  EXPECT_EQ(texts(service.local("app.internal", 8080)), (Texts{"10.1.0.1:8080", "10.1.0.2:8080", "[::7]:8080"}));
  EXPECT_EQ(texts(service.local("app", 80)), Texts{"10.1.0.1:80"});
  EXPECT_TRUE(service.local("zone", 80).empty());
  EXPECT_TRUE(service.local("other.internal", 80).empty());
}

TEST(NameServiceTest, LocalhostIsLoopbackWhateverAServerSays) {
  auto service = NameService::parse("", "");
  EXPECT_EQ(texts(service.local("localhost", 80)), (Texts{"127.0.0.1:80", "[::1]:80"}));
  EXPECT_EQ(texts(service.local("db.localhost", 80)), (Texts{"127.0.0.1:80", "[::1]:80"}));
  EXPECT_TRUE(service.local("notlocalhost", 80).empty());
}

TEST(NameServiceTest, ShortNamesAreSearchedFor) {
  auto service = NameService::parse("search a.example b.example\n", "");
  EXPECT_EQ(service.questions("app"), (Texts{"app.a.example", "app.b.example", "app"}));
  EXPECT_EQ(service.questions("app.internal"),
            (Texts{"app.internal", "app.internal.a.example", "app.internal.b.example"}));
  EXPECT_EQ(NameService::parse("", "").questions("app"), Texts{"app"});
  EXPECT_EQ(service.questions(std::string(250, 'x')), Texts{std::string(250, 'x')});
}

TEST(NameServiceTest, IsBounded) {
  std::string hosts;
  for (int i = 0; i < 20'000; ++i) hosts += "10.0.0.1 n" + std::to_string(i) + "\n";
  for (int i = 0; i < 200; ++i) hosts += "10.0.1." + std::to_string(i) + " n1\n";
  auto service = NameService::parse("", hosts);
  EXPECT_EQ(service.hosts.size(), NameService::kMostHosts);
  EXPECT_LE(service.local("n1", 1).size(), NameService::kMostAddresses);
}

TEST(NameServiceTest, TheTimeToLiveIsKeptWithinReason) {
  EXPECT_EQ(after_answer(0s), 1s);
  EXPECT_EQ(after_answer(60s), 60s);
  EXPECT_EQ(after_answer(86'400s), 5min);
  EXPECT_EQ(after_failure(1), 1s);
  EXPECT_EQ(after_failure(2), 2s);
  EXPECT_EQ(after_failure(1000), 30s);
}

}  // namespace
}  // namespace cipherway::gateway
