#pragma once

#include "event/event_loop.h"

#include <memory>
#include <string>

namespace cipherway::node {

/// The log file of a node (`--log FILE`). Child processes write to a pipe, and the supervisor alone writes to the file:
/// so a file that was moved away can be opened anew (USR1) without a child knowing.
class LogFile final : public event::Watcher {
 public:
  static Result<std::unique_ptr<LogFile>> open(event::EventLoop& loop, std::string path);
  ~LogFile();

  /// Opens the path again; on failure goes on with the file it has.
  Result<void> reopen();
  /// For the supervisor's own lines: stays the same number through `reopen`.
  int descriptor() const { return file_.get(); }
  /// What children get as standard error.
  int for_children() const { return pipe_in_.get(); }
  void ready(std::uint32_t events) override;

 private:
  LogFile(event::EventLoop& loop, std::string path, Fd file, Fd pipe_out, Fd pipe_in);

  event::EventLoop& loop_;
  std::string path_;
  Fd file_;
  Fd pipe_out_;
  Fd pipe_in_;
};

}  // namespace cipherway::node
