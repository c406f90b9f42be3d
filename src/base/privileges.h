#pragma once

#include "base/error.h"

#include <sys/types.h>

#include <span>

namespace cipherway {

/// What every process of a node does first: no core dumps, no ptrace by the same user (PR_SET_DUMPABLE 0,
/// RLIMIT_CORE 0), and nothing that it executes can gain privileges (PR_SET_NO_NEW_PRIVS).
Result<void> harden_process();

/// Becomes this user for good: no supplementary groups, real, effective and saved ids all changed, and verified, also
/// that there is no way back. Needs root; root as a target is refused.
Result<void> drop_to(uid_t uid, gid_t gid);

/// Gives up every capability for good, also one that a service manager handed down to an unprivileged user
/// (AmbientCapabilities=). Nothing to give up is no error.
Result<void> give_up_capabilities();

/// Closes every descriptor that is not listed.
Result<void> close_other_descriptors(std::span<const int> keep);

}  // namespace cipherway
