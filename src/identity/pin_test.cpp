#include "identity/pin.h"

#include "identity/name.h"

#include <gtest/gtest.h>

namespace cipherway::identity {
namespace {

/// RFC 7469, section 2.1.1, and section 2.4's own example.
constexpr const char* kPin = "spki-sha256:d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=";
constexpr const char* kOther = "spki-sha256:E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g=";

TEST(KeyPin, ParsesWhatItPrints) {
  for (const char* text : {kPin, kOther}) {
    auto pin = KeyPin::parse(text);
    ASSERT_TRUE(pin) << text << pin.error().what;
    EXPECT_EQ(pin->to_string(), text);
  }
  EXPECT_FALSE(*KeyPin::parse(kPin) == *KeyPin::parse(kOther));
}

TEST(KeyPin, IsTheHashOfTheKeyInfo) {
  // printf abc | openssl dgst -sha256 -binary | base64 (FIPS 180-4, appendix B.1)
  EXPECT_EQ(KeyPin::of(as_bytes("abc")).to_string(), "spki-sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

TEST(KeyPin, HasOneText) {
  std::string pin = kPin;
  std::string hash = pin.substr(12);
  for (const std::string& text :
       {std::string(), std::string("spki-sha256:"), hash, "sha256//" + hash, "SPKI-SHA256:" + hash, pin + "=",
        pin + " ", " " + pin, pin.substr(0, pin.size() - 1), "spki-sha256: " + hash.substr(1),
        "spki-sha256:" + hash.substr(0, 42) + "N=",  // the same bytes, but for bits that stand for nothing
        "spki-sha256:" + hash.substr(0, 42) + "==", "spki-sha256:-_" + hash.substr(2),
        "spki-sha256:" + std::string(64, 'a')})
    EXPECT_FALSE(KeyPin::parse(text)) << text;
  EXPECT_NE(KeyPin::parse("spki-sha256:" + std::string(64, 'a')).error().what.find("hexadecimal"), std::string::npos);
}

TEST(KeyPin, AsAPatternMatchesNoName) {
  auto pattern = NamePattern::parse(kPin);
  ASSERT_TRUE(pattern) << pattern.error().what;
  EXPECT_EQ(pattern->text(), kPin);
  EXPECT_TRUE(pattern->matches(*KeyPin::parse(kPin)));
  EXPECT_FALSE(pattern->matches(*KeyPin::parse(kOther)));
  for (const char* name : {"spiffe://example.org/a", "a.example.org", "10.0.0.1"}) {
    EXPECT_FALSE(pattern->matches(*Name::parse(name))) << name;
    EXPECT_FALSE(NamePattern::parse(name)->matches(*KeyPin::parse(kPin))) << name;
  }
  EXPECT_FALSE(NamePattern::parse("any")->matches(*KeyPin::parse(kPin))) << "any is any name, not no name";
}

TEST(KeyPin, AMistypedPinIsNotTakenForAName) {
  for (const char* text :
       {"spki-sha256:", "SPKI-SHA256:d6qz", "spki-sha256:d6qz", "sha256//d6qz", "sha256/d6qz", "pin-sha256=d6qz"}) {
    auto pattern = NamePattern::parse(text);
    ASSERT_FALSE(pattern) << text;
    EXPECT_NE(pattern.error().what.find("spki-sha256:"), std::string::npos) << pattern.error().what;
  }
  auto name = Name::parse(kPin);
  ASSERT_FALSE(name);
  EXPECT_NE(name.error().what.find("names a key"), std::string::npos) << name.error().what;
}

TEST(KeyPin, ThePolicyAcceptsTheKeysThatItNames) {
  AccessPolicy policy({*NamePattern::parse("spiffe://example.org/a"), *NamePattern::parse(kPin)});
  EXPECT_TRUE(policy.has_pins());
  EXPECT_TRUE(policy.accepts_key(*KeyPin::parse(kPin)));
  EXPECT_FALSE(policy.accepts_key(*KeyPin::parse(kOther)));
  EXPECT_NE(policy.accepts({*Name::parse("spiffe://example.org/a")}), nullptr);
  EXPECT_EQ(policy.accepts({*Name::parse("spiffe://example.org/b")}), nullptr);
  AccessPolicy any({*NamePattern::parse("any")});
  EXPECT_FALSE(any.has_pins());
  EXPECT_FALSE(any.accepts_key(*KeyPin::parse(kPin)));
  EXPECT_FALSE(AccessPolicy({}).accepts_key(*KeyPin::parse(kPin)));
}

}  // namespace
}  // namespace cipherway::identity
