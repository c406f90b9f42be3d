#pragma once

#include "base/log.h"

#include <sys/types.h>

#include <optional>

namespace cipherway::gateway {

/// What the command line of `cipherway gateway-worker` says (gateway/control.h).
struct WorkerArguments {
  struct User {
    uid_t uid = 0;
    gid_t gid = 0;
  };
  unsigned index = 0;
  std::optional<User> become;  ///< given when the supervisor is root
  log::Level log_level = log::Level::Info;
};

/// The life of a worker process: gives up what it does not need (privileges, descriptors, system calls, the file
/// system), and only then reads the first byte from anybody. Returns the exit code.
int run_worker_process(const WorkerArguments& arguments);

}  // namespace cipherway::gateway
