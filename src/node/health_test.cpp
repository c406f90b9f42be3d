#include "node/health.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cipherway::node {
namespace {

class HealthTest : public testing::Test {
 protected:
  Json report_ = Json::parse(R"({
    "node": {"phase": "serving"},
    "processes": [{"process": "supervisor"}, {"process": "keyholder"}, {"process": "gateway-0"}],
    "silent": [],
    "channels": [
      {"name": "shop", "serving": 2, "from": {"identity": "shop"}, "to": {}, "targets": [{"health": "up"}, {"health": "down"}]},
      {"name": "mail", "serving": 2, "from": {}, "to": {}, "targets": [{"health": "unchecked"}]}],
    "identities": [{"name": "shop", "not_after": "2030-01-01T00:00:00.000Z"}]})");
  WallClock::time_point now_ = *parse_rfc3339("2029-12-31T23:59:59.000Z");

  std::string of_node() const { return verdict(health_of(report_, std::nullopt, now_)); }
  std::string of_channel(const char* name) const { return verdict(health_of(report_, name, now_)); }

 private:
  static std::string verdict(const Health& health) {
    const char* word = health.verdict == Health::Verdict::Good  ? "good: "
                       : health.verdict == Health::Verdict::Bad ? "bad: "
                                                                : "none: ";
    return word + health.lines;
  }
};

TEST_F(HealthTest, IsGoodWhenEverybodyDoesHisPart) {
  EXPECT_EQ(of_node(), "good: ok\n");
  EXPECT_EQ(of_channel("shop"), "good: ok\n");
  EXPECT_EQ(of_channel("no"), "none: there is no channel of this name\n");
}

TEST_F(HealthTest, IsBadWhileTheNodeStartsOrStops) {
  report_["node"]["phase"] = "stopping";
  EXPECT_EQ(of_node(), "bad: the node is stopping\n");
  EXPECT_EQ(of_channel("mail"), "bad: the node is stopping\n");
  report_["node"]["phase"] = "reloading";
  EXPECT_EQ(of_node(), "good: ok\n");
}

TEST_F(HealthTest, IsBadWithoutAKeyholderOrAWorker) {
  report_["silent"].push_back("keyholder");
  report_["channels"][1]["serving"] = 0;
  EXPECT_EQ(of_node(), "bad: the keyholder does not answer\nchannel \"mail\": no worker serves it\n");
  EXPECT_EQ(of_channel("shop"), "bad: the keyholder does not answer\n");
  report_["silent"].clear();
  report_["processes"].erase(1);
  EXPECT_EQ(of_channel("shop"), "bad: there is no keyholder\n");
}

TEST_F(HealthTest, ATargetlessChannelIsBadByItselfAndAWarningOfTheNode) {
  report_["channels"][1]["targets"][0]["health"] = "down";
  EXPECT_EQ(of_node(), "good: ok\nwarning: channel \"mail\": all targets are down\n");
  EXPECT_EQ(of_channel("mail"), "bad: channel \"mail\": all targets are down\n");
  EXPECT_EQ(of_channel("shop"), "good: ok\n");
  report_["channels"][1]["targets"] = Json::array();  // workers that know nothing of targets
  EXPECT_EQ(of_channel("mail"), "good: ok\n");
}

TEST_F(HealthTest, SoIsOneWhoseCertificateHasExpired) {
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(of_channel("shop"), "bad: channel \"shop\": the certificate of identity \"shop\" has expired\n");
  EXPECT_EQ(of_channel("mail"), "good: ok\n");
  EXPECT_TRUE(of_node().starts_with("good: ok\nwarning: ")) << of_node();
}

TEST_F(HealthTest, OfAReportThatSaysNothingIsBad) {
  report_ = Json::object();
  EXPECT_TRUE(of_node().starts_with("bad: ")) << of_node();
}

}  // namespace
}  // namespace cipherway::node
