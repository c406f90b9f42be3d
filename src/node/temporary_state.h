#pragma once

#include "base/error.h"

#include <string>
#include <utility>

namespace cipherway::node {

/// A state directory for a node that was given none: made in $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR, $TMPDIR or /tmp,
/// mode 0700, and removed with this object. What a node that was killed left behind is removed by the next one of the
/// same user: its lock is free.
class TemporaryState {
 public:
  static Result<TemporaryState> make();
  ~TemporaryState();
  TemporaryState(TemporaryState&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryState& operator=(TemporaryState&&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryState(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace cipherway::node
