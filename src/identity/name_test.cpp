#include "identity/name.h"

#include <gtest/gtest.h>

namespace cipherway::identity {
namespace {

std::string canonical(std::string_view text) {
  auto name = Name::parse(text);
  return name ? name->text : "refused: " + name.error().what;
}

bool refused(std::string_view text) {
  return !Name::parse(text).has_value();
}

std::string why(std::string_view text) {
  auto name = Name::parse(text);
  return name ? "accepted" : name.error().what;
}

bool matches(std::string_view pattern, std::string_view name) {
  auto parsed = NamePattern::parse(pattern);
  auto other = Name::parse(name);
  EXPECT_TRUE(parsed.has_value()) << pattern;
  EXPECT_TRUE(other.has_value()) << name;
  return parsed && other && parsed->matches(*other);
}

TEST(Name, TakesSpiffeIds) {
  for (const char* id : {"spiffe://example.org", "spiffe://example.org/a", "spiffe://example.org/a/b/c",
                         "spiffe://example.org/Upper-case_path.9", "spiffe://trust_domain-1.example/x",
                         "spiffe://example.org/...", "spiffe://example.org/.hidden/a..b", "spiffe://1.2.3.4/service"}) {
    EXPECT_EQ(canonical(id), id);
    EXPECT_EQ(Name::parse(id)->kind, NameKind::Spiffe);
  }
}

// SPIFFE-ID, section 2.1: the trust domain.
TEST(Name, RefusesBadTrustDomains) {
  EXPECT_EQ(why("spiffe://"), "\"spiffe://\": the trust domain is empty");
  EXPECT_TRUE(refused("spiffe:///path"));
  EXPECT_NE(why("spiffe://example.org:8443/a").find("no port"), std::string::npos);
  EXPECT_NE(why("spiffe://user@example.org/a").find("no user"), std::string::npos);
  EXPECT_NE(why("spiffe://Example.org/a").find("lower case"), std::string::npos);
  EXPECT_TRUE(refused("spiffe://ex%61mple.org/a"));
  EXPECT_TRUE(refused("spiffe://exa mple.org/a"));
  EXPECT_TRUE(
      refused("spiffe://b\xc3\xbc"
              "cher.example/a"));
  EXPECT_TRUE(refused("spiffe://[2001:db8::1]/a"));
  EXPECT_TRUE(refused("spiffe://example.org?query"));
  EXPECT_TRUE(refused("spiffe://example.org#fragment"));
  EXPECT_FALSE(refused("spiffe://" + std::string(255, 'a') + "/x"));
  EXPECT_TRUE(refused("spiffe://" + std::string(256, 'a') + "/x"));
}

// SPIFFE-ID, section 2.2: the path.
TEST(Name, RefusesBadPaths) {
  EXPECT_TRUE(refused("spiffe://example.org/"));
  EXPECT_TRUE(refused("spiffe://example.org/a/"));
  EXPECT_TRUE(refused("spiffe://example.org//a"));
  EXPECT_TRUE(refused("spiffe://example.org/a//b"));
  EXPECT_TRUE(refused("spiffe://example.org/./a"));
  EXPECT_TRUE(refused("spiffe://example.org/a/.."));
  EXPECT_NE(why("spiffe://example.org/a%20b").find("percent"), std::string::npos);
  EXPECT_NE(why("spiffe://example.org/a?b").find("no query"), std::string::npos);
  EXPECT_NE(why("spiffe://example.org/a#b").find("no fragment"), std::string::npos);
  EXPECT_TRUE(refused("spiffe://example.org/a b"));
  EXPECT_TRUE(refused("spiffe://example.org/a*"));
  EXPECT_TRUE(refused("spiffe://example.org/*"));
  EXPECT_TRUE(refused("spiffe://example.org/\xc3\xa9"));
  EXPECT_TRUE(refused(std::string_view("spiffe://example.org/a\0b", 24)));
}

// SPIFFE-ID, sections 2 and 2.3: the scheme, and the length.
TEST(Name, RefusesOtherSchemesAndLongIds) {
  EXPECT_NE(why("SPIFFE://example.org/a").find("spiffe:// in lower case"), std::string::npos);
  EXPECT_TRUE(refused("Spiffe://example.org/a"));
  EXPECT_TRUE(refused("spiffe:/example.org/a"));
  EXPECT_TRUE(refused("spiffe:example.org"));
  EXPECT_TRUE(refused("https://example.org/a"));
  EXPECT_TRUE(refused(" spiffe://example.org/a"));
  std::string longest = "spiffe://example.org/" + std::string(kMostSpiffeBytes - 21, 'a');
  ASSERT_EQ(longest.size(), kMostSpiffeBytes);
  EXPECT_FALSE(refused(longest));
  EXPECT_TRUE(refused(longest + "a"));
}

TEST(Name, TakesDnsNamesInCanonicalForm) {
  EXPECT_EQ(canonical("Shop.Example.ORG"), "shop.example.org");
  EXPECT_EQ(canonical("shop.example.org."), "shop.example.org");
  EXPECT_EQ(canonical("localhost"), "localhost");
  EXPECT_EQ(canonical("xn--bcher-kva.example"), "xn--bcher-kva.example");
  EXPECT_EQ(canonical("1.a"), "1.a");
  EXPECT_EQ(canonical("*.example.org"), "*.example.org");
  EXPECT_FALSE(refused(std::string(63, 'a') + ".example"));
  EXPECT_EQ(Name::parse("shop.example.org")->kind, NameKind::Dns);
}

TEST(Name, RefusesBadDnsNames) {
  for (std::string_view text : {"",
                                ".",
                                "..",
                                ".example.org",
                                "a..b",
                                "-a.example",
                                "a-.example",
                                "a_b.example",
                                "a b.example",
                                "*",
                                "*.",
                                "*.org",
                                "*a.example.org",
                                "a*.example.org",
                                "a.*.example.org",
                                "*.*.example.org",
                                "1.2.3",
                                "1.2.3.4.5",
                                "256.1.1.1",
                                "example.7",
                                "b\xc3\xbc"
                                "cher.example",
                                "a/b",
                                "a,b",
                                "shop.example.org:443"})
    EXPECT_TRUE(refused(text)) << text;
  EXPECT_TRUE(refused(std::string(64, 'a') + ".example"));
  std::string label(63, 'a');
  std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(longest.size(), 253U);
  EXPECT_FALSE(refused(longest));
  EXPECT_TRUE(refused(longest + "a"));
  EXPECT_TRUE(refused(std::string_view("a.example\0.org", 14)));
}

TEST(Name, TakesAddressesInCanonicalForm) {
  EXPECT_EQ(canonical("10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(canonical("2001:DB8:0:0::1"), "2001:db8::1");
  EXPECT_EQ(canonical("::1"), "::1");
  EXPECT_EQ(canonical("::ffff:10.0.0.1"), "::ffff:10.0.0.1");
  EXPECT_EQ(Name::parse("::1")->kind, NameKind::Ip);
}

TEST(Name, RefusesBadAddresses) {
  for (std::string_view text : {"10.0.0", "10.0.0.01", "010.0.0.1", "10.0.0.256", "10.0.0.1/8", "[::1]", "fe80::1%eth0",
                                "2001:db8:::1", "10.0.0.1:443", "0x0a000001"})
    EXPECT_TRUE(refused(text)) << text << " became " << canonical(text);
  EXPECT_TRUE(refused(std::string_view("10.0.0.1\0", 9)));
}

TEST(Name, ErrorsAreBoundedAndHarmlessToATerminal) {
  std::string what = why("spiffe://example.org/\x1b[2J" + std::string(5000, 'x'));
  EXPECT_LT(what.size(), 200U);
  EXPECT_EQ(what.find('\x1b'), std::string::npos);
}

TEST(Name, KnowsItsTrustDomain) {
  EXPECT_EQ(trust_domain_of(*Name::parse("spiffe://example.org/a/b")), "example.org");
  EXPECT_EQ(trust_domain_of(*Name::parse("spiffe://example.org")), "example.org");
  EXPECT_EQ(trust_domain_of(*Name::parse("shop.example.org")), "");
  EXPECT_TRUE(check_trust_domain("example.org").has_value());
  for (std::string_view text : {"", "Example.org", "spiffe://example.org", "example.org/a", "example.org:1", "a b"})
    EXPECT_FALSE(check_trust_domain(text).has_value()) << text;
}

TEST(NamePattern, MatchesSpiffeIdsExactly) {
  EXPECT_TRUE(matches("spiffe://example.org/a/b", "spiffe://example.org/a/b"));
  EXPECT_FALSE(matches("spiffe://example.org/a/b", "spiffe://example.org/a"));
  EXPECT_FALSE(matches("spiffe://example.org/a/b", "spiffe://example.org/a/b/c"));
  EXPECT_FALSE(matches("spiffe://example.org/a/b", "spiffe://example.org/a/B"));
  EXPECT_FALSE(matches("spiffe://example.org/a/b", "spiffe://example.com/a/b"));
  EXPECT_TRUE(matches("spiffe://example.org", "spiffe://example.org"));
  EXPECT_FALSE(matches("spiffe://example.org", "spiffe://example.org/a"));
}

TEST(NamePattern, OneStarIsOneSegment) {
  EXPECT_TRUE(matches("spiffe://example.org/*", "spiffe://example.org/a"));
  EXPECT_FALSE(matches("spiffe://example.org/*", "spiffe://example.org"));
  EXPECT_FALSE(matches("spiffe://example.org/*", "spiffe://example.org/a/b"));
  EXPECT_FALSE(matches("spiffe://example.org/*", "spiffe://example.com/a"));
  EXPECT_TRUE(matches("spiffe://example.org/*/b", "spiffe://example.org/a/b"));
  EXPECT_FALSE(matches("spiffe://example.org/*/b", "spiffe://example.org/b"));
  EXPECT_FALSE(matches("spiffe://example.org/*/b", "spiffe://example.org/a/c"));
  EXPECT_TRUE(matches("spiffe://example.org/batch/*/*", "spiffe://example.org/batch/1/2"));
}

TEST(NamePattern, TwoStarsAreOneOrMoreSegments) {
  EXPECT_TRUE(matches("spiffe://example.org/**", "spiffe://example.org/a"));
  EXPECT_TRUE(matches("spiffe://example.org/**", "spiffe://example.org/a/b/c"));
  EXPECT_FALSE(matches("spiffe://example.org/**", "spiffe://example.org"));
  EXPECT_TRUE(matches("spiffe://example.org/a/**", "spiffe://example.org/a/b/c"));
  EXPECT_FALSE(matches("spiffe://example.org/a/**", "spiffe://example.org/a"));
  EXPECT_FALSE(matches("spiffe://example.org/a/**", "spiffe://example.org/ab/c"));
  EXPECT_TRUE(matches("spiffe://example.org/*/x/**", "spiffe://example.org/a/x/b"));
}

TEST(NamePattern, RefusesWildcardsThatWouldSurprise) {
  for (std::string_view text :
       {"*", "**", "spiffe://*", "spiffe://*/a", "spiffe://*.example.org/a", "spiffe://example.org/a*",
        "spiffe://example.org/*a", "spiffe://example.org/**/a", "spiffe://example.org/***", "spiffe://example.org/*/",
        "spiffe://**", "*.org", "10.0.0.*", "any ", "any.", "ANY", "Any."})
    EXPECT_FALSE(NamePattern::parse(text).has_value()) << text;
}

TEST(NamePattern, MatchesDnsNames) {
  EXPECT_TRUE(matches("Shop.Example.org", "shop.example.org."));
  EXPECT_FALSE(matches("shop.example.org", "a.shop.example.org"));
  EXPECT_TRUE(matches("*.example.org", "shop.example.org"));
  EXPECT_FALSE(matches("*.example.org", "example.org"));
  EXPECT_FALSE(matches("*.example.org", "a.b.example.org"));
  EXPECT_FALSE(matches("*.example.org", "shop.example.com"));
  EXPECT_FALSE(matches("*.example.org", "shopexample.org"));
}

// RFC 9525, section 6.3: a wildcard in the certificate.
TEST(NamePattern, MatchesWildcardsOfCertificates) {
  EXPECT_TRUE(matches("shop.example.org", "*.example.org"));
  EXPECT_TRUE(matches("*.example.org", "*.example.org"));
  EXPECT_FALSE(matches("a.shop.example.org", "*.example.org"));
  EXPECT_FALSE(matches("example.org", "*.example.org"));
  EXPECT_FALSE(matches("*.shop.example.org", "*.example.org"));
  EXPECT_FALSE(matches("*.example.org", "*.shop.example.org"));
}

TEST(NamePattern, MatchesAddressesByValue) {
  EXPECT_TRUE(matches("2001:db8::1", "2001:DB8:0::1"));
  EXPECT_FALSE(matches("2001:db8::1", "2001:db8::2"));
  EXPECT_TRUE(matches("10.0.0.1", "10.0.0.1"));
  EXPECT_FALSE(matches("10.0.0.1", "::ffff:10.0.0.1"));
}

TEST(NamePattern, KindsDoNotMix) {
  EXPECT_FALSE(matches("example.org", "spiffe://example.org"));
  EXPECT_FALSE(matches("spiffe://example.org/**", "example.org"));
  auto pattern = *NamePattern::parse("10.0.0.1");
  EXPECT_FALSE(pattern.matches(Name{NameKind::Dns, "10.0.0.1"}));
  EXPECT_FALSE(NamePattern::parse("a.example")->matches(Name{NameKind::Spiffe, "a.example"}));
  EXPECT_FALSE(NamePattern::parse("spiffe://a/*")->matches(Name{NameKind::Spiffe, "nonsense"}));
  EXPECT_FALSE(NamePattern::parse("spiffe://a/*")->matches(Name{NameKind::Spiffe, ""}));
  for (const char* name : {"spiffe://example.org/a", "10.0.0.1", "a.example.org", "*.example.org"})
    EXPECT_TRUE(matches("any", name));
}

AccessPolicy policy(std::initializer_list<std::string_view> patterns) {
  std::vector<NamePattern> allowed;
  for (std::string_view text : patterns) allowed.push_back(*NamePattern::parse(text));
  return AccessPolicy(std::move(allowed));
}

std::vector<Name> names(std::initializer_list<std::string_view> texts) {
  std::vector<Name> parsed;
  for (std::string_view text : texts) parsed.push_back(*Name::parse(text));
  return parsed;
}

TEST(AccessPolicy, DeniesByDefault) {
  EXPECT_EQ(policy({}).accepts(names({"spiffe://example.org/a", "a.example.org"})), nullptr);
  EXPECT_EQ(policy({"spiffe://example.org/a"}).accepts({}), nullptr);
  EXPECT_EQ(policy({"any"}).accepts({}), nullptr);
}

TEST(AccessPolicy, SaysWhichNameItAccepted) {
  auto presented = names({"a.example.org", "spiffe://example.org/a", "10.0.0.1"});
  auto allow = policy({"b.example.org", "spiffe://example.org/*"});
  ASSERT_EQ(allow.accepts(presented), &presented[1]);
  EXPECT_EQ(policy({"spiffe://example.org/b"}).accepts(presented), nullptr);
  EXPECT_EQ(policy({"any"}).accepts(presented), &presented[0]);
}

TEST(AccessPolicy, RefusesTwoSpiffeIds) {
  auto presented = names({"spiffe://example.org/a", "spiffe://example.org/b", "a.example.org"});
  EXPECT_EQ(policy({"spiffe://example.org/a"}).accepts(presented), nullptr);
  EXPECT_EQ(policy({"any"}).accepts(presented), nullptr);
  EXPECT_EQ(policy({"a.example.org"}).accepts(presented), nullptr);
}

}  // namespace
}  // namespace cipherway::identity
