#pragma once

#include "node/user.h"

#include <optional>
#include <string>
#include <vector>

namespace cipherway::node {

/// How the supervisor starts a program of a node.
struct ChildSetting {
  std::string program;
  std::optional<User> user;  ///< whom it becomes, when the supervisor is root
  std::string log_level = "info";
  int log = 2;  ///< its standard output and error
};

/// The environment of a node's processes: the time zone, and nothing that could turn a library's behaviour around
/// (SSLKEYLOGFILE, OPENSSL_CONF, LD_PRELOAD, ...).
std::vector<std::string> child_environment();

}  // namespace cipherway::node
