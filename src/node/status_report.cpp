#include "node/status_report.h"

#include "crypto/key.h"

#include <nlohmann/json.hpp>

#include <set>

namespace cipherway::node {

namespace {

using Json = nlohmann::ordered_json;

/// What a worker said, or nothing if it is not an object: a worker that was taken over may say anything.
std::map<unsigned, Json> parse(const std::map<unsigned, std::string>& workers) {
  std::map<unsigned, Json> out;
  for (const auto& [index, text] : workers) {
    Json report = Json::parse(text, nullptr, false);
    if (report.is_object()) out[index] = std::move(report);
  }
  return out;
}

const Json& member(const Json& object, const char* name, const Json& otherwise) {
  auto found = object.find(name);
  return found != object.end() ? *found : otherwise;
}

Json list(const Json& object, const char* name) {
  const Json none = Json::array();
  const Json& value = member(object, name, none);
  return value.is_array() ? value : none;
}

std::string text(const Json& object, const char* name) {
  const Json none = "";
  const Json& value = member(object, name, none);
  return value.is_string() ? value.get<std::string>() : "";
}

/// Adds every whole number of `more` to the field of the same name. Unsigned, so that no answer can overflow it.
void add_up(Json& sums, const Json& more) {
  for (const auto& [key, value] : more.items()) {
    if (!value.is_number_integer()) continue;
    std::uint64_t before = sums.contains(key) && sums[key].is_number_integer() ? sums[key].get<std::uint64_t>() : 0;
    sums[key] = before + value.get<std::uint64_t>();
  }
}

/// What a worker says about its sandbox, in this form or not at all: whoever prints it relies on it.
Json sandbox(const Json& report) {
  Json none = Json::object();
  const Json& said = member(report, "sandbox", none);
  if (!said.is_object()) return none;
  const Json absent;
  const Json& seccomp = member(said, "seccomp", absent);
  const Json& landlock = member(said, "landlock", absent);
  if (!seccomp.is_boolean() || !landlock.is_number_integer()) return none;
  return {{"seccomp", seccomp}, {"landlock", landlock}};
}

/// What a worker's relay buffers hold, and may.
Json buffers(const Json& report) {
  Json none = Json::object();
  const Json& said = member(report, "buffers", none);
  if (!said.is_object()) return none;
  const Json absent;
  const Json& held = member(said, "held", absent);
  const Json& limit = member(said, "limit", absent);
  if (!held.is_number_unsigned() || !limit.is_number_unsigned()) return none;
  return {{"held", held}, {"limit", limit}};
}

Json process(const ProcessFacts& facts) {
  return {{"process", facts.name}, {"pid", facts.pid}, {"user", facts.user}, {"since", to_rfc3339(facts.since)}};
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
  return out;
}

Json side(const config::Side& from) {
  Json out = {{"protect", config::to_string(from.protect.value)}};
  if (from.identity) out["identity"] = from.identity->value;
  return out;
}

/// A target as a worker describes it, in this form or not at all.
Json target(const Json& said) {
  if (!said.is_object()) return {};
  Json out;
  for (const char* word : {"address", "name", "health"}) out[word] = text(said, word);
  for (const char* number : {"open", "failures", "ejections", "weight", "share_percent", "connections", "check_us"})
    if (auto found = said.find(number); found != said.end() && found->is_number_unsigned()) out[number] = *found;
  return out;
}

/// What is known about targets they all know: the first worker's word is taken, and of the others what it does not know
/// of, because a name may have been resolved differently there.
Json targets(const std::string& channel, const std::map<unsigned, Json>& workers) {
  constexpr std::size_t kMostTargets = 1'024;
  Json out = Json::array();
  std::set<std::string> seen;
  for (const auto& [index, report] : workers) {
    for (const Json& said_channel : list(report, "channels")) {
      if (!said_channel.is_object() || text(said_channel, "name") != channel) continue;
      for (const Json& said : list(said_channel, "targets")) {
        Json row = target(said);
        if (row.is_null() || out.size() == kMostTargets) continue;
        if (seen.insert(text(row, "address") + " " + text(row, "name")).second) out.push_back(std::move(row));
      }
    }
  }
  return out;
}

Json channels(const NodeFacts& facts, const std::map<unsigned, Json>& workers) {
  Json out = Json::array();
  for (const gateway::PreparedChannel& channel : facts.prepared->channels) {
    const config::Channel& config = channel.config;
    Json to = side(config.to);
    for (const auto& target : config.to.targets) to["targets"].push_back(target.value.to_string());
    Json row = {{"name", config.name.value},
                {"listen", config.from.listen.value.to_string()},
                {"from", side(config.from)},
                {"to", std::move(to)}};
    for (const char* counter : {"open", "total", "handshaking", "full", "resumed", "refused", "relayed", "bytes_in",
                                "bytes_out", "target_full", "target_resumed"})
      row[counter] = 0;
    for (const auto& [index, report] : workers)
      for (const Json& said : list(report, "channels"))
        if (said.is_object() && text(said, "name") == config.name.value) add_up(row, said);
    row["targets"] = targets(config.name.value, workers);
    out.push_back(std::move(row));
  }
  return out;
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
                    {"signatures", held.signatures},
                    {"refused", held.refused}};
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
    for (const Json& held : list(report, "keys"))
      if (held.is_object()) row(text(held, "key"), known->second.name, known->second.pid, text(held, "lifetime"));
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
                {"configured", to_rfc3339(facts.configured)}}},
              {"processes", processes(facts, workers, keyholder)},
              {"silent", std::move(silent)}};
  out["channels"] = facts.prepared != nullptr ? channels(facts, workers) : Json::array();
  out["sessions"] = sessions(out["channels"]);
  out["identities"] = facts.prepared != nullptr ? identities(facts, keyholder) : Json::array();
  out["exposure"] = exposure(facts, workers, keyholder);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cipherway::node
