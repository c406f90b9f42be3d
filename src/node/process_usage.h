#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace cipherway::node {

/// What a process has used, as the kernel counts it.
struct Usage {
  std::uint64_t cpu_ms = 0;        ///< user and system, of all its threads, since it began
  std::uint64_t memory_bytes = 0;  ///< resident now
};

/// From /proc; nothing when the process is gone or /proc does not show it.
std::optional<Usage> usage_of(pid_t pid);

}  // namespace cipherway::node
