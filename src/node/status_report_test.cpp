#include "node/status_report.h"

#include "gateway/certificate_for_tests.h"
#include "node/worker_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cipherway::node {
namespace {

using Json = nlohmann::json;

class StatusReportTest : public testing::Test {
 protected:
  StatusReportTest() {
    auto decoded = config::decode(R"([node]
state = "s"
[identity.shop]
certificate = "shop.pem"
key = "shop.key"
trust = "bundle.pem"
[[channel]]
name = "in"
from = { listen = "127.0.0.1:1", protect = "mutual-tls", identity = "shop", allow = ["any"] }
to = { targets = ["127.0.0.1:2", "127.0.0.1:3"], protect = "none" }
)",
                                  "node.toml", "/d");
    EXPECT_TRUE(decoded.node) << decoded.problems.front().to_string();
    auto prepared = gateway::prepare(*decoded.node, [](const std::string& path) -> Result<std::string> {
      if (path.ends_with("bundle.pem")) return gateway::to_pem({.authority = true});
      return gateway::to_pem({.alternative_names = "DNS:shop.example.org"});
    });
    EXPECT_TRUE(prepared) << prepared.error().all().front().to_string();
    prepared_ = std::make_unique<gateway::Prepared>(std::move(*prepared));
    facts_ = {.config = "node.toml", .phase = "serving", .prepared = prepared_.get()};
    facts_.counters = &counters_;
    facts_.supervisor = {"supervisor", 10, "root", {}};
    facts_.keyholder = ProcessFacts{"keyholder", 11, "nobody", {}};
    facts_.workers[0] = {"gateway-0", 12, "nobody", {}};
    facts_.workers[1] = {"gateway-1", 13, "nobody", {}};
    keyholder_.pid = 11;
    keyholder_.identities.push_back({.name = "shop", .signatures = 5});
    keyholder_.services = {"shop"};
    counters_.take(11, {{{"", "signatures/shop"}, 5}});
  }

  Json report(const std::map<unsigned, std::string>& workers, bool with_keyholder = true) {
    auto holder = with_keyholder ? std::optional(keyholder_) : std::nullopt;
    if (facts_.prepared != nullptr)
      for (const auto& [index, text] : workers)
        counters_.take(12 + static_cast<pid_t>(index), counts_of(parse_worker_report(text), prepared_->config));
    return Json::parse(status_report(facts_, workers, holder));
  }

  std::unique_ptr<gateway::Prepared> prepared_;
  Counters counters_;
  NodeFacts facts_;
  keyholder::Status keyholder_;
};

TEST_F(StatusReportTest, AddsUpWhatWorkersCounted) {
  Json all = report({{0, R"({"channels":[{"name":"in","open":1,"full":2,"bytes_in":7}]})"},
                     {1, R"({"channels":[{"name":"in","open":3,"full":4,"resumed":5},{"name":"gone","open":9}]})"}});
  const Json& channel = all["channels"][0];
  EXPECT_EQ(channel["open"], 4);
  EXPECT_EQ(channel["full"], 6);
  EXPECT_EQ(channel["resumed"], 5);
  EXPECT_EQ(channel["bytes_in"], 7);
  EXPECT_EQ(channel["bytes_out"], 0);
  EXPECT_EQ(channel["to"]["targets"], (Json{"127.0.0.1:2", "127.0.0.1:3"}));
  EXPECT_EQ(all["sessions"]["open"], 4);
  EXPECT_TRUE(all["silent"].empty());
}

TEST_F(StatusReportTest, TakesOneWorkersWordForEachTarget) {
  Json all = report(
      {{0,
        R"({"channels":[{"name":"in","targets":[{"address":"127.0.0.1:2","name":"a:2","health":"up","open":3,"x":1},7]}]})"},
       {1, R"({"channels":[{"name":"in","targets":[{"address":"127.0.0.1:2","name":"a:2","health":"down","open":9},
                                                   {"address":"127.0.0.1:3","name":"a:2","health":5,"open":"many"}]},
                           {"name":"other","targets":[{"address":"127.0.0.1:4"}]}]})"}});
  EXPECT_EQ(all["channels"][0]["targets"],
            Json::parse(R"([{"address":"127.0.0.1:2","name":"a:2","health":"up","open":3},
                            {"address":"127.0.0.1:3","name":"a:2","health":"unchecked"}])"));
}

TEST_F(StatusReportTest, SaysWhoHoldsWhichKeyInTheirOwnWords) {
  Json all = report({{0, R"({"keys":[{"key":"ticket key of shop, epoch 1","lifetime":"until noon"}]})"}, {1, "{}"}});
  EXPECT_EQ(
      all["exposure"],
      Json::parse(
          R"([{"key":"private key of shop","process":"keyholder","pid":11,"lifetime":"until the node stops or reloads"},
                            {"key":"ticket root of shop","process":"keyholder","pid":11,"lifetime":"until the node stops or reloads"},
                            {"key":"ticket key of shop, epoch 1","process":"gateway-0","pid":12,"lifetime":"until noon"}])"));
  EXPECT_EQ(all["identities"][0]["key"]["signatures"], 5);
}

TEST_F(StatusReportTest, NamesWhoIsSilentAndClaimsNothingForThem) {
  Json all = report({{1, "{}"}}, false);
  EXPECT_EQ(all["silent"], (Json{"keyholder", "gateway-0"}));
  EXPECT_TRUE(all["exposure"].empty());
  EXPECT_FALSE(all["identities"][0].contains("key"));
}

TEST_F(StatusReportTest, ABrokenAnswerIsNoAnswer) {
  for (const char* broken : {"", "[1]", "{\"channels\":", "\xff\xfe", "\"text\""}) {
    Json all = report({{0, broken}, {1, "{}"}});
    EXPECT_EQ(all["silent"], (Json{"gateway-0"})) << broken;
  }
  // An object of the wrong shape answers, and adds nothing.
  Json all = report({{0, R"({"channels":{"name":"in"},"keys":[7,null],"sandbox":3})"},
                     {1, R"({"channels":[{"name":"in","open":"many","full":1.5}]})"}});
  EXPECT_EQ(all["channels"][0]["open"], 0);
  EXPECT_EQ(all["channels"][0]["full"], 0);
  EXPECT_TRUE(all["silent"].empty());
  for (const Json& process : all["processes"])
    if (process["process"] == "gateway-0") {
      EXPECT_FALSE(process.contains("sandbox"));
    }
  all = report({{0, R"({"channels":[{"name":"in","open":9223372036854775807}]})"},
                {1, R"({"channels":[{"name":"in","open":18446744073709551615}]})"}});
  EXPECT_TRUE(all["channels"][0]["open"].is_number()) << "a lie is shown, and harms nobody";
}

TEST_F(StatusReportTest, AWorkerCannotSpeakForAnotherProcess) {
  Json all =
      report({{0, R"({"worker":1,"pid":11,"keys":[{"key":"k","lifetime":"l","process":"keyholder","pid":11}]})"}});
  EXPECT_EQ(all["exposure"].back()["process"], "gateway-0");
  EXPECT_EQ(all["exposure"].back()["pid"], 12);
}

TEST_F(StatusReportTest, ANodeThatStartsHasNoChannelsYet) {
  facts_ = {.config = "node.toml", .phase = "starting"};
  Json all = report({}, false);
  EXPECT_EQ(all["node"]["phase"], "starting");
  EXPECT_TRUE(all["channels"].empty());
}

}  // namespace
}  // namespace cipherway::node
