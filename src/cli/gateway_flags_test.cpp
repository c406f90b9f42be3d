#include "cli/gateway_flags.h"

#include <gtest/gtest.h>

namespace cipherway::cli {
namespace {

GatewayFlags server() {
  return {.listen = "0.0.0.0:8443",
          .targets = {"127.0.0.1:8080"},
          .certificate = "server.pem",
          .key = "server.key",
          .trust = "bundle.pem",
          .allow_uri = {"spiffe://example.org/frontend"}};
}

GatewayFlags client() {
  return {.client = true,
          .listen = "localhost:5432",
          .targets = {"192.0.2.1:8443"},
          .certificate = "client.pem",
          .key = "/etc/keys/client.key",
          .trust = "bundle.pem",
          .allow_uri = {"spiffe://example.org/server"}};
}

config::Node decoded(const GatewayFlags& flags) {
  auto config = FlagConfig::from(flags, "/srv/here", "/run/state");
  if (!config) {
    ADD_FAILURE() << config.error().front().to_string();
    return {};
  }
  auto result = config::decode(config->text(), FlagConfig::kFile, "/srv/here");
  for (const auto& problem : result.problems) ADD_FAILURE() << problem.to_string() << "\n" << config->text();
  return result.node.value_or(config::Node{});
}

/// Every problem of the flags, whoever finds it, as it is printed.
std::vector<std::string> problems(const GatewayFlags& flags) {
  std::vector<config::Problem> found;
  if (auto config = FlagConfig::from(flags, "/srv/here", "/run/state"))
    found = config->at_flags(config::decode(config->text(), FlagConfig::kFile, "/srv/here").problems);
  else
    found = config.error();
  std::vector<std::string> out;
  for (const auto& problem : found) out.push_back(problem.to_string());
  return out;
}

std::string only_problem(const GatewayFlags& flags) {
  auto found = problems(flags);
  EXPECT_EQ(found.size(), 1u);
  return found.empty() ? "" : found.front();
}

TEST(GatewayFlags, ServerModeIsMutualTlsInAndPlaintextOut) {
  GatewayFlags flags = server();
  flags.allow_dns = {"batch.example.org"};
  flags.targets = {"127.0.0.1:8080", "unix:app.sock"};
  flags.shutdown_timeout = "5m";
  config::Node node = decoded(flags);
  ASSERT_EQ(node.channels.size(), 1u);
  const config::Channel& channel = node.channels[0];
  EXPECT_EQ(node.state.value, "/run/state");
  EXPECT_EQ(channel.from.protect.value, config::Protect::MutualTls);
  EXPECT_EQ(channel.to.protect.value, config::Protect::None);
  ASSERT_EQ(channel.from.allow.size(), 2u);
  EXPECT_EQ(channel.from.allow[1].value, "batch.example.org");
  EXPECT_EQ(channel.to.targets.size(), 2u);
  EXPECT_EQ(channel.timeouts.drain, std::chrono::minutes(5));
  EXPECT_EQ(node.identities.at(0).certificate.value, "/srv/here/server.pem");
}

TEST(GatewayFlags, ClientModeIsPlaintextInAndMutualTlsOut) {
  config::Node node = decoded(client());
  ASSERT_EQ(node.channels.size(), 1u);
  const config::Channel& channel = node.channels[0];
  EXPECT_EQ(channel.from.protect.value, config::Protect::None);
  EXPECT_EQ(channel.from.listen.value.to_string(), "127.0.0.1:5432");
  EXPECT_EQ(channel.to.protect.value, config::Protect::MutualTls);
  EXPECT_EQ(channel.to.expect.at(0).value, "spiffe://example.org/server");
  EXPECT_EQ(node.identities.at(0).key.value, "/etc/keys/client.key");
}

TEST(GatewayFlags, WithoutClientCertificatesItIsTls) {
  GatewayFlags flags = server();
  flags.allow_uri.clear();
  flags.trust.clear();
  flags.no_client_auth = true;
  EXPECT_EQ(decoded(flags).channels.at(0).from.protect.value, config::Protect::Tls);

  flags = client();
  flags.certificate.clear();
  flags.key.clear();
  flags.no_client_auth = true;
  config::Node node = decoded(flags);
  EXPECT_EQ(node.channels.at(0).to.protect.value, config::Protect::Tls);
  EXPECT_TRUE(node.identities.empty());
}

TEST(GatewayFlags, WhatTheConfigHasWordsForIsPassedOn) {
  GatewayFlags flags = server();
  flags.listen = "systemd:https";
  flags.targets = {"127.0.0.1:8080", "127.0.0.1:8081"};
  flags.balance = "two-choices";
  flags.proxy_protocol = "v2";
  flags.status = "127.0.0.1:9090";
  flags.workers = 3;
  config::Node node = decoded(flags);
  const config::Channel& channel = node.channels.at(0);
  EXPECT_EQ(channel.from.listen.value.systemd, "https");
  EXPECT_EQ(channel.to.targets.size(), 2u);
  EXPECT_EQ(channel.to.balance, config::Balance::TwoChoices);
  EXPECT_EQ(channel.to.proxy_protocol, config::ProxyVersion::V2);
  EXPECT_EQ(node.status->value.to_string(), "127.0.0.1:9090");
  EXPECT_EQ(node.workers, 3u);

  flags.balance = "fastest";
  flags.status = "192.0.2.1:9090";
  flags.proxy_protocol = "v3";
  auto found = problems(flags);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_TRUE(found[0].starts_with("--status: ")) << found[0];
  EXPECT_TRUE(found[1].starts_with("--balance: it is \"fastest\"")) << found[1];
  EXPECT_TRUE(found[2].starts_with("--proxy-protocol: it is \"v3\"")) << found[2];
}

TEST(GatewayFlags, TheNameOfATargetIsTheNameThatIsExpected) {
  GatewayFlags flags = client();
  flags.allow_uri.clear();
  flags.targets = {"db.example.org:8443", "db.example.org:8444", "standby.example.org:8443"};
  const auto expect = decoded(flags).channels.at(0).to.expect;
  ASSERT_EQ(expect.size(), 2u);
  EXPECT_EQ(expect[0].value, "db.example.org");
  EXPECT_EQ(expect[1].value, "standby.example.org");
  flags = server();
  flags.targets = {"app.internal:8080"};
  EXPECT_TRUE(only_problem(flags).starts_with("--target: what goes to \"app.internal:8080\" is in clear"));
}

TEST(GatewayFlags, AllowAnyIsTheWordOfTheConfig) {
  GatewayFlags flags = server();
  flags.allow_uri.clear();
  flags.allow_any = true;
  EXPECT_EQ(decoded(flags).channels.at(0).from.allow.at(0).value, "any");
}

TEST(GatewayFlags, AClientThatNamesNobodyExpectsTheNameThatItAsksFor) {
  GatewayFlags flags = client();
  flags.allow_uri.clear();
  EXPECT_EQ(only_problem(flags),
            "--allow-uri: no server would be accepted; name it with --allow-uri, --allow-dns or --server-name");
  flags.server_name = "db.example.org";
  EXPECT_EQ(decoded(flags).channels.at(0).to.expect.at(0).value, "db.example.org");
}

TEST(GatewayFlags, NobodyIsLetInUnlessAFlagSaysSo) {
  GatewayFlags flags = server();
  flags.allow_uri.clear();
  EXPECT_EQ(only_problem(flags),
            "--allow-uri: no client would be let in; name them with --allow-uri or --allow-dns, or say --allow-any");
}

TEST(GatewayFlags, PlaintextStaysOnTheMachineUnlessAFlagSaysSo) {
  GatewayFlags flags = server();
  flags.targets.emplace_back("192.0.2.7:80");
  EXPECT_TRUE(only_problem(flags).starts_with("--target: what goes to \"192.0.2.7:80\" is in clear"));
  flags.unsafe_target = true;
  EXPECT_TRUE(decoded(flags).channels.at(0).to.allow_plaintext);

  flags = client();
  flags.listen = "0.0.0.0:5432";
  EXPECT_TRUE(only_problem(flags).starts_with("--listen: what comes in at \"0.0.0.0:5432\" is in clear"));
  flags.unsafe_listen = true;
  EXPECT_TRUE(decoded(flags).channels.at(0).from.allow_plaintext);
}

TEST(GatewayFlags, ProblemsNameTheFlagAndNotALine) {
  GatewayFlags flags = server();
  flags.listen = "nowhere";
  flags.idle_timeout = "soon";
  flags.targets = {"127.0.0.1:8080", "127.0.0.1:0"};
  auto found = problems(flags);
  ASSERT_EQ(found.size(), 3u) << found.front();
  EXPECT_TRUE(found[0].starts_with("--listen: ")) << found[0];
  EXPECT_EQ(found[0].find("from.listen"), std::string::npos) << found[0];
  EXPECT_TRUE(found[1].starts_with("--target: ")) << found[1];
  EXPECT_TRUE(found[2].starts_with("--idle-timeout: it is \"soon\"")) << found[2];
}

TEST(GatewayFlags, AFlagIsTextAndNeverConfig) {
  GatewayFlags flags = server();
  flags.allow_uri = {R"(spiffe://example.org/a"], x = ["\)"};
  EXPECT_EQ(decoded(flags).channels.at(0).from.allow.at(0).value, flags.allow_uri[0]);
  flags.allow_uri = {"spiffe://example.org/a\"]\nprotect = \"none\"\nx = [\""};
  EXPECT_TRUE(only_problem(flags).starts_with("--allow-uri: ")) << only_problem(flags);
  flags.allow_uri = {"spiffe://example.org/\xff"};
  EXPECT_TRUE(only_problem(flags).starts_with("--allow-uri: ")) << only_problem(flags);
}

TEST(GatewayFlags, FlagsWithoutEffectAreSaidToBe) {
  GatewayFlags flags = client();
  flags.allow_any = true;
  EXPECT_TRUE(only_problem(flags).starts_with("--allow-any: "));
  flags = server();
  flags.server_name = "x.example.org";
  EXPECT_TRUE(only_problem(flags).starts_with("--server-name: "));
  flags = server();
  flags.no_client_auth = true;
  EXPECT_TRUE(only_problem(flags).starts_with("--no-client-auth: "));
}

TEST(GatewayFlags, WordsOfGhostunnelThatAreNotOursSayWhatToDo) {
  EXPECT_NE(instead_of_foreign_flag("--allow-cn").find("--allow-dns"), std::string::npos);
  EXPECT_NE(instead_of_foreign_flag("--keystore").find("--cert and --key"), std::string::npos);
  EXPECT_EQ(instead_of_foreign_flag("--allow-uri"), "");
  EXPECT_EQ(instead_of_foreign_flag("allow-cn"), "");
}

}  // namespace
}  // namespace cipherway::cli
