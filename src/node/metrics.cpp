#include "node/metrics.h"

#include "base/clock.h"

#include <nlohmann/json.hpp>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>
#include <utility>
#include <vector>

namespace cipherway::node {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// Families in the order in which they are first used; one without a sample is left out.
class Exposition {
 public:
  void counter(const char* name, const char* help, Labels labels, double value) {
    ClientMetric metric{.label = std::move(labels)};
    metric.counter.value = value;
    add(name, help, MetricType::Counter, std::move(metric));
  }
  void gauge(const char* name, const char* help, Labels labels, double value) {
    ClientMetric metric{.label = std::move(labels)};
    metric.gauge.value = value;
    add(name, help, MetricType::Gauge, std::move(metric));
  }
  /// Of a report: `bounds`, `counts` (one more, not added up), `sum`.
  void histogram(const char* name, const char* help, Labels labels, const Json& said) {
    const Json& bounds = list_in(said, "bounds");
    const Json& counts = list_in(said, "counts");
    if (counts.size() != bounds.size() + 1) return;
    ClientMetric metric{.label = std::move(labels)};
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i].is_number_integer()) total += counts[i].get<std::uint64_t>();
      double bound = i < bounds.size() && bounds[i].is_number() ? bounds[i].get<double>()
                                                                : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({total, bound});
    }
    metric.histogram.sample_count = total;
    metric.histogram.sample_sum = real_in(said, "sum");
    add(name, help, MetricType::Histogram, std::move(metric));
  }

  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return std::move(out).str();
  }

 private:
  void add(const char* name, const char* help, MetricType type, ClientMetric metric) {
    for (auto& family : families_)
      if (family.name == name) return family.metric.push_back(std::move(metric));
    families_.push_back({.name = name, .help = help, .type = type, .metric = {std::move(metric)}});
  }

  std::vector<prometheus::MetricFamily> families_;
};

double seconds_of(const Json& object, const char* name) {
  auto when = parse_rfc3339(text_in(object, name));
  return when ? std::chrono::duration<double>(when->time_since_epoch()).count() : 0;
}

void add_node(Exposition& out, const Json& node) {
  out.gauge("cipherway_build_info", "The version that runs; always 1.", {{"version", text_in(node, "version")}}, 1);
  std::string phase = text_in(node, "phase");
  out.gauge("cipherway_node_serving", "1 when the node serves, 0 while it starts or stops.", {},
            phase == "serving" || phase == "reloading" ? 1 : 0);
  out.gauge("cipherway_node_start_timestamp_seconds", "When the supervisor started.", {}, seconds_of(node, "since"));
  out.gauge("cipherway_config_in_force_timestamp_seconds", "Since when the config is in force.", {},
            seconds_of(node, "configured"));
  const Json& reloads = object_in(node, "reloads");
  const char* help = "Reloads of the config or of the files that it names, by how they went.";
  out.counter("cipherway_reloads_total", help, {{"result", "succeeded"}}, real_in(reloads, "succeeded"));
  out.counter("cipherway_reloads_total", help, {{"result", "failed"}}, real_in(reloads, "failed"));
  if (reloads.contains("last")) {
    out.gauge("cipherway_last_reload_timestamp_seconds", "When the last reload ended.", {},
              seconds_of(reloads, "last"));
    out.gauge("cipherway_last_reload_success", "1 when the last reload changed the config, 0 when it was refused.", {},
              flag_in(reloads, "last_succeeded") ? 1 : 0);
  }
}

void add_processes(Exposition& out, const Json& report) {
  for (const Json& process : list_in(report, "processes")) {
    std::string name = text_in(process, "process");
    Labels labels{{"process", name}};
    bool silent = false;
    for (const Json& each : list_in(report, "silent")) silent = silent || each == name;
    out.gauge("cipherway_process_up", "1 when the process answered the supervisor in time.", labels, silent ? 0 : 1);
    out.counter("cipherway_process_restarts_total",
                "How often a process in this place was replaced after it had ended.", labels,
                real_in(process, "restarts"));
    out.gauge("cipherway_process_start_timestamp_seconds", "When the process started.", labels,
              seconds_of(process, "since"));
    out.counter("cipherway_process_cpu_seconds_total",
                "CPU time, user and system, of all processes that were in this place.", labels,
                real_in(process, "cpu_seconds"));
    out.gauge("cipherway_process_resident_memory_bytes", "Resident memory.", labels, real_in(process, "memory_bytes"));
  }
}

void add_identities(Exposition& out, const Json& report) {
  for (const Json& identity : list_in(report, "identities")) {
    Labels labels{{"identity", text_in(identity, "name")}};
    out.gauge("cipherway_certificate_not_after_timestamp_seconds", "When the certificate of an identity expires.",
              labels, seconds_of(identity, "not_after"));
    out.gauge("cipherway_certificate_not_before_timestamp_seconds",
              "From when on the certificate of an identity is valid.", labels, seconds_of(identity, "not_before"));
    const Json& key = object_in(identity, "key");
    if (key.empty()) continue;
    out.counter("cipherway_keyholder_signatures_total",
                "Signatures that the keyholder made with the key of an identity.", labels, real_in(key, "signatures"));
    out.counter("cipherway_keyholder_refusals_total",
                "Requests to sign with the key of an identity that the keyholder refused.", labels,
                real_in(key, "refused"));
  }
  if (const Json& times = object_in(object_in(report, "keyholder"), "sign_seconds"); !times.empty())
    out.histogram("cipherway_keyholder_sign_seconds",
                  "From asking for a signature to having it, as the workers see it.", {}, times);
}

void add_traffic(Exposition& out, const Json& channel, const std::string& name) {
  Labels labels{{"channel", name}};
  out.gauge("cipherway_channel_workers", "Workers that serve the channel.", labels, real_in(channel, "serving"));
  out.gauge("cipherway_connections_open", "Connections now.", labels, real_in(channel, "open"));
  out.gauge("cipherway_connections_handshaking", "Connections that do not carry data yet.", labels,
            real_in(channel, "handshaking"));
  out.counter("cipherway_connections_total", "Connections accepted.", labels, real_in(channel, "total"));
  out.counter("cipherway_connections_relayed_total", "Connections that got as far as carrying data.", labels,
              real_in(channel, "relayed"));
  for (const auto& [reason, count] : object_in(channel, "refusals").items())
    if (count.is_number())
      out.counter("cipherway_connections_refused_total",
                  "Connections that ended before a byte was carried, by reason (docs/guide/refusals.md).",
                  {{"channel", name}, {"reason", reason}}, count.get<double>());
  const char* bytes = "Application data carried; in is from clients to targets.";
  out.counter("cipherway_relayed_bytes_total", bytes, {{"channel", name}, {"direction", "in"}},
              real_in(channel, "bytes_in"));
  out.counter("cipherway_relayed_bytes_total", bytes, {{"channel", name}, {"direction", "out"}},
              real_in(channel, "bytes_out"));
}

void add_targets(Exposition& out, const Json& channel, const std::string& name) {
  for (const Json& target : list_in(channel, "targets")) {
    std::string address = text_in(target, "address");
    Labels labels{{"channel", name}, {"target", address.empty() ? text_in(target, "name") : address}};
    std::string health = text_in(target, "health");
    out.gauge("cipherway_target_up",
              "1 when the target takes connections, 0 when it is down, left out or not resolved.", labels,
              health == "up" || health == "unchecked" ? 1 : 0);
    out.gauge("cipherway_target_connections_open", "Connections to the target now, of all workers.", labels,
              real_in(target, "open"));
    out.counter("cipherway_target_failures_total", "Connections to the target that failed, handshakes included.",
                labels, real_in(target, "failures"));
    out.counter("cipherway_target_ejections_total", "How often the target was left out because it failed connections.",
                labels, real_in(target, "ejections"));
    if (target.contains("check_us"))
      out.gauge("cipherway_target_check_seconds", "How long the last active check of the target took.", labels,
                real_in(target, "check_us") / 1e6);
  }
}

void add_handshakes(Exposition& out, const Json& channel, const std::string& name) {
  struct Side {
    const char* side;
    const char* label;
    const char* full;
    const char* resumed;
    const char* times;
  };
  for (const Side& each : {Side{"from", "client", "full", "resumed", "handshake_seconds"},
                           Side{"to", "target", "target_full", "target_resumed", "target_handshake_seconds"}}) {
    std::string protect = text_in(object_in(channel, each.side), "protect");
    if (protect != "tls" && protect != "mutual-tls") continue;
    const char* help =
        "TLS handshakes that succeeded; full: with certificates and a new key agreement; resumed: from a ticket.";
    out.counter("cipherway_handshakes_total", help, {{"channel", name}, {"side", each.label}, {"kind", "full"}},
                real_in(channel, each.full));
    out.counter("cipherway_handshakes_total", help, {{"channel", name}, {"side", each.label}, {"kind", "resumed"}},
                real_in(channel, each.resumed));
    if (const Json& times = object_in(channel, each.times); !times.empty())
      out.histogram("cipherway_handshake_seconds",
                    "From accepting a client, or from being connected to a target, to the end of the handshake.",
                    {{"channel", name}, {"side", each.label}}, times);
  }
  if (const Json& times = object_in(channel, "connect_seconds"); !times.empty())
    out.histogram("cipherway_target_connect_seconds", "From trying a target to being connected to it.",
                  {{"channel", name}}, times);
}

}  // namespace

std::string metrics_text(const Json& report) {
  Exposition out;
  add_node(out, object_in(report, "node"));
  add_processes(out, report);
  add_identities(out, report);
  for (const Json& channel : list_in(report, "channels")) {
    std::string name = text_in(channel, "name");
    add_traffic(out, channel, name);
    add_handshakes(out, channel, name);
    add_targets(out, channel, name);
  }
  for (const Json& listener : list_in(report, "listeners")) {
    std::string listen = text_in(listener, "listen");
    out.gauge("cipherway_listener_waiting",
              "Connections whose channel is not known yet, at an address of several channels.", {{"listen", listen}},
              real_in(listener, "waiting"));
    for (const auto& [reason, count] : object_in(listener, "refusals").items())
      if (count.is_number())
        out.counter("cipherway_listener_refused_total", "Connections that were refused before their channel was known.",
                    {{"listen", listen}, {"reason", reason}}, count.get<double>());
  }
  return out.text();
}

}  // namespace cipherway::node
