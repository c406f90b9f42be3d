#include "gateway/entrance.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;
using config::Protect;

std::shared_ptr<Channel> channel(Protect protect, std::vector<std::string> names = {}) {
  auto made = std::make_shared<Channel>();
  made->config.from.protect.value = protect;
  for (std::string& name : names) made->config.from.server_names.push_back({std::move(name), {}});
  made->traffic = std::make_shared<Traffic>();
  return made;
}

class EntranceTest : public testing::Test {
 protected:
  Entrance entrance_{"127.0.0.1:1"};
};

TEST_F(EntranceTest, LeadsNowhereAtFirstAndWhenItsAddressIsGone) {
  EXPECT_EQ(entrance_.only(), nullptr);
  entrance_.lead_into({channel(Protect::Tls)});
  EXPECT_NE(entrance_.only(), nullptr);
  entrance_.lead_into({});
  EXPECT_EQ(entrance_.only(), nullptr);
  EXPECT_TRUE(entrance_.channels().empty());
  EXPECT_FALSE(entrance_.routes().choose("shop.example.org", {}));
}

TEST_F(EntranceTest, LooksAtAClientHelloOnlyWhereItSaysSomething) {
  entrance_.lead_into({channel(Protect::Tls)});
  EXPECT_FALSE(entrance_.needs_hello());
  entrance_.lead_into({channel(Protect::Tls, {"shop.example.org"})});
  EXPECT_TRUE(entrance_.needs_hello());
  entrance_.lead_into({channel(Protect::Tls, {"shop.example.org"}), channel(Protect::MutualTls)});
  EXPECT_TRUE(entrance_.needs_hello());
  EXPECT_EQ(entrance_.only(), nullptr);
  entrance_.lead_into({channel(Protect::Passthrough)});
  EXPECT_TRUE(entrance_.needs_hello()) << "the log says which name is passed through";
}

TEST_F(EntranceTest, IsPlainWhenItsChannelIs) {
  entrance_.lead_into({channel(Protect::None)});
  EXPECT_TRUE(entrance_.is_plain());
  for (Protect protect : {Protect::Tls, Protect::MutualTls, Protect::Passthrough}) {
    entrance_.lead_into({channel(protect)});
    EXPECT_FALSE(entrance_.is_plain());
  }
}

TEST_F(EntranceTest, ItsChannelsTogetherSayHowManyMayBeHere) {
  auto one = channel(Protect::Tls, {"one.example.org"}), two = channel(Protect::Tls, {"two.example.org"});
  one->config.limits = {.connections = 2, .handshakes = 1};
  two->config.limits = {.connections = 3, .handshakes = 2};
  one->config.timeouts.handshake = 5s;
  two->config.timeouts.handshake = 3s;
  entrance_.lead_into({one, two});
  EXPECT_EQ(entrance_.patience(), 5s);
  Address peer = *Address::parse("192.0.2.1:1");
  std::list<Guest> guests;
  auto comes = [&] { return entrance_.admission.enter(guests.emplace_back(), peer, Clock::time_point{1h}); };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(comes(), Admission::Answer::Welcome);
    EXPECT_EQ(entrance_.admission.overcrowding(), nullptr) << "the largest of their handshakes";
  }
  EXPECT_EQ(comes(), Admission::Answer::Welcome);
  EXPECT_EQ(entrance_.admission.overcrowding(), &guests.front());
  for (Guest& guest : guests) guest.settle();
  EXPECT_EQ(comes(), Admission::Answer::Welcome);
  EXPECT_EQ(comes(), Admission::Answer::Welcome);
  for (Guest& guest : guests) guest.settle();
  EXPECT_EQ(comes(), Admission::Answer::Full) << "the sum of their connections";
}

TEST_F(EntranceTest, ASourceHasTheLoosestOfItsChannelsLimits) {
  auto one = channel(Protect::Tls, {"one.example.org"}), two = channel(Protect::Tls, {"two.example.org"});
  one->config.limits.source_connections = 1;
  two->config.limits.source_connections = 2;
  Address peer = *Address::parse("192.0.2.1:1");
  std::list<Guest> guests;
  auto comes = [&] { return entrance_.admission.enter(guests.emplace_back(), peer, Clock::time_point{1h}); };
  entrance_.lead_into({one, two});
  EXPECT_EQ(comes(), Admission::Answer::Welcome);
  EXPECT_EQ(comes(), Admission::Answer::Welcome);
  EXPECT_EQ(comes(), Admission::Answer::TooManyOfSource);
  two->config.limits.source_connections = 0;
  entrance_.lead_into({one, two});
  EXPECT_EQ(comes(), Admission::Answer::Welcome) << "0 is no limit";
}

TEST_F(EntranceTest, ExpectsAHeaderFromListedSourcesAlone) {
  auto one = channel(Protect::Tls);
  entrance_.lead_into({one});
  EXPECT_FALSE(entrance_.has_proxies());
  EXPECT_FALSE(entrance_.expects_proxy_header(*Address::parse("10.0.0.1:1")));
  one->config.from.proxy_from = {{*Network::parse("10.0.0.0/8"), {}}, {*Network::parse("unix"), {}}};
  entrance_.lead_into({one});
  EXPECT_TRUE(entrance_.has_proxies());
  EXPECT_TRUE(entrance_.expects_proxy_header(*Address::parse("10.0.0.1:1")));
  EXPECT_TRUE(entrance_.expects_proxy_header(*Address::parse("unix:/run/x")));
  EXPECT_FALSE(entrance_.expects_proxy_header(*Address::parse("11.0.0.1:1")));
}

}  // namespace
}  // namespace cipherway::gateway
