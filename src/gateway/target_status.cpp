#include "gateway/target_status.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace cipherway::gateway {

nlohmann::json target_status(const Targets& targets, Clock::time_point now, std::size_t& budget) {
  using nlohmann::json;
  json out = json::array();
  for (const auto& target : targets.all()) {
    if (budget == 0) return out;
    --budget;
    const Standing& standing = target->standing();
    json row{{"address", target->text},
             {"name", target->name},
             {"health", targets.state(*target, now)},
             {"open", target->place->open()},
             {"failures", standing.failures.load()},
             {"ejections", standing.ejections.load()},
             {"weight", target->weight},
             {"share_percent", std::lround(targets.share(*target, now) * 100)},
             {"connections", target->limit}};
    if (targets.health() && standing.checked_at.load() != 0) row["check_us"] = standing.check_us.load();
    out.push_back(std::move(row));
  }
  for (const std::string& name : targets.unresolved()) {
    if (budget == 0) return out;
    --budget;
    out.push_back({{"address", ""}, {"name", name}, {"health", "unresolved"}});
  }
  return out;
}

}  // namespace cipherway::gateway
