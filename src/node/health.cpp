#include "node/health.h"

#include <nlohmann/json.hpp>

#include <vector>

namespace cipherway::node {

namespace {

/// What keeps a channel from serving, and what keeps its connections from getting anywhere.
struct Troubles {
  std::vector<std::string> ours;
  std::vector<std::string> beyond;
};

std::string named(const Json& channel) {
  return "channel \"" + text_in(channel, "name") + "\": ";
}

bool all_targets_down(const Json& channel) {
  const Json& targets = list_in(channel, "targets");
  if (targets.empty()) return false;
  for (const Json& target : targets)
    if (std::string health = text_in(target, "health"); health == "up" || health == "unchecked") return false;
  return true;
}

void look_at_channel(const Json& report, const Json& channel, WallClock::time_point now, Troubles& out) {
  if (number_in(channel, "serving") == 0) out.ours.push_back(named(channel) + "no worker serves it");
  if (all_targets_down(channel)) out.beyond.push_back(named(channel) + "all targets are down");
  for (const char* side : {"from", "to"}) {
    std::string identity = text_in(object_in(channel, side), "identity");
    if (identity.empty()) continue;
    for (const Json& row : list_in(report, "identities"))
      if (text_in(row, "name") == identity && text_in(row, "not_after") <= to_rfc3339(now))
        out.beyond.push_back(named(channel) + "the certificate of identity \"" + identity + "\" has expired");
  }
}

Health verdict(const std::vector<std::string>& troubles, const std::vector<std::string>& warnings) {
  Health out;
  if (!troubles.empty()) out.verdict = Health::Verdict::Bad;
  if (troubles.empty()) out.lines = "ok\n";
  for (const std::string& trouble : troubles) out.lines += trouble + "\n";
  for (const std::string& warning : warnings) out.lines += "warning: " + warning + "\n";
  return out;
}

}  // namespace

Health health_of(const Json& report, const std::optional<std::string>& wanted, WallClock::time_point now) {
  Troubles found;
  std::string phase = text_in(object_in(report, "node"), "phase");
  if (phase != "serving" && phase != "reloading") found.ours.push_back("the node is " + phase);
  bool asked = false;
  for (const Json& silent : list_in(report, "silent"))
    if (silent == "keyholder") found.ours.push_back("the keyholder does not answer");
  bool there = false;
  for (const Json& process : list_in(report, "processes")) there = there || text_in(process, "process") == "keyholder";
  if (!there) found.ours.push_back("there is no keyholder");
  for (const Json& channel : list_in(report, "channels")) {
    if (wanted && text_in(channel, "name") != *wanted) continue;
    asked = true;
    look_at_channel(report, channel, now, found);
  }
  if (wanted && !asked) return {Health::Verdict::NoSuchChannel, "there is no channel of this name\n"};
  if (!wanted) return verdict(found.ours, found.beyond);
  found.ours.insert(found.ours.end(), found.beyond.begin(), found.beyond.end());
  return verdict(found.ours, {});
}

}  // namespace cipherway::node
