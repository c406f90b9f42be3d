#include "gateway/routes.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

using Miss = Routes::Miss;

/// A ProtocolNameList, as it stands in a ClientHello.
Bytes wire(const std::vector<std::string>& protocols) {
  Bytes out;
  for (const std::string& protocol : protocols) {
    out.push_back(static_cast<std::uint8_t>(protocol.size()));
    out.insert(out.end(), protocol.begin(), protocol.end());
  }
  return out;
}

struct Case {
  const char* what;
  std::vector<Routes::Answers> channels;
  std::string name;
  std::vector<std::string> offered;
  std::expected<std::size_t, Miss> goes_to;
};

const Routes::Answers kShop{{"shop.example.org"}, {}};
const Routes::Answers kAll{{"*.example.org"}, {}};
const Routes::Answers kDefault{};
const Routes::Answers kShopHttp2{{"shop.example.org"}, {"h2"}};
const Routes::Answers kShopHttp{{"shop.example.org"}, {"http/1.1", "h2"}};
const Routes::Answers kDefaultImap{{}, {"imap"}};

const std::vector<Case> kCases{
    {"the default takes whoever comes", {kDefault}, "any.example", {}, 0},
    {"with no name too", {kDefault}, "", {}, 0},
    {"an exact name", {kDefault, kShop}, "shop.example.org", {}, 1},
    {"names have no case", {kDefault, kShop}, "SHOP.Example.ORG", {}, 1},
    {"nor in the config", {{{"Shop.EXAMPLE.org"}, {}}}, "shop.example.org", {}, 0},
    {"exact before wildcard, whatever the order", {kAll, kShop, kDefault}, "shop.example.org", {}, 1},
    {"wildcard before default", {kDefault, kAll}, "www.example.org", {}, 1},
    {"a wildcard is one label", {kAll}, "a.b.example.org", {}, std::unexpected(Miss::UnknownName)},
    {"and not none", {kAll}, "example.org", {}, std::unexpected(Miss::UnknownName)},
    {"nor an empty one", {kAll}, ".example.org", {}, std::unexpected(Miss::UnknownName)},
    {"the root dot is no part of a name", {kShop}, "shop.example.org.", {}, std::unexpected(Miss::UnknownName)},
    {"an unknown name", {kShop}, "other.example.org", {}, std::unexpected(Miss::UnknownName)},
    {"an unknown name goes to the default", {kShop, kDefault}, "other.example.org", {}, 1},
    {"an address is a name like another", {kShop}, "192.0.2.1", {}, std::unexpected(Miss::UnknownName)},
    {"no name", {kShop, kAll}, "", {}, std::unexpected(Miss::NoName)},
    {"no name goes to the default", {kShop, kDefault}, "", {}, 1},
    {"a protocol", {kShopHttp2, kShopHttp}, "shop.example.org", {"http/1.1"}, 1},
    {"the first in the file that shares one", {kShopHttp2, kShopHttp}, "shop.example.org", {"http/1.1", "h2"}, 0},
    {"any before one without protocols", {kShop, kShopHttp2}, "shop.example.org", {"h2"}, 1},
    {"one without protocols takes the rest", {kShopHttp2, kShop}, "shop.example.org", {"imap"}, 1},
    {"no protocol in common",
     {kShopHttp2, kShopHttp},
     "shop.example.org",
     {"imap"},
     std::unexpected(Miss::NoSharedAlpn)},
    {"the name decides before the protocol",
     {kShopHttp2, kDefaultImap, kDefault},
     "shop.example.org",
     {"imap"},
     std::unexpected(Miss::NoSharedAlpn)},
    {"protocols route without names", {kDefaultImap, kDefault}, "x.example", {"imap"}, 0},
    {"and leave the rest", {kDefaultImap, kDefault}, "x.example", {"smtp"}, 1},
    {"who offers nothing goes where nothing is asked", {kShopHttp2, kShop}, "shop.example.org", {}, 1},
    {"or to the first", {kShopHttp2, kShopHttp}, "shop.example.org", {}, 0},
    {"a protocol is compared whole",
     {kShopHttp2},
     "shop.example.org",
     {"h2c", "h"},
     std::unexpected(Miss::NoSharedAlpn)},
    {"and with its case", {kShopHttp2}, "shop.example.org", {"H2"}, std::unexpected(Miss::NoSharedAlpn)},
    {"no channel", {}, "shop.example.org", {}, std::unexpected(Miss::UnknownName)},
};

TEST(RoutesTest, EveryCaseGoesWhereTheTableSays) {
  for (const Case& each : kCases) {
    Bytes offered = wire(each.offered);
    EXPECT_EQ(Routes(each.channels).choose(each.name, tls::ProtocolNames(offered)), each.goes_to) << each.what;
  }
}

TEST(RoutesTest, ALongNameIsUnknown) {
  std::string name(256, 'a');
  EXPECT_EQ(Routes({{{name}, {}}}).choose(name, {}), std::unexpected(Miss::UnknownName));
}

TEST(RoutesTest, OneDefaultNeedsNoClientHello) {
  EXPECT_TRUE(Routes({kDefault}).trivial());
  EXPECT_TRUE(Routes({kDefaultImap}).trivial());
  EXPECT_FALSE(Routes({kShop}).trivial());
  EXPECT_FALSE(Routes({kDefaultImap, kDefault}).trivial());
  EXPECT_FALSE(Routes().trivial());
}

}  // namespace
}  // namespace cipherway::gateway
