#pragma once

#include "node/json_fields.h"

#include <string>

namespace cipherway::node {

/// A status report as Prometheus reads it: text exposition format 0.0.4. docs/guide/monitoring.md lists the metrics.
/// Pure. Labels are names from the config, processes of the node and words from a fixed or bounded set.
std::string metrics_text(const Json& report);

}  // namespace cipherway::node
