#include "gateway/prepared.h"

#include "gateway/certificate_for_tests.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

constexpr std::string_view kConfig = R"([node]
state = "state"

[identity.shop]
names = ["spiffe://example.org/shop", "shop.example.org"]
certificate = "shop.pem"
key = "shop.key"
trust = "bundle.pem"

[[channel]]
name = "in"
from = { listen = "127.0.0.1:1", protect = "mutual-tls", identity = "shop", allow = ["spiffe://example.org/client/*"] }
to = { targets = ["127.0.0.1:2"], protect = "none" }

[[channel]]
name = "out"
from = { listen = "127.0.0.1:3", protect = "none" }
to = { targets = ["192.0.2.1:4"], protect = "mutual-tls", identity = "shop", expect = ["*.example.org", "spiffe://example.org/x", "far.example.org"] }

[[channel]]
name = "web"
from = { listen = "127.0.0.1:5", protect = "none" }
to = { targets = ["192.0.2.1:6"], protect = "tls", trust = "roots.pem", expect = ["spiffe://example.org/x"] }
)";

const std::string& leaf() {
  static const std::string pem = to_pem({.alternative_names = "URI:spiffe://example.org/shop,DNS:shop.example.org"});
  return pem;
}
const std::string& authority() {
  static const std::string pem = to_pem({.authority = true});
  return pem;
}

config::Snapshot snapshot() {
  return {
      .text = std::string(kConfig),
      .file = "node.toml",
      .directory = "/d",
      .files = {{"/d/shop.pem", leaf()}, {"/d/bundle.pem", authority()}, {"/d/roots.pem", authority() + authority()}}};
}

std::vector<std::string> texts(const std::vector<config::Problem>& problems) {
  std::vector<std::string> out;
  for (const config::Problem& problem : problems) out.push_back(problem.to_string());
  return out;
}

using Texts = std::vector<std::string>;

TEST(Prepared, WhatAConfigNamesIsRead) {
  auto prepared = prepare(snapshot());
  ASSERT_TRUE(prepared) << texts(prepared.error().all()).front();
  const PreparedIdentity& shop = prepared->identities.at("shop");
  EXPECT_EQ(shop.chain.certificates.size(), 1U);
  EXPECT_EQ(shop.trust->certificates().size(), 1U);

  ASSERT_EQ(prepared->channels.size(), 3U);
  const PreparedChannel& in = prepared->channels[0];
  EXPECT_NE(in.allow.accepts({*identity::Name::parse("spiffe://example.org/client/a")}), nullptr);
  EXPECT_EQ(in.allow.accepts({*identity::Name::parse("spiffe://example.org/other")}), nullptr);
  EXPECT_EQ(in.expect.accepts({*identity::Name::parse("spiffe://example.org/client/a")}), nullptr);
  EXPECT_FALSE(in.to_trust);
  EXPECT_EQ(in.server_name, "");

  const PreparedChannel& out = prepared->channels[1];
  EXPECT_EQ(out.to_trust->certificates().size(), 1U) << "of its identity";
  EXPECT_EQ(out.server_name, "far.example.org") << "the first exact DNS name that it expects";

  const PreparedChannel& web = prepared->channels[2];
  EXPECT_EQ(web.to_trust->certificates().size(), 2U) << "of its own";
  EXPECT_EQ(web.server_name, "") << "a SPIFFE ID is no host name";
}

TEST(Prepared, MissingFilesAreKeptApart) {
  config::Snapshot without = snapshot();
  without.files.erase("/d/shop.pem");
  without.files.erase("/d/roots.pem");
  auto prepared = prepare(without);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(texts(prepared.error().problems), Texts{});
  EXPECT_EQ(texts(prepared.error().missing),
            (Texts{"node.toml:6:15: identity \"shop\": certificate: there is no file /d/shop.pem",
                   "node.toml:23:60: channel \"web\": to.trust: there is no file /d/roots.pem"}));
}

TEST(Prepared, FilesThatAreNoCertificatesAreNamed) {
  config::Snapshot broken = snapshot();
  broken.files["/d/shop.pem"] = "hello";
  broken.files["/d/bundle.pem"] = leaf();
  auto prepared = prepare(broken);
  ASSERT_FALSE(prepared);
  ASSERT_EQ(prepared.error().problems.size(), 2U);
  EXPECT_EQ(prepared.error().problems[0].to_string(),
            "node.toml:6:15: identity \"shop\": certificate /d/shop.pem: there is no certificate in the file");
  EXPECT_TRUE(prepared.error().problems[1].to_string().starts_with(
      "node.toml:8:9: identity \"shop\": trust /d/bundle.pem: certificate 1 (\"CN=test\") is not an authority's"));
}

TEST(Prepared, APrivateKeyInACertificateFileIsRefused) {
  config::Snapshot leaking = snapshot();
  leaking.files["/d/shop.pem"] += "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  auto prepared = prepare(leaking);
  ASSERT_FALSE(prepared);
  EXPECT_NE(prepared.error().problems[0].what.find("there is a private key in the file"), std::string::npos);
}

TEST(Prepared, TheCertificateMustHaveTheNamesThatTheConfigLists) {
  config::Snapshot other = snapshot();
  other.files["/d/shop.pem"] = to_pem({.alternative_names = "DNS:shop.example.org,DNS:www.example.org"});
  auto prepared = prepare(other);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(
      texts(prepared.error().problems),
      Texts{"node.toml:5:10: identity \"shop\": the certificate is not for \"spiffe://example.org/shop\"; it is for "
            "shop.example.org, www.example.org"});
  other.files["/d/shop.pem"] = to_pem({});
  EXPECT_EQ(prepare(other).error().problems.size(), 2U);
}

TEST(Prepared, PatternsThatAreNoneAreNamedAtTheirPlace) {
  config::Snapshot wrong = snapshot();
  std::size_t at = wrong.text.find("\"spiffe://example.org/client/*\"");
  wrong.text.insert(at, "\"spiffe://Example.org//x\", ");
  auto prepared = prepare(wrong);
  ASSERT_FALSE(prepared);
  ASSERT_EQ(prepared.error().problems.size(), 1U);
  EXPECT_TRUE(prepared.error().problems[0].to_string().starts_with("node.toml:12:86: channel \"in\": allow: "))
      << prepared.error().problems[0].to_string();
}

TEST(Prepared, ValidityIsAskedOnlyWithAClock) {
  config::Snapshot old = snapshot();
  old.files["/d/shop.pem"] = to_pem({.alternative_names = "URI:spiffe://example.org/shop,DNS:shop.example.org",
                                     .not_before = "20260101000000Z",
                                     .not_after = "20260102000000Z"});
  EXPECT_TRUE(prepare(old));
  auto node = config::decode(old.text, "node.toml", "/d").node;
  auto read = [&](const std::string& path) -> Result<std::string> { return old.files.at(path); };
  auto at = [&](const char* when) {
    std::tm civil{};
    ::strptime(when, "%Y-%m-%dT%H:%M:%S", &civil);
    return prepare(*node, read, WallClock::from_time_t(::timegm(&civil)));
  };
  EXPECT_TRUE(at("2026-01-01T12:00:00"));
  EXPECT_EQ(
      texts(at("2026-01-02T00:00:00").error().problems),
      Texts{
          "node.toml:6:15: identity \"shop\": certificate /d/shop.pem expired at 2026-01-02T00:00:00.000Z; renew it"});
  EXPECT_EQ(texts(at("2025-12-31T23:59:59").error().problems),
            Texts{"node.toml:6:15: identity \"shop\": certificate /d/shop.pem is not valid before "
                  "2026-01-01T00:00:00.000Z; is the clock of this machine right?"});
}

TEST(Prepared, AConfigThatDoesNotDecodeIsNotPrepared) {
  config::Snapshot broken = snapshot();
  broken.text += "x = 1\n";
  auto prepared = prepare(broken);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().problems.size(), 1U);
}

}  // namespace
}  // namespace cipherway::gateway
