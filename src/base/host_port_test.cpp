#include "base/host_port.h"

#include <gtest/gtest.h>

namespace cipherway {
namespace {

TEST(HostPort, ParsesWhatItPrints) {
  for (const char* text : {"app.internal:8080", "app:1", "_grpc.a-b.example.org:65535", "1.example:80"}) {
    auto parsed = HostPort::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->to_string(), text);
  }
  EXPECT_EQ(HostPort::parse("App.Internal:80")->to_string(), "app.internal:80");
}

TEST(HostPort, RefusesAddressesAndTheRest) {
  for (std::string_view text : std::initializer_list<std::string_view>{
           "",          ":",      ":80",          "app",          "app:",           "app:0",
           "app:65536", "app:-1", "app: 80",      "app.:80",      ".app:80",        "a..b:80",
           "-a:80",     "a-:80",  "a-.b:80",      "192.0.2.1:80", "192.0.2.300:80", "a.b.7:80",
           "[::1]:80",  "::1:80", "localhost:80", "unix:80/x",    "a b:80",         "*.example.org:80"}) {
    auto parsed = HostPort::parse(text);
    EXPECT_FALSE(parsed) << text;
  }
  EXPECT_FALSE(HostPort::parse(std::string(64, 'a') + ":80"));
  EXPECT_TRUE(HostPort::parse(std::string(63, 'a') + ":80"));
  std::string long_name = "a";
  while (long_name.size() < 254) long_name += ".a";
  EXPECT_FALSE(HostPort::parse(long_name + ":80"));
}

}  // namespace
}  // namespace cipherway
