#pragma once

#include "base/histogram.h"
#include "gateway/connection.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <vector>

/// The parts of what a worker reports about itself (docs/guide/status.md).
namespace cipherway::gateway {

/// How many of the connections that relay a report describes: the youngest.
inline constexpr std::size_t kMostLiveSessions = 50;

/// `counts` a bucket and `sum_us`.
nlohmann::json report_of(const Histogram& histogram);

/// Adds everything that is counted of a channel to its row. `waiting` connections will be its own, and are none yet.
void report_traffic(nlohmann::json& row, const Traffic& traffic, std::size_t waiting);

/// The youngest of the connections that relay.
nlohmann::json report_live_sessions(const std::vector<std::unique_ptr<Connection>>& connections, Clock::time_point now);

}  // namespace cipherway::gateway
