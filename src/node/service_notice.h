#pragma once

#include <string_view>

namespace cipherway::node {

/// Tells the service manager how the node is doing, as sd_notify(3) does: "READY=1", "RELOADING=1", "STOPPING=1",
/// "STATUS=...". Without NOTIFY_SOCKET in the environment it does nothing; what cannot be delivered is lost.
void tell_service_manager(std::string_view state);

}  // namespace cipherway::node
