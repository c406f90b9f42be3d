#pragma once

#include "base/error.h"

#include <sys/types.h>

#include <string>

namespace cipherway::node {

/// An account of this machine.
struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string to_string() const { return std::to_string(uid) + ":" + std::to_string(gid); }
};

Result<User> find_user(const std::string& name);

/// The account's name, or its number where it has none.
std::string user_name(uid_t uid);

/// The user that a process runs as now, from /proc; the number as text, "" when it is gone.
std::string user_of_process(pid_t pid);

}  // namespace cipherway::node
