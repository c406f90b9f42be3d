#pragma once

#include "base/clock.h"
#include "node/json_fields.h"

#include <optional>
#include <string>

namespace cipherway::node {

/// Whether a load balancer should send here, judged from a status report. Pure.
///
/// Of the node: does it do its own part, in every channel. A channel whose targets are all down is a warning then and
/// no trouble, because taking the node away would take its other channels away as well, and not bring the targets back.
/// Of one channel: would a new connection to it get through, as far as the node knows.
struct Health {
  enum class Verdict { Good, Bad, NoSuchChannel };
  Verdict verdict = Verdict::Good;
  std::string lines;  ///< for people: "ok", or a line per trouble; warnings last
};

Health health_of(const Json& report, const std::optional<std::string>& channel, WallClock::time_point now);

}  // namespace cipherway::node
