#include "node/status_report.h"

#include "crypto/key.h"
#include "gateway/report.h"
#include "node/worker_report.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

namespace cipherway::node {

namespace {

constexpr std::string_view kRefused = "refused/";

std::map<unsigned, Json> parse(const std::map<unsigned, std::string>& workers) {
  std::map<unsigned, Json> out;
  for (const auto& [index, text] : workers)
    if (Json report = parse_worker_report(text); !report.is_null()) out[index] = std::move(report);
  return out;
}

/// What a worker says about its sandbox, in this form or not at all: whoever prints it relies on it.
Json sandbox(const Json& report) {
  auto said = report.find("sandbox");
  if (said == report.end() || !said->is_object()) return Json::object();
  auto seccomp = said->find("seccomp");
  auto landlock = said->find("landlock");
  if (seccomp == said->end() || landlock == said->end()) return Json::object();
  if (!seccomp->is_boolean() || !landlock->is_number_integer()) return Json::object();
  return {{"seccomp", *seccomp}, {"landlock", *landlock}};
}

/// What a worker's relay buffers hold, and may.
Json buffers(const Json& report) {
  const Json& said = object_in(report, "buffers");
  auto held = said.find("held");
  auto limit = said.find("limit");
  if (held == said.end() || limit == said.end()) return Json::object();
  if (!held->is_number_unsigned() || !limit->is_number_unsigned()) return Json::object();
  return {{"held", *held}, {"limit", *limit}};
}

Json process(const ProcessFacts& facts) {
  Json row = {{"process", facts.name}, {"pid", facts.pid}, {"user", facts.user}, {"since", to_rfc3339(facts.since)}};
  row["restarts"] = facts.restarts;
  row["cpu_seconds"] = static_cast<double>(facts.cpu_ms) / 1000;
  row["memory_bytes"] = facts.memory_bytes;
  return row;
}

Json processes(const NodeFacts& facts, const std::map<unsigned, Json>& workers,
               const std::optional<keyholder::Status>& keyholder) {
  Json out = Json::array({process(facts.supervisor)});
  if (facts.keyholder) {
    Json row = process(*facts.keyholder);
    if (keyholder) {
      row["sandbox"] = {{"seccomp", keyholder->syscalls_restricted}, {"landlock", keyholder->landlock_version}};
      row["sealed"] = keyholder->sealed;
      row["memory_locked"] = keyholder->memory_locked;
      row["memory_secret"] = keyholder->memory_secret;
      row["peers_dropped"] = keyholder->peers_dropped;
    }
    out.push_back(std::move(row));
  }
  for (const auto& [index, worker] : facts.workers) {
    Json row = process(worker);
    if (auto said = workers.find(index); said != workers.end()) {
      if (Json box = sandbox(said->second); !box.empty()) row["sandbox"] = std::move(box);
      if (Json held = buffers(said->second); !held.empty()) row["buffers"] = std::move(held);
    }
    out.push_back(std::move(row));
  }
  if (facts.status_server) out.push_back(process(*facts.status_server));
  return out;
}

Json side(const config::Side& from) {
  Json out = {{"protect", config::to_string(from.protect.value)}};
  if (from.identity) out["identity"] = from.identity->value;
  return out;
}

Json refusals(const Counters& counters, const std::string& of) {
  Json out = Json::object();
  for (const auto& [what, sum] : counters.of_channel(of))
    if (what.starts_with(kRefused)) out[what.substr(kRefused.size())] = sum;
  return out;
}

/// Addresses that lead into several channels: clients wait there until they have said which.
Json listeners(const NodeFacts& facts, const std::map<unsigned, Json>& workers) {
  std::map<std::string, unsigned> channels;
  for (const auto& channel : facts.prepared->channels) ++channels[channel.config.from.listen.value.to_string()];
  Json out = Json::array();
  for (const auto& [listen, leads_into] : channels) {
    if (leads_into < 2) continue;
    std::uint64_t waiting = 0;
    for (const auto& [index, report] : workers)
      for (const Json& said : list_in(report, "entrances"))
        if (text_in(said, "listen") == listen) waiting += number_in(said, "waiting");
    out.push_back({{"listen", listen},
                   {"channels", leads_into},
                   {"waiting", waiting},
                   {"refusals", refusals(*facts.counters, of_listener(listen))}});
  }
  return out;
}

Json channels(const NodeFacts& facts, const std::map<unsigned, Json>& workers) {
  Json out = Json::array();
  for (const gateway::PreparedChannel& channel : facts.prepared->channels) {
    const config::Channel& config = channel.config;
    Json to = side(config.to);
    for (const auto& target : config.to.targets) to["targets"].push_back(target.value.to_string());
    Json from = side(config.from);
    for (const auto& name : config.from.server_names) from["server_names"].push_back(name.value);
    Json row = {{"name", config.name.value},
                {"listen", config.from.listen.value.to_string()},
                {"from", std::move(from)},
                {"to", std::move(to)}};
    for (const char* what : {"open", "handshaking", "total", "full", "resumed", "refused", "relayed", "bytes_in",
                             "bytes_out", "target_full", "target_resumed"})
      row[what] = facts.counters->sum(config.name.value, what);
    std::uint64_t serving = 0, open = 0, handshaking = 0;
    Json targets = Json::array();
    for (const auto& [index, report] : workers)
      for (const Json& said : list_in(report, "channels")) {
        if (text_in(said, "name") != config.name.value) continue;
        ++serving;
        open += number_in(said, "open");
        handshaking += number_in(said, "handshaking");
        add_targets(targets, said);
      }
    row["serving"] = serving;
    row["open"] = open;
    row["handshaking"] = handshaking;
    row["targets"] = std::move(targets);
    row["refusals"] = refusals(*facts.counters, config.name.value);
    for (const char* what : {"handshake", "target_handshake", "connect"})
      if (Json times = histogram_of(*facts.counters, config.name.value, std::string(what) + "_time"); !times.is_null())
        row[std::string(what) + "_seconds"] = std::move(times);
    out.push_back(std::move(row));
  }
  return out;
}

/// The youngest sessions of all workers.
Json live_sessions(const NodeFacts& facts, const std::map<unsigned, Json>& workers) {
  std::vector<Json> all;
  for (const auto& [index, report] : workers) {
    auto known = facts.workers.find(index);
    if (known == facts.workers.end()) continue;
    for (Json& session : live_sessions_of(report)) {
      session["process"] = known->second.name;
      all.push_back(std::move(session));
    }
  }
  std::ranges::stable_sort(all, {}, [](const Json& session) { return session["seconds"].get<std::uint64_t>(); });
  if (all.size() > gateway::kMostLiveSessions) all.resize(gateway::kMostLiveSessions);
  return all;
}

Json sessions(const Json& channels) {
  Json out = {{"open", 0}, {"handshaking", 0}, {"full", 0}, {"resumed", 0}, {"refused", 0}};
  for (const Json& channel : channels)
    for (auto& [key, sum] : out.items()) sum = sum.get<std::uint64_t>() + channel[key].get<std::uint64_t>();
  return out;
}

Json identities(const NodeFacts& facts, const std::optional<keyholder::Status>& keyholder) {
  Json out = Json::array();
  for (const auto& [name, identity] : facts.prepared->identities) {
    const identity::Certificate& leaf = identity.chain.leaf();
    Json names = Json::array();
    for (const identity::Name& each : leaf.names()) names.push_back(each.text);
    Json row = {{"name", name},
                {"names", std::move(names)},
                {"subject", leaf.subject()},
                {"issuer", leaf.issuer()},
                {"serial", leaf.serial()},
                {"not_before", to_rfc3339(leaf.not_before())},
                {"not_after", to_rfc3339(leaf.not_after())},
                {"certificate", identity.config.certificate.value}};
    for (const auto& held : keyholder ? keyholder->identities : std::vector<keyholder::Status::Identity>{}) {
      if (held.name != name) continue;
      row["key"] = {{"type", crypto::to_string(held.type)},
                    {"process", "keyholder"},
                    {"pid", keyholder->pid},
                    {"signatures", facts.counters->sum("", "signatures/" + name)},
                    {"refused", facts.counters->sum("", "signatures refused/" + name)}};
    }
    out.push_back(std::move(row));
  }
  return out;
}

/// Which process can read which key: only from what the processes themselves say they hold.
Json exposure(const NodeFacts& facts, const std::map<unsigned, Json>& workers,
              const std::optional<keyholder::Status>& keyholder) {
  Json out = Json::array();
  auto row = [&](std::string key, std::string process, pid_t pid, std::string lifetime) {
    out.push_back(
        {{"key", std::move(key)}, {"process", std::move(process)}, {"pid", pid}, {"lifetime", std::move(lifetime)}});
  };
  if (keyholder) {
    const char* lifetime = "until the node stops or reloads";
    for (const auto& identity : keyholder->identities)
      row("private key of " + identity.name, "keyholder", keyholder->pid, lifetime);
    for (const std::string& service : keyholder->services)
      row("ticket root of " + service, "keyholder", keyholder->pid, lifetime);
  }
  for (const auto& [index, report] : workers) {
    auto known = facts.workers.find(index);
    if (known == facts.workers.end()) continue;
    for (const Json& held : list_in(report, "keys"))
      if (held.is_object()) row(text_in(held, "key"), known->second.name, known->second.pid, text_in(held, "lifetime"));
  }
  return out;
}

Json reloads(const NodeFacts::Reloads& facts) {
  Json out = {{"succeeded", facts.succeeded}, {"failed", facts.failed}};
  if (facts.last) {
    out["last"] = to_rfc3339(*facts.last);
    out["last_succeeded"] = facts.last_succeeded;
  }
  return out;
}

}  // namespace

std::string status_report(const NodeFacts& facts, const std::map<unsigned, std::string>& worker_texts,
                          const std::optional<keyholder::Status>& keyholder) {
  std::map<unsigned, Json> workers = parse(worker_texts);
  Json silent = Json::array();
  if (facts.keyholder && !keyholder) silent.push_back(facts.keyholder->name);
  for (const auto& [index, worker] : facts.workers)
    if (!workers.contains(index)) silent.push_back(worker.name);

  Json out = {{"node",
               {{"version", CIPHERWAY_VERSION},
                {"config", facts.config},
                {"phase", facts.phase},
                {"pid", facts.supervisor.pid},
                {"since", to_rfc3339(facts.supervisor.since)},
                {"generation", facts.generation},
                {"configured", to_rfc3339(facts.configured)},
                {"reloads", reloads(facts.reloads)}}},
              {"processes", processes(facts, workers, keyholder)},
              {"silent", std::move(silent)}};
  out["channels"] = facts.prepared != nullptr ? channels(facts, workers) : Json::array();
  if (Json shared = facts.prepared != nullptr ? listeners(facts, workers) : Json::array(); !shared.empty())
    out["listeners"] = std::move(shared);
  out["sessions"] = sessions(out["channels"]);
  out["live_sessions"] = live_sessions(facts, workers);
  out["identities"] = facts.prepared != nullptr ? identities(facts, keyholder) : Json::array();
  if (Json times = facts.counters != nullptr ? histogram_of(*facts.counters, "", "sign_time") : Json();
      !times.is_null())
    out["keyholder"] = {{"sign_seconds", std::move(times)}};
  out["exposure"] = exposure(facts, workers, keyholder);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cipherway::node
