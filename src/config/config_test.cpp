#include "config/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace cipherway::config {
namespace {

constexpr std::string_view kWhole = R"([node]
state = "state"
user = "cipherway"
workers = 2

[identity.storefront]
names = ["spiffe://example.org/storefront", "shop.example.org"]
certificate = "storefront.pem"
key = "/keys/storefront.key"
trust = "bundle.pem"

[[channel]]
name = "orders"
from = { listen = "0.0.0.0:8443", protect = "mutual-tls", identity = "storefront",
         allow = ["spiffe://example.org/frontend", "spiffe://example.org/batch/*"],
         minimum_version = "1.2", alpn = ["h2", "http/1.1"] }
to = { targets = ["127.0.0.1:8080", "unix:run/app.sock"], protect = "none" }
timeouts = { handshake = "500ms", connect = "2s", idle = "5m", stall = "40s", drain = "1h" }
limits = { connections = 7, handshakes = 3 }

[[channel]]
name = "out"
[channel.from]
listen = "[::1]:8081"
protect = "none"
[channel.to]
targets = ["192.0.2.1:443"]
protect = "tls"
trust = "/etc/ssl/roots.pem"
expect = ["shop.example.org"]
server_name = "shop.example.org"
)";

TEST(Config, EverythingItMaySayIsDecoded) {
  Decoded decoded = decode(kWhole, "node.toml", "/etc/cipherway");
  for (const Problem& problem : decoded.problems) ADD_FAILURE() << problem.to_string();
  ASSERT_TRUE(decoded.node);
  const Node& node = *decoded.node;
  EXPECT_EQ(node.state.value, "/etc/cipherway/state");
  EXPECT_EQ(node.user.value, "cipherway");
  EXPECT_EQ(node.workers, 2U);
  EXPECT_EQ(node.directory, "/etc/cipherway");

  ASSERT_EQ(node.identities.size(), 1U);
  const Identity* identity = node.identity("storefront");
  ASSERT_NE(identity, nullptr);
  ASSERT_EQ(identity->names.size(), 2U);
  EXPECT_EQ(identity->names[1].value, "shop.example.org");
  EXPECT_EQ(identity->names[1].at.to_string(), "node.toml:7:45");
  EXPECT_EQ(identity->certificate.value, "/etc/cipherway/storefront.pem");
  EXPECT_EQ(identity->key.value, "/keys/storefront.key");
  EXPECT_EQ(identity->trust->value, "/etc/cipherway/bundle.pem");
  EXPECT_EQ(node.identity("nobody"), nullptr);

  ASSERT_EQ(node.channels.size(), 2U);
  const Channel& orders = node.channels[0];
  EXPECT_EQ(orders.name.value, "orders");
  EXPECT_EQ(orders.from.listen.value.to_string(), "0.0.0.0:8443");
  EXPECT_EQ(orders.from.protect.value, Protect::MutualTls);
  EXPECT_EQ(orders.from.identity->value, "storefront");
  ASSERT_EQ(orders.from.allow.size(), 2U);
  EXPECT_EQ(orders.from.allow[1].value, "spiffe://example.org/batch/*");
  EXPECT_EQ(orders.from.minimum_version, TlsVersion::Tls12);
  ASSERT_EQ(orders.from.alpn.size(), 2U);
  EXPECT_EQ(orders.from.alpn[1].value, "http/1.1");
  EXPECT_EQ(orders.to.protect.value, Protect::None);
  ASSERT_EQ(orders.to.targets.size(), 2U);
  EXPECT_EQ(orders.to.targets[0].value.to_string(), "127.0.0.1:8080");
  EXPECT_EQ(orders.to.targets[1].value.to_string(), "unix:/etc/cipherway/run/app.sock");
  EXPECT_EQ(orders.timeouts.handshake, std::chrono::milliseconds(500));
  EXPECT_EQ(orders.timeouts.connect, std::chrono::seconds(2));
  EXPECT_EQ(orders.timeouts.idle, std::chrono::minutes(5));
  EXPECT_EQ(orders.timeouts.stall, std::chrono::seconds(40));
  EXPECT_EQ(orders.timeouts.drain, std::chrono::hours(1));
  EXPECT_EQ(orders.limits.connections, 7U);
  EXPECT_EQ(orders.limits.handshakes, 3U);

  const Channel& out = node.channels[1];
  EXPECT_EQ(out.from.listen.value.to_string(), "[::1]:8081");
  EXPECT_FALSE(out.from.identity);
  EXPECT_EQ(out.to.protect.value, Protect::Tls);
  EXPECT_EQ(out.to.minimum_version, TlsVersion::Tls13);
  EXPECT_EQ(out.to.trust->value, "/etc/ssl/roots.pem");
  EXPECT_EQ(out.to.expect[0].value, "shop.example.org");
  EXPECT_EQ(out.to.server_name->value, "shop.example.org");
  EXPECT_EQ(out.timeouts.connect, std::chrono::seconds(5));
  EXPECT_EQ(out.timeouts.stall, std::chrono::minutes(5));
  EXPECT_EQ(out.limits.connections, 10'000U);
}

constexpr std::string_view kGateway = R"([node]
state = "state"
status = "unix:status.sock"
worker_memory = "64MiB"
resolver = ["10.0.0.53:53", "[2001:db8::53]:5353"]

[identity.shop]
certificate = "shop.pem"
key = "shop.key"
trust = "bundle.pem"

[[channel]]
name = "shop"
from = { listen = "systemd:https", protect = "mutual-tls", identity = "shop", allow = ["any"],
         server_names = ["Shop.example.org", "*.example.org"], proxy_from = ["10.0.0.0/8", "2001:db8::/32", "unix"] }
to = { targets = ["10.1.0.1:8080", "App.internal:8080", "unix:app.sock",
                  { address = "[2001:db8::1]:80", weight = 1000, connections = 7 }, { address = "other.internal:1" }],
       balance = "least-connections", slow_start = "30s", proxy_protocol = "v2", protect = "none", allow_plaintext = true }
health = { check = "http", path = "/up?full=1", host = "app.internal:8080", interval = "1s", rise = 1, fall = 4 }
eject = { failures = 0 }
limits = { source_connections = 9, source_handshakes_per_second = 5 }

[[channel]]
name = "beside"
from = { listen = "systemd:https", protect = "passthrough", alpn = ["h2"], proxy_from = ["unix", "10.0.0.0/8", "2001:db8::/32"] }
to = { targets = ["10.1.0.3:443"], protect = "passthrough", proxy_protocol = "v1" }
[channel.health]
check = "tcp"
[channel.eject]
for = "1m"
)";

TEST(Config, EverythingThatAGatewayMaySayIsDecoded) {
  Decoded decoded = decode(kGateway, "node.toml", "/etc/cipherway");
  for (const Problem& problem : decoded.problems) ADD_FAILURE() << problem.to_string();
  ASSERT_TRUE(decoded.node);
  EXPECT_EQ(decoded.node->status->value.to_string(), "unix:/etc/cipherway/status.sock");
  EXPECT_EQ(decoded.node->worker_memory, std::size_t{64} << 20);
  ASSERT_EQ(decoded.node->resolver.size(), 2U);
  EXPECT_EQ(decoded.node->resolver[1].value.to_string(), "[2001:db8::53]:5353");

  ASSERT_EQ(decoded.node->channels.size(), 2U);
  const From& from = decoded.node->channels[0].from;
  EXPECT_TRUE(from.listen.value.is_systemd());
  EXPECT_EQ(from.listen.value.systemd, "https");
  EXPECT_EQ(from.listen.value.to_string(), "systemd:https");
  ASSERT_EQ(from.server_names.size(), 2U);
  EXPECT_EQ(from.server_names[0].value, "shop.example.org");
  EXPECT_EQ(from.server_names[1].value, "*.example.org");
  ASSERT_EQ(from.proxy_from.size(), 3U);
  EXPECT_EQ(from.proxy_from[1].value, *Network::parse("2001:db8::/32"));
  EXPECT_EQ(from.proxy_from[2].at.to_string(), "node.toml:15:109");

  const To& to = decoded.node->channels[0].to;
  ASSERT_EQ(to.targets.size(), 5U);
  EXPECT_EQ(to.targets[0].value.address()->to_string(), "10.1.0.1:8080");
  EXPECT_EQ(to.targets[0].value.weight, 1U);
  EXPECT_EQ(to.targets[0].value.connections, 0U);
  EXPECT_EQ(to.targets[1].value.address(), nullptr);
  EXPECT_EQ(to.targets[1].value.name()->host, "app.internal");
  EXPECT_EQ(to.targets[1].value.name()->port, 8080);
  EXPECT_EQ(to.targets[2].value.to_string(), "unix:/etc/cipherway/app.sock");
  EXPECT_EQ(to.targets[3].value.to_string(), "[2001:db8::1]:80");
  EXPECT_EQ(to.targets[3].value.weight, 1000U);
  EXPECT_EQ(to.targets[3].value.connections, 7U);
  EXPECT_EQ(to.targets[4].value.to_string(), "other.internal:1");
  EXPECT_EQ(to.balance, Balance::LeastConnections);
  EXPECT_EQ(to.slow_start, std::chrono::seconds(30));
  EXPECT_EQ(to.proxy_protocol, ProxyVersion::V2);
  const Health& health = *decoded.node->channels[0].health;
  EXPECT_EQ(health.check, Health::Check::Http);
  EXPECT_EQ(health.path, "/up?full=1");
  EXPECT_EQ(health.host, "app.internal:8080");
  EXPECT_EQ(health.interval, std::chrono::seconds(1));
  EXPECT_EQ(health.timeout, std::chrono::seconds(1)) << "the default, but not longer than the interval";
  EXPECT_EQ(health.rise, 1U);
  EXPECT_EQ(health.fall, 4U);
  EXPECT_EQ(decoded.node->channels[0].eject.failures, 0U);
  EXPECT_EQ(decoded.node->channels[0].limits.source_connections, 9U);
  EXPECT_EQ(decoded.node->channels[0].limits.source_handshakes_per_second, 5U);

  const Channel& beside = decoded.node->channels[1];
  EXPECT_EQ(beside.from.protect.value, Protect::Passthrough);
  EXPECT_EQ(beside.to.protect.value, Protect::Passthrough);
  EXPECT_EQ(beside.to.balance, Balance::RoundRobin);
  EXPECT_EQ(beside.to.proxy_protocol, ProxyVersion::V1);
  EXPECT_EQ(beside.health->check, Health::Check::Tcp);
  EXPECT_EQ(beside.health->timeout, std::chrono::seconds(2));
  EXPECT_EQ(beside.eject.failures, 5U);
  EXPECT_EQ(beside.eject.duration, std::chrono::minutes(1));
  EXPECT_EQ(beside.limits.source_connections, 0U);
}

TEST(Config, EveryBalanceHasItsWord) {
  for (Balance balance : {Balance::RoundRobin, Balance::Random, Balance::LeastConnections, Balance::TwoChoices,
                          Balance::Pinned, Balance::InOrder}) {
    Decoded decoded = decode(
        "[node]\nstate = \"s\"\n[[channel]]\nname = \"a\"\nfrom = { listen = \"127.0.0.1:1\", protect "
        "= \"none\" }\nto = { targets = [\"127.0.0.1:2\"], protect = \"none\", balance = \"" +
            std::string(to_string(balance)) + "\" }\n",
        "n", "/d");
    ASSERT_TRUE(decoded.node) << to_string(balance);
    EXPECT_EQ(decoded.node->channels[0].to.balance, balance);
  }
}

TEST(Config, ThreeMistakesAreNamedInOneGoInTheOrderOfTheFile) {
  Decoded decoded = decode(R"([node]
state = 5

[[channel]]
name = "x"
from = { listen = "127.0.0.1:99999", protect = "mutul-tls" }
to = { targets = ["127.0.0.1:80"], protect = "none" }
)",
                           "bad.toml", "/etc");
  EXPECT_FALSE(decoded.node);
  ASSERT_EQ(decoded.problems.size(), 3U);
  EXPECT_EQ(decoded.problems[0].to_string(), "bad.toml:2:9: node: state is a string, not an integer");
  EXPECT_EQ(decoded.problems[1].at.to_string(), "bad.toml:6:19");
  EXPECT_EQ(decoded.problems[2].to_string(),
            "bad.toml:6:48: channel \"x\": from.protect is \"mutul-tls\"; did you mean \"mutual-tls\"?");
}

std::string first_problem(const std::string& text) {
  Decoded decoded = decode(text, "n", "/d");
  return decoded.problems.empty() ? "none" : decoded.problems.front().to_string();
}

TEST(Config, WhatItReadsIsBounded) {
  EXPECT_EQ(first_problem(std::string((1 << 20) + 1, '\n')), "n:1:1: the file is larger than 1 MiB");
  std::string deep = "a = " + std::string(100'000, '[');
  EXPECT_NE(first_problem(deep).find("nested"), std::string::npos) << first_problem(deep).substr(0, 200);
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted += ".a";
  for (const std::string& text :
       {dotted + " = 1", "[" + dotted + "]", "[[" + dotted + "]]", "x = {" + dotted + " = 1}"})
    EXPECT_NE(first_problem(text).find("more than 16 dots"), std::string::npos) << first_problem(text).substr(0, 200);
  // Dots in strings and comments are no dots of names.
  std::string dots(100, '.');
  for (const std::string& text :
       {"# " + dots + "\n", "x = \"" + dots + "\"\n", "x = '" + dots + "'\n", "x = \"\\\"" + dots + "\"\n"})
    EXPECT_EQ(first_problem(text).find("dots"), std::string::npos) << text;
}

TEST(Config, WhatTheParserDoesNotTakeWellNeverReachesIt) {
  EXPECT_EQ(first_problem("a\u0462 = 1\n"), "n:1:2: outside strings and comments a config is ASCII");
  EXPECT_EQ(first_problem("a = 1 \u00e9\n"), "n:1:7: outside strings and comments a config is ASCII");
  EXPECT_EQ(first_problem("a = \"\"\"\n\\\n\u00e9\"\"\"\n"),
            "n:1:5: a string over several lines; nothing in a config needs one");
  EXPECT_EQ(first_problem("a = '''b'''\n"), "n:1:5: a string over several lines; nothing in a config needs one");
  EXPECT_EQ(first_problem("\n# \u00e9\nb\u00e9 = 1\n"), "n:3:2: outside strings and comments a config is ASCII");
  EXPECT_EQ(first_problem("a = 80\"\u0495\"\n"), "n:1:7: a quote in the middle of a word");
  EXPECT_EQ(first_problem("a = \"b\"'c'\n"), "n:1:8: a quote in the middle of a word");
  // A dot joins names, and only names: in a value the parser would look behind the quote for its end.
  EXPECT_EQ(first_problem("a = 1b.\"\u0495\"\n"), "n:1:8: a quote in the middle of a word");
  EXPECT_EQ(first_problem("a = [\n1b.\"\u0495\"]\n"), "n:2:4: a quote in the middle of a word");
  EXPECT_EQ(first_problem("a = { b.\"c\" = 1 }\n"), "n:1:9: a quote in the middle of a word");
  for (const char* text : {"a.\"b\".c = [[1], {}]\nd.'e' = 1\n", "[a.\"b\".'c']\n"})
    EXPECT_EQ(first_problem(text).find("quote"), std::string::npos) << first_problem(text);
  // Inside strings and comments, and after a byte order mark, everything is as ever.
  EXPECT_EQ(first_problem("\u00e9tat = 1\n").find("n:1:1: outside"), 0U);
  EXPECT_EQ(first_problem("\ufeff# \u00e9\n\"\u00e9tat\" = '\u0462'\n"),
            "n:1:1: channel is missing; a node without a [[channel]] would carry nothing");
}

TEST(Config, AProblemIsOneLineOfText) {
  for (const std::string& text :
       {std::string("a = [[[t\0 ]]]\n", 14), std::string("a = \x01\n"), std::string("a\x1b[2J = 1\n"),
        "[[channel]]\nfrom = { listen = \"\\u001b[2J:" + std::string(5000, '9') + "\", protect = \"\\u0007\" }\n"}) {
    Decoded decoded = decode(text, "n", "/d");
    EXPECT_FALSE(decoded.problems.empty());
    for (const Problem& problem : decoded.problems) {
      EXPECT_LT(problem.what.size(), 1100U);
      for (char c : problem.what) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << problem.what;
    }
  }
}

TEST(Config, EveryConfigInTheDocumentsDecodes) {
  int configs = 0;
  for (const char* name : {"README.md", "docs/guide/config.md"}) {
    std::ifstream file(std::string(SOURCE_DIR "/") + name);
    std::string page{std::istreambuf_iterator<char>(file), {}};
    constexpr std::string_view kBegin = "```toml\n";
    for (std::size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, at + 1)) {
      std::string text = page.substr(at + kBegin.size(), page.find("```\n", at + kBegin.size()) - at - kBegin.size());
      ++configs;
      Decoded decoded = decode(text, name, "/d");
      for (const Problem& problem : decoded.problems) ADD_FAILURE() << problem.to_string() << "\n" << text;
    }
  }
  EXPECT_GE(configs, 4);
}

TEST(Config, AtMostAHundredProblemsTheFirstOnesFirst) {
  std::string text = "[node]\nstate = \"s\"\n";
  for (int i = 0; i < 500; ++i) text += "unknown" + std::to_string(i) + " = 1\n";
  Decoded decoded = decode(text, "n", "/d");
  ASSERT_EQ(decoded.problems.size(), 100U);
  unsigned line = 0;
  for (const Problem& problem : decoded.problems) {
    EXPECT_GE(problem.at.line, line);
    line = problem.at.line;
  }
  EXPECT_EQ(decoded.problems.front().at.line, 1U) << "there is no channel";
}

TEST(Config, AWholeFileIsAPlaceToo) {
  EXPECT_EQ((Place{"node.toml", 0, 0}).to_string(), "node.toml");
  EXPECT_EQ((Place{"node.toml", 3, 7}).to_string(), "node.toml:3:7");
  Problem problem{Place{"n", 1, 2}, "what", Place{"n", 3, 4}};
  EXPECT_EQ(problem.to_string(), "n:1:2: what (see n:3:4)");
}

}  // namespace
}  // namespace cipherway::config
