#pragma once

#include "base/fd.h"

#include <string>

namespace cipherway::node {

/// Where the state directory's control socket is: `<state>/control.sock`.
std::string control_socket_path(const std::string& state);

/// A node's state directory, mode 0700, held by this process alone while the object lives: a second node on the same
/// directory is refused. The lock is the kernel's (flock), so a node that was killed leaves nothing to clean up.
class StateDirectory {
 public:
  /// Makes the directory if it is missing (its parent must exist), takes it from nobody else.
  static Result<StateDirectory> hold(const std::string& path);
  const std::string& path() const { return path_; }

 private:
  StateDirectory(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  Fd lock_;
};

}  // namespace cipherway::node
