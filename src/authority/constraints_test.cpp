#include "authority/constraints.h"

#include <gtest/gtest.h>

namespace cipherway::authority {
namespace {

using identity::Name;

Constraints constraints(const std::vector<std::string>& dns = {}, const std::vector<std::string>& ip = {}) {
  return *Constraints::make("example.org", dns, ip);
}

bool permits(const Constraints& some, std::string_view name) {
  return some.check(*Name::parse(name)).has_value();
}

TEST(AddressBlock, ReadsCidr) {
  EXPECT_EQ(AddressBlock::parse("10.0.0.0/8")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(AddressBlock::parse("10.1.2.3")->to_string(), "10.1.2.3/32");
  EXPECT_EQ(AddressBlock::parse("2001:DB8::/32")->to_string(), "2001:db8::/32");
  EXPECT_EQ(AddressBlock::parse("0.0.0.0/0")->to_string(), "0.0.0.0/0");
  EXPECT_EQ(to_hex(AddressBlock::parse("10.0.0.0/9")->mask()), "ff800000");
  EXPECT_EQ(to_hex(AddressBlock::parse("::/0")->mask()), std::string(32, '0'));
}

TEST(AddressBlock, RefusesWhatIsNotABlock) {
  for (std::string_view text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/+8",
                                "::/129", "example.org/8", "10.0.0/8", "10.0.0.0/8/8"})
    EXPECT_FALSE(AddressBlock::parse(text).has_value()) << text;
  EXPECT_NE(AddressBlock::parse("10.1.0.0/8").error().what.find("did you mean 10.0.0.0/8?"), std::string::npos);
}

TEST(AddressBlock, ContainsAddressesOfItsOwnFamily) {
  auto block = *AddressBlock::parse("10.128.0.0/9");
  EXPECT_TRUE(block.contains("10.200.0.1"));
  EXPECT_FALSE(block.contains("10.127.255.255"));
  EXPECT_FALSE(block.contains("::ffff:10.200.0.1"));
  EXPECT_TRUE(AddressBlock::parse("2001:db8::/33")->contains("2001:db8:7fff::1"));
  EXPECT_FALSE(AddressBlock::parse("2001:db8::/33")->contains("2001:db8:8000::1"));
}

TEST(Constraints, PermitItsTrustDomainAndNothingElseByDefault) {
  Constraints some = constraints();
  EXPECT_TRUE(permits(some, "spiffe://example.org/a"));
  for (const char* name :
       {"spiffe://a.example.org/a", "spiffe://example.com/a", "example.org", "a.example.org", "10.0.0.1", "::1"})
    EXPECT_FALSE(permits(some, name)) << name;
}

TEST(Constraints, PermitDomainsAndAllBelowThem) {
  Constraints some = constraints({"Svc.Example.org"});
  EXPECT_TRUE(permits(some, "svc.example.org"));
  EXPECT_TRUE(permits(some, "a.b.svc.example.org"));
  EXPECT_TRUE(permits(some, "*.svc.example.org"));
  for (const char* name : {"example.org", "*.example.org", "notsvc.example.org", "svc.example.org.evil.net"})
    EXPECT_FALSE(permits(some, name)) << name;
}

TEST(Constraints, PermitBlocks) {
  Constraints some = constraints({}, {"10.0.0.0/8", "2001:db8::/32"});
  EXPECT_TRUE(permits(some, "10.255.0.1"));
  EXPECT_TRUE(permits(some, "2001:db8::1"));
  EXPECT_FALSE(permits(some, "11.0.0.1"));
  EXPECT_FALSE(permits(some, "2001:db9::1"));
}

TEST(Constraints, SayWhatToDo) {
  EXPECT_NE(constraints().check(*Name::parse("a.example")).error().what.find("--permit-dns"), std::string::npos);
  EXPECT_NE(constraints().check(*Name::parse("10.0.0.1")).error().what.find("--permit-ip"), std::string::npos);
  EXPECT_NE(constraints().check(*Name::parse("spiffe://b/a")).error().what.find("outside the trust domain example.org"),
            std::string::npos);
}

TEST(Constraints, RefuseNonsense) {
  EXPECT_FALSE(Constraints::make("Example.org", {}, {}).has_value());
  EXPECT_FALSE(Constraints::make("example.org", {"*.example.org"}, {}).has_value());
  EXPECT_FALSE(Constraints::make("example.org", {"10.0.0.1"}, {}).has_value());
  EXPECT_FALSE(Constraints::make("example.org", {""}, {}).has_value());
  EXPECT_FALSE(Constraints::make("example.org", {}, {"example.org"}).has_value());
  EXPECT_EQ(Constraints::make("example.org", std::vector<std::string>(101, "a.example"), {}).error().kind,
            ErrorKind::Limit);
}

}  // namespace
}  // namespace cipherway::authority
