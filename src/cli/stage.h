#pragma once

#include "base/address.h"
#include "event/child_process.h"
#include "event/signals.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cipherway::cli {

/// Where a command that shows something on this machine sets it up: a throwaway folder, programs that end with it, and
/// a loop that goes on while it waits for them. Ctrl-C and TERM end every wait with an error, so that whoever owns the
/// stage takes it down as after any other failure.
class Stage {
 public:
  /// The folder is made in $TMPDIR or /tmp, mode 0700.
  static Result<std::unique_ptr<Stage>> make(const std::string& name);
  /// Ends the programs that still run, the last first (TERM, then KILL), and removes the folder.
  ~Stage();

  event::EventLoop& loop() { return loop_; }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  /// A program that goes on: its standard error is appended to the file "NAME.log" of the folder, its output to
  /// "NAME.out".
  Result<pid_t> start(const std::string& name, const std::string& program, std::vector<std::string> arguments);
  /// A program that does something and ends: an error unless it exits with 0 in time, with the last line of its
  /// standard error.
  Result<void> run(const std::string& name, const std::string& program, std::vector<std::string> arguments,
                   Clock::duration most);
  Result<void> signal(const std::string& name, int signal);

  /// Turns the loop until `done`; an error when it takes longer than `most`, somebody wants to stop, or a program of
  /// `start` has ended.
  Result<void> wait_for(const std::string& what, Clock::duration most, const std::function<bool()>& done);

  /// The JSON lines so far of "NAME.log" whose "event" is `event`.
  std::vector<nlohmann::json> events(const std::string& name, const std::string& event) const;
  /// The last lines of "NAME.log" and "NAME.out", for an error message.
  std::string last_words(const std::string& name) const;

 private:
  struct Program {
    std::string name;
    std::unique_ptr<event::ChildProcess> process;
    std::unique_ptr<event::ProcessEnd> end;
  };
  explicit Stage(std::string folder);
  Result<Program*> launch(const std::string& name, const std::string& program, std::vector<std::string> arguments);
  void end(Program& program);

  std::string folder_;
  event::EventLoop loop_;
  bool interrupted_ = false;
  event::Signals signals_;
  std::vector<std::unique_ptr<Program>> programs_;
};

/// An address of this machine's loopback network with a port that is free now.
Result<Address> free_port(const std::string& host);

}  // namespace cipherway::cli
