#pragma once

#include "gateway/targets.h"

#include <nlohmann/json_fwd.hpp>

namespace cipherway::gateway {

/// The `targets` of a channel in a worker's report (docs/guide/status.md): what the node knows about each of them.
/// At most `budget` of them, which is what they then leave of it: a report has to fit into a frame.
nlohmann::json target_status(const Targets& targets, Clock::time_point now, std::size_t& budget);

inline constexpr std::size_t kMostTargetsReported = 150;

}  // namespace cipherway::gateway
