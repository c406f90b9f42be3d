#include "node/status_site.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cipherway::node {
namespace {

class StatusSiteTest : public testing::Test {
 protected:
  Report report_{"{\"a\": 1}", std::make_shared<const Json>(Json::parse(R"({
                   "node": {"phase": "serving", "version": "9\"\\\n"},
                   "processes": [{"process": "keyholder"}],
                   "identities": [{"name": "shop", "names": ["spiffe://example.org/shop", "shop.example.org", "*.apps.example.org"]}]})"))};
  StatusSite site_{*Address::parse("127.0.0.1:9090")};

  HttpResponse get(const std::string& target, const std::string& host = "localhost", bool with_report = true) const {
    auto request = parse_request("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    EXPECT_TRUE(request);
    return site_.answer(*request, with_report ? &report_ : nullptr, WallClock::now());
  }
};

TEST_F(StatusSiteTest, ServesFourThings) {
  EXPECT_EQ(get("/status.json").body, report_.text);
  EXPECT_EQ(get("/status.json").type, "application/json");
  EXPECT_TRUE(get("/metrics").type.starts_with("text/plain; version=0.0.4"));
  EXPECT_EQ(get("/healthz").body, "ok\n");
  EXPECT_TRUE(get("/").body.starts_with("<!doctype html>"));
  for (const char* other : {"/x", "/metrics/", "//", "/../status.json", "/status.json%00"})
    EXPECT_EQ(get(other).status, 404) << other;
}

TEST_F(StatusSiteTest, SaysSoWhenTheSupervisorIsSilent) {
  for (const char* path : {"/status.json", "/metrics", "/healthz"})
    EXPECT_EQ(get(path, "localhost", false).status, 503);
  EXPECT_EQ(get("/", "localhost", false).status, 200);
}

TEST_F(StatusSiteTest, AnswersToItsOwnNamesAlone) {
  for (const char* host : {"localhost", "LocalHost:9090", "localhost.", "127.0.0.1", "127.8.9.10:1", "[::1]",
                           "[::1]:9090", "shop.example.org:8443", "SHOP.example.org", "one.apps.example.org"})
    EXPECT_EQ(get("/status.json", host).status, 200) << host;
  for (const char* host :
       {"attacker.example", "127.0.0.1.attacker.example", "localhost.attacker.example", "example.org",
        "apps.example.org", "a.b.apps.example.org", "192.0.2.1", "[2001:db8::1]", "[::1", "1", "0"})
    EXPECT_EQ(get("/status.json", host).status, 421) << host;
  EXPECT_EQ(get("/", "attacker.example").status, 421);
  EXPECT_EQ(get("/", "shop.example.org", false).status, 421);  // without a report there is no name to believe
  StatusSite unix_site(*Address::parse("unix:/run/status.sock"));
  EXPECT_EQ(unix_site.answer(*parse_request("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), nullptr, {}).status, 200);
}

TEST_F(StatusSiteTest, LetsThePageDoWhatItNeedsAndNothingElse) {
  HttpResponse page = get("/");
  EXPECT_TRUE(page.fields.contains("default-src 'none'"));
  EXPECT_TRUE(page.fields.contains("connect-src 'self'"));
  EXPECT_FALSE(page.fields.contains("unsafe"));
  // The names of all resources that the page loads: none, but what it brings along.
  for (const char* outside : {"http:", "https:", "src=", "@import", "url("})
    for (std::size_t at = page.body.find(outside); at != std::string::npos; at = page.body.find(outside, at + 1))
      EXPECT_TRUE(page.body.substr(at, 40).starts_with("http://www.w3.org/")) << page.body.substr(at, 40);
  // Text only: nothing that a peer chose can become markup.
  for (const char* way : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("})
    EXPECT_FALSE(page.body.contains(way)) << way;
}

TEST_F(StatusSiteTest, SaysMoreThanTheBody) {
  std::string wire = to_wire(get("/status.json"), false);
  for (const char* field :
       {"HTTP/1.1 200 OK\r\n", "\r\nCache-Control: no-store\r\n", "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nContent-Length: 8\r\n", "\r\nContent-Security-Policy: default-src 'none'", "\r\n\r\n{\"a\": 1}"})
    EXPECT_TRUE(wire.contains(field)) << field;
  EXPECT_FALSE(wire.contains("Access-Control"));
  EXPECT_TRUE(to_wire(get("/status.json"), true).ends_with("\r\n\r\n"));
  EXPECT_TRUE(to_wire(refusal(405), false).contains("\r\nAllow: GET, HEAD\r\n"));
}

TEST_F(StatusSiteTest, EscapesLabels) {
  EXPECT_TRUE(get("/metrics").body.contains(R"(cipherway_build_info{version="9\"\\\n"} 1)")) << get("/metrics").body;
}

}  // namespace
}  // namespace cipherway::node
