#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace cipherway::node {

/// Tells the service manager how the node is doing, as sd_notify(3) does: "READY=1", "RELOADING=1", "STOPPING=1",
/// "STATUS=...", "WATCHDOG=1", one a line; RELOADING=1 comes first, and gets its MONOTONIC_USEC here. Without
/// NOTIFY_SOCKET in the environment it does nothing; what cannot be delivered is lost.
void tell_service_manager(std::string_view state);

/// How long the service manager lets this process be silent before it restarts it (WATCHDOG_USEC and WATCHDOG_PID in
/// the environment, sd_watchdog_enabled(3)); nothing when it does not watch.
std::optional<std::chrono::microseconds> watchdog_of_service_manager();

}  // namespace cipherway::node
