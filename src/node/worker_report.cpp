#include "node/worker_report.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace cipherway::node {

namespace {

constexpr std::size_t kMostReasons = 64;
constexpr std::size_t kMostReasonBytes = 40;
constexpr std::size_t kMostSessions = 50;
constexpr std::size_t kMostNames = 8;
constexpr std::size_t kMostText = 256;
constexpr std::size_t kMostTargets = 1'024;
constexpr std::string_view kHealth[] = {"up", "down", "ejected", "unchecked", "unresolved"};

/// Numbers that only grow. The others (open, handshaking) are what is now, and are nobody's legacy.
constexpr const char* kCounted[] = {"total",    "full",      "resumed",     "refused",       "relayed",
                                    "bytes_in", "bytes_out", "target_full", "target_resumed"};
constexpr const char* kTimed[] = {"handshake_time", "target_handshake_time", "connect_time"};

void count_histogram(Counters::Counts& out, const std::string& channel, const std::string& what, const Json& said) {
  const Json& counts = list_in(said, "counts");
  if (counts.size() != Histogram::kBuckets) return;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i].is_number_integer()) out[{channel, what + "/" + std::to_string(i)}] = counts[i].get<std::uint64_t>();
  out[{channel, what + "/sum_us"}] = number_in(said, "sum_us");
}

/// A word that can be a label: what is no such word is "other".
std::string reason_word(std::string reason) {
  std::ranges::replace(reason, ' ', '-');
  bool fits = !reason.empty() && reason.size() <= kMostReasonBytes && std::ranges::all_of(reason, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  return fits ? reason : "other";
}

void count_refusals(Counters::Counts& out, const std::string& channel, const Json& said) {
  std::size_t known = 0;
  for (const auto& [reason, count] : said.items()) {
    if (!count.is_number_integer()) continue;
    std::string word = ++known <= kMostReasons ? reason_word(reason) : "other";
    out[{channel, "refused/" + word}] += count.get<std::uint64_t>();
  }
}

Json texts(const Json& said) {
  Json out = Json::array();
  for (const Json& each : said)
    if (each.is_string() && out.size() < kMostNames) out.push_back(each.get<std::string>().substr(0, kMostText));
  return out;
}

}  // namespace

std::string of_listener(const std::string& listen) {
  return "@" + listen;
}

Json parse_worker_report(const std::string& text) {
  Json report = Json::parse(text, nullptr, false);
  return report.is_object() ? report : Json();
}

Counters::Counts counts_of(const Json& report, const config::Node& node) {
  Counters::Counts out;
  for (const Json& said : list_in(report, "channels")) {
    std::string channel = text_in(said, "name");
    bool known = std::ranges::any_of(node.channels, [&](const auto& each) { return each.name.value == channel; });
    if (!known) continue;
    for (const char* what : kCounted) out[{channel, what}] = number_in(said, what);
    for (const char* what : kTimed) count_histogram(out, channel, what, object_in(said, what));
    count_refusals(out, channel, object_in(said, "refusals"));
  }
  // An address that one channel has alone has no refusals of its own.
  for (const Json& said : list_in(report, "entrances")) {
    std::string listen = text_in(said, "listen");
    bool known = std::ranges::any_of(node.channels,
                                     [&](const auto& each) { return each.from.listen.value.to_string() == listen; });
    if (known) count_refusals(out, of_listener(listen), object_in(said, "refusals"));
  }
  count_histogram(out, "", "sign_time", object_in(report, "sign_time"));
  return out;
}

Json histogram_of(const Counters& counters, const std::string& channel, const std::string& what) {
  Json bounds = Json::array(), counts = Json::array();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    if (i < Histogram::kBoundsUs.size()) bounds.push_back(static_cast<double>(Histogram::kBoundsUs[i]) / 1e6);
    counts.push_back(counters.sum(channel, what + "/" + std::to_string(i)));
    total += counts.back().get<std::uint64_t>();
  }
  if (total == 0) return {};
  return {{"bounds", std::move(bounds)},
          {"counts", std::move(counts)},
          {"sum", static_cast<double>(counters.sum(channel, what + "/sum_us")) / 1e6}};
}

Json live_sessions_of(const Json& report) {
  Json out = Json::array();
  for (const Json& said : list_in(report, "live")) {
    if (out.size() == kMostSessions) break;
    if (!said.is_object()) continue;
    Json row = Json::object();
    for (const char* name : {"channel", "from", "to"}) row[name] = text_in(said, name).substr(0, kMostText);
    for (const char* name : {"client", "server"}) row[name] = texts(list_in(said, name));
    for (const char* name : {"protocol", "group", "cipher", "sni", "alpn"})
      if (std::string text = text_in(said, name); !text.empty()) row[name] = text.substr(0, kMostText);
    row["resumed"] = flag_in(said, "resumed");
    for (const char* name : {"seconds", "bytes_in", "bytes_out"}) row[name] = number_in(said, name);
    out.push_back(std::move(row));
  }
  return out;
}

void add_targets(Json& targets, const Json& said_channel) {
  for (const Json& said : list_in(said_channel, "targets")) {
    if (targets.size() == kMostTargets) return;
    std::string address = text_in(said, "address").substr(0, kMostText);
    std::string name = text_in(said, "name").substr(0, kMostText);
    if (address.empty() && name.empty()) continue;
    Json* same = nullptr;
    for (Json& each : targets)
      if (each["address"] == address && (!address.empty() || each["name"] == name)) same = &each;
    if (same == nullptr) {
      std::string health = text_in(said, "health");
      if (std::ranges::find(kHealth, health) == std::end(kHealth)) health = "unchecked";
      Json row = {{"address", address}, {"name", name}, {"health", health}};
      for (const char* number : {"open", "failures", "ejections", "weight", "share_percent", "connections", "check_us"})
        if (auto found = said.find(number); found != said.end() && found->is_number_unsigned()) row[number] = *found;
      targets.push_back(std::move(row));
      continue;
    }
    // All of them read the same board, one after the other.
    for (const char* number : {"failures", "ejections"})
      if (std::uint64_t more = number_in(said, number); more > number_in(*same, number)) (*same)[number] = more;
  }
}

}  // namespace cipherway::node
