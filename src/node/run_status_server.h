#pragma once

#include "base/log.h"
#include "node/user.h"

#include <optional>

namespace cipherway::node {

/// What the command line of `cipherway status-server` says (status_control.h).
struct StatusServerArguments {
  std::optional<User> become;  ///< given when the supervisor is root
  log::Level log_level = log::Level::Info;
};

/// The life of the status server's process: gives up what it does not need, and only then accepts anybody. Returns the
/// exit code.
int run_status_server(const StatusServerArguments& arguments);

}  // namespace cipherway::node
