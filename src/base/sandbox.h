#pragma once

#include "base/error.h"

#include <span>
#include <string>

/// What a process gives up for good before it serves anybody: files (Landlock) and system calls (seccomp). Each daemon
/// calls both, after it has opened what it needs.
namespace cipherway::sandbox {

struct FileRule {
  enum class Access { Read, Write };  ///< Write: read, write, create and remove
  std::string path;                   ///< a file, or a folder and everything below it
  Access access = Access::Read;
};

/// Denies every file that is not listed, to this process and its children. Gives the version of Landlock in force, or 0
/// where the kernel has none: that is logged as `sandbox.no-landlock` and must be shown in the process's status.
Result<int> restrict_files(std::span<const FileRule> rules);

enum class Profile {
  Keyholder,      ///< talks on sockets that it is given, remembers, computes; opens nothing
  GatewayWorker,  ///< also accepts and opens TCP and UNIX stream sockets, and asks name servers over UDP; opens no
                  ///< files, starts no programs
};

/// Allows this process's threads the system calls of the profile alone; another call kills the process, except that a
/// GatewayWorker's attempts to open files just fail (EACCES). Memory can be executable no more.
/// Built with sanitizers, a process keeps also what their runtimes need, reading files among it.
Result<void> restrict_syscalls(Profile profile);

}  // namespace cipherway::sandbox
