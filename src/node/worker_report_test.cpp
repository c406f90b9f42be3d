#include "node/worker_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cipherway::node {
namespace {

config::Node one_channel() {
  config::Node node;
  node.channels.emplace_back().name.value = "in";
  return node;
}

Counters::Counts counted(const std::string& report) {
  return counts_of(parse_worker_report(report), one_channel());
}

TEST(WorkerReport, CountsWhatTheConfigHas) {
  auto counts = counted(R"({"channels":[{"name":"in","total":3,"open":9,"refusals":{"expired":2,"drain timeout":1}},
                                        {"name":"gone","total":7}]})");
  EXPECT_EQ((counts[{"in", "total"}]), 3);
  EXPECT_EQ((counts[{"in", "refused/expired"}]), 2);
  EXPECT_EQ((counts[{"in", "refused/drain-timeout"}]), 1);
  EXPECT_FALSE(counts.contains({"in", "open"})) << "what is now is nobody's legacy";
  EXPECT_FALSE(counts.contains({"gone", "total"}));
}

TEST(WorkerReport, AWorkerCannotMakeLabels) {
  std::string refusals;
  for (int i = 0; i < 1000; ++i) refusals += (i > 0 ? ",\"r" : "\"r") + std::to_string(i) + "\":1";
  auto counts = counted(R"({"channels":[{"name":"in","refusals":{)" + refusals + "}}]}");
  EXPECT_LE(counts.size(), 64 + 1 + 9);
  EXPECT_EQ((counts[{"in", "refused/other"}]), 1000 - 64);
  counts = counted(
      R"({"channels":[{"name":"in","refusals":{"<b>":1,"":1,"UPPER":1,"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1}}]})");
  EXPECT_EQ((counts[{"in", "refused/other"}]), 4);
}

TEST(WorkerReport, AddsHistogramsUp) {
  Counters counters;
  std::string times = R"("handshake_time":{"counts":[1,0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,4],"sum_us":2500000})";
  counters.take(1, counted(R"({"channels":[{"name":"in",)" + times + "}]}"));
  counters.take(2, counted(R"({"channels":[{"name":"in",)" + times + "}]}"));
  Json histogram = histogram_of(counters, "in", "handshake_time");
  EXPECT_EQ(histogram["bounds"].size() + 1, histogram["counts"].size());
  EXPECT_EQ(histogram["counts"][2], 4);
  EXPECT_EQ(histogram["counts"].back(), 8);
  EXPECT_EQ(histogram["sum"], 5.0);
  EXPECT_TRUE(histogram_of(counters, "in", "connect_time").is_null());
  counters.take(3, counted(R"({"channels":[{"name":"in","handshake_time":{"counts":[1],"sum_us":1}}]})"));
  EXPECT_EQ(histogram_of(counters, "in", "handshake_time"), histogram) << "not of this shape";
}

TEST(WorkerReport, KnowsEachTargetOnce) {
  Json targets = Json::array();
  add_targets(targets, Json::parse(R"({"targets":[{"address":"a","name":"a","health":"up","failures":1},
                                                  {"address":"","name":"b","health":"unresolved"}]})"));
  add_targets(targets, Json::parse(R"({"targets":[{"address":"a","name":"a","health":"down","failures":2},
                                                  {"address":"","name":"c","health":"great"},{"health":"up"},7]})"));
  ASSERT_EQ(targets.size(), 3);
  EXPECT_EQ(targets[0]["health"], "up");
  EXPECT_EQ(targets[0]["failures"], 2);
  EXPECT_EQ(targets[2]["health"], "unchecked");
}

TEST(WorkerReport, GivesSessionsTheirShape) {
  Json sessions = live_sessions_of(Json::parse(
      R"({"live":[7,{"channel":"in","client":["a",3,"b"],"server":"x","resumed":1,"seconds":"old","sni":"s","more":1}]})"));
  ASSERT_EQ(sessions.size(), 1);
  EXPECT_EQ(sessions[0]["client"], (Json{"a", "b"}));
  EXPECT_EQ(sessions[0]["server"], Json::array());
  EXPECT_EQ(sessions[0]["resumed"], false);
  EXPECT_EQ(sessions[0]["seconds"], 0);
  EXPECT_EQ(sessions[0]["sni"], "s");
  EXPECT_FALSE(sessions[0].contains("more"));
}

}  // namespace
}  // namespace cipherway::node
