#include "base/network.h"

#include <gtest/gtest.h>

namespace cipherway {
namespace {

bool is_in(std::string_view network, std::string_view address) {
  return Network::parse(network)->contains(*Address::parse(address));
}

TEST(Network, ParsesWhatItPrints) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0", "::1/128", "unix"}) {
    auto network = Network::parse(text);
    ASSERT_TRUE(network) << text;
    EXPECT_EQ(network->to_string(), text);
  }
  EXPECT_EQ(Network::parse("192.0.2.1")->to_string(), "192.0.2.1/32");
  EXPECT_EQ(Network::parse("2001:DB8::1")->to_string(), "2001:db8::1/128");
}

TEST(Network, RefusesTheRest) {
  for (const char* text : {"", "/8", "10/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/ 8",
                           "2001:db8::/129", "[::1]/128", "lan", "unix/0", "::ffff:10.0.0.0/104"})
    EXPECT_FALSE(Network::parse(text)) << text;
  auto network = Network::parse("10.0.0.1/8");
  ASSERT_FALSE(network);
  EXPECT_NE(network.error().what.find("did you mean 10.0.0.0/8?"), std::string::npos) << network.error().what;
}

TEST(Network, ContainsWhatSharesItsPrefix) {
  EXPECT_TRUE(is_in("10.0.0.0/8", "10.255.0.1:5"));
  EXPECT_FALSE(is_in("10.0.0.0/8", "11.0.0.1:5"));
  EXPECT_TRUE(is_in("10.128.0.0/9", "10.128.0.1:5"));
  EXPECT_FALSE(is_in("10.128.0.0/9", "10.127.255.255:5"));
  EXPECT_TRUE(is_in("0.0.0.0/0", "192.0.2.1:5"));
  EXPECT_FALSE(is_in("0.0.0.0/0", "[2001:db8::1]:5"));
  EXPECT_TRUE(is_in("192.0.2.1", "192.0.2.1:80"));
  EXPECT_FALSE(is_in("192.0.2.1", "192.0.2.0:80"));
  EXPECT_TRUE(is_in("2001:db8::/33", "[2001:db8:7fff::1]:5"));
  EXPECT_FALSE(is_in("2001:db8::/33", "[2001:db8:8000::1]:5"));
  EXPECT_FALSE(is_in("::/0", "192.0.2.1:5"));
}

TEST(Network, AMappedAddressIsTheOneItMapsTo) {
  EXPECT_TRUE(is_in("10.0.0.0/8", "[::ffff:10.0.0.1]:5"));
  EXPECT_FALSE(is_in("::/0", "[::ffff:10.0.0.1]:5")) << "or ::/0 would open the door to IPv4 too";
}

TEST(Network, UnixIsEveryUnixSocketAndNothingElse) {
  EXPECT_TRUE(is_in("unix", "unix:/run/x"));
  EXPECT_FALSE(is_in("unix", "127.0.0.1:5"));
  EXPECT_FALSE(is_in("127.0.0.0/8", "unix:/run/x"));
  EXPECT_FALSE(Network().contains(Address())) << "neither is anything";
}

TEST(Network, KnowsWhatIsWithinIt) {
  auto contains = [](std::string_view outer, std::string_view inner) {
    return Network::parse(outer)->contains(*Network::parse(inner));
  };
  EXPECT_TRUE(contains("10.0.0.0/8", "10.1.0.0/16"));
  EXPECT_TRUE(contains("10.0.0.0/8", "10.0.0.0/8"));
  EXPECT_FALSE(contains("10.1.0.0/16", "10.0.0.0/8"));
  EXPECT_FALSE(contains("10.0.0.0/8", "2001:db8::/32"));
  EXPECT_TRUE(contains("unix", "unix"));
}

}  // namespace
}  // namespace cipherway
