// What a captured worker may report: never crashes, and what is taken from it has its shape and its bounds.
// Input: a report.
#include "node/worker_report.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

using cipherway::broken;
using namespace cipherway::node;

namespace {

void must(bool condition, const char* what) {
  if (!condition) broken(what);
}

cipherway::config::Node one_channel() {
  cipherway::config::Node node;
  node.channels.emplace_back().name.value = "in";
  return node;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const cipherway::config::Node node = one_channel();
  Json report = parse_worker_report(std::string(reinterpret_cast<const char*>(data), size));
  must(report.is_null() || report.is_object(), "a report is an object");

  Counters counters;
  counters.take(1, counts_of(report, node));
  std::uint64_t total = counters.sum("in", "total");
  counters.ended(1);
  must(counters.sum("in", "total") == total, "what was counted stays");
  auto names = counters.of_channel("in");
  must(names.size() < 200, "the number of counters is bounded");
  for (const auto& [name, value] : names)
    for (char c : name)
      must((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/',
           "a counter has a name");
  static_cast<void>(histogram_of(counters, "in", "handshake_time"));

  Json sessions = live_sessions_of(report);
  must(sessions.size() <= 50, "the number of sessions is bounded");
  for (const Json& session : sessions) {
    must(session["seconds"].is_number() && session["client"].is_array(), "a session has its fields");
    must(session["channel"].get<std::string>().size() <= 256, "a text is bounded");
  }
  Json targets = Json::array();
  for (const Json& channel : list_in(report, "channels")) add_targets(targets, channel);
  must(targets.size() <= 1024, "the number of targets is bounded");
  return 0;
}
