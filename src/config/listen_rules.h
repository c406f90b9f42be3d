#pragma once

#include "config/report.h"

namespace cipherway::config {

/// What channels that share an address owe to each other: TLS, by which they can be told apart; no two for the same
/// name and protocols; the same `proxy_from`. And which addresses cannot be listened on side by side.
void check_listeners(const Node& node, Report& report);

}  // namespace cipherway::config
