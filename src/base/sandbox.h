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

/// What a process may do with TCP from now on. Accepting on a socket that it was given is always possible.
enum class Tcp {
  None,     ///< neither bind nor connect
  Connect,  ///< no bind: it cannot open a port, nor pose as another address of this machine
  Any,
};

/// Denies every file that is not listed, to this process and its children; what `tcp` does not say (from version 4 of
/// Landlock on); and abstract UNIX sockets and signals of anybody outside (from version 6 on). Gives the version of
/// Landlock in force, or 0 where the kernel has none: that is logged as `sandbox.no-landlock` and must be shown in the
/// process's status.
Result<int> restrict_files(std::span<const FileRule> rules, Tcp tcp = Tcp::None);

enum class Profile {
  Keyholder,     ///< talks on sockets that it is given, remembers, computes; opens nothing
  StatusServer,  ///< accepts on the socket that it is given and reads sealed memory; opens nothing, connects to nothing
  GatewayWorker,  ///< also accepts and opens TCP and UNIX stream sockets, and asks name servers over UDP; opens no
                  ///< files, starts no programs
};

/// Allows this process's threads the system calls of the profile alone; another call kills the process, except that a
/// GatewayWorker's attempts to open files just fail (EACCES). Memory can be executable no more.
/// Built with sanitizers, a process keeps also what their runtimes need, reading files among it.
Result<void> restrict_syscalls(Profile profile);

}  // namespace cipherway::sandbox
