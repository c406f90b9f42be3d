#include "base/address.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace cipherway {
namespace {

TEST(AddressTest, ParsesWhatItPrints) {
  for (const char* text : {"192.0.2.1:443", "[2001:db8::1]:8443", "unix:/run/x.sock", "0.0.0.0:0", "[::]:65535"}) {
    auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
  EXPECT_EQ(Address::parse("localhost:80")->to_string(), "127.0.0.1:80");
}

TEST(AddressTest, RefusesTheRestAndSaysWhatAnAddressIs) {
  std::string long_path = "unix:/" + std::string(120, 'x');
  for (std::string_view text : std::initializer_list<std::string_view>{
           "", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1: 80", "2001:db8::1:80",
           "[2001:db8::1]", "[x]:80", "unix:", "shop.example.org:80", long_path}) {
    auto address = Address::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_NE(address.error().what.find("write HOST:PORT, [IPV6]:PORT or unix:PATH"), std::string::npos);
  }
}

TEST(AddressTest, KnowsWhatNeverLeavesTheMachine) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/x", "[::ffff:127.0.0.1]:1"})
    EXPECT_TRUE(Address::parse(text)->is_local()) << text;
  for (const char* text : {"0.0.0.0:1", "128.0.0.1:1", "[::]:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"})
    EXPECT_FALSE(Address::parse(text)->is_local()) << text;
}

TEST(ListenTest, AStaleUnixSocketIsReplacedAndALiveOneIsNot) {
  std::string path = testing::TempDir() + "/cipherway-listen-" + std::to_string(::getpid());
  Address address = *Address::parse("unix:" + path);
  {
    Fd first = *listen_on(address, 8);
    EXPECT_FALSE(listen_on(address, 8));  // somebody listens
  }
  Fd second = *listen_on(address, 8);  // nobody does any more, but the file is still there
  EXPECT_TRUE(connect_to(address));
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace cipherway
