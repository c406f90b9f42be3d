#include "gateway/report.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace cipherway::gateway {

using nlohmann::json;

namespace {

/// A certificate may have any number of names; a report shows so many, and so much of each.
constexpr std::size_t kMostNames = 8;
constexpr std::size_t kMostNameBytes = 256;

json names_of(const std::vector<identity::Name>& names) {
  json out = json::array();
  for (const auto& name : names) {
    if (out.size() == kMostNames) break;
    out.push_back(name.text.substr(0, kMostNameBytes));
  }
  return out;
}

json report_of(const Connection::Facts& facts, Clock::time_point now) {
  const tls::Negotiated& shown = facts.client ? *facts.client : facts.target ? *facts.target : tls::Negotiated();
  json row = {{"channel", facts.channel},
              {"from", facts.client_address},
              {"to", facts.target_address},
              {"client", facts.client ? names_of(facts.client->peer_names) : json::array()},
              {"server", facts.target ? names_of(facts.target->peer_names) : json::array()},
              {"protocol", shown.protocol},
              {"group", shown.group},
              {"cipher", shown.cipher},
              {"resumed", shown.resumed},
              {"seconds", std::chrono::duration_cast<std::chrono::seconds>(now - facts.began).count()},
              {"bytes_in", facts.bytes_in},
              {"bytes_out", facts.bytes_out}};
  const std::string& server_name = facts.client ? facts.client->server_name : facts.server_name;
  if (!server_name.empty()) row["sni"] = server_name.substr(0, kMostNameBytes);
  if (!shown.alpn.empty()) row["alpn"] = shown.alpn;
  return row;
}

}  // namespace

json report_of(const Histogram& histogram) {
  return {{"counts", histogram.counts()}, {"sum_us", histogram.sum_us()}};
}

void report_traffic(json& row, const Traffic& traffic, std::size_t waiting) {
  row["open"] = traffic.open + waiting;
  row["handshaking"] = traffic.half_open.size() + waiting;
  row["total"] = traffic.total;
  row["relayed"] = traffic.relayed;
  row["full"] = traffic.full;
  row["resumed"] = traffic.resumed;
  row["refused"] = traffic.refusals.total;
  row["target_full"] = traffic.target_full;
  row["target_resumed"] = traffic.target_resumed;
  row["bytes_in"] = traffic.bytes_in;
  row["bytes_out"] = traffic.bytes_out;
  if (traffic.refusals.total > 0) row["refusals"] = traffic.refusals.by_reason;
  // A channel that has carried nothing yet takes no room.
  if (traffic.handshake_time.total() > 0) row["handshake_time"] = report_of(traffic.handshake_time);
  if (traffic.target_handshake_time.total() > 0)
    row["target_handshake_time"] = report_of(traffic.target_handshake_time);
  if (traffic.connect_time.total() > 0) row["connect_time"] = report_of(traffic.connect_time);
}

json report_live_sessions(const std::vector<std::unique_ptr<Connection>>& connections, Clock::time_point now) {
  std::vector<const Connection*> live;
  for (const auto& connection : connections)
    if (connection->phase() == Connection::Phase::Relaying) live.push_back(connection.get());
  std::size_t shown = std::min(live.size(), kMostLiveSessions);
  std::partial_sort(live.begin(), live.begin() + static_cast<std::ptrdiff_t>(shown), live.end(),
                    [](const auto* a, const auto* b) { return a->began() > b->began(); });
  json out = json::array();
  for (std::size_t i = 0; i < shown; ++i) out.push_back(report_of(live[i]->facts(), now));
  return out;
}

}  // namespace cipherway::gateway
