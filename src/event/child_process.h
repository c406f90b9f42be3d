#pragma once

#include "event/event_loop.h"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cipherway::event {

/// What a program is started with. Nothing else is inherited: every descriptor that is not listed is closed, the
/// environment is exactly `environment`, and no signal is blocked or ignored.
struct ProgramStart {
  std::string program;                 ///< path
  std::string name;                    ///< argv[0]; empty: the path
  std::vector<std::string> arguments;  ///< after the program's name
  std::vector<std::string> environment;
  /// Descriptors to pass (ours, the number it has there). They stay ours; 0 becomes /dev/null unless listed.
  std::vector<std::pair<int, int>> descriptors = {{1, 1}, {2, 2}};
  bool own_process_group = false;  ///< out of reach of a terminal's Ctrl-C
  bool dies_with_parent = false;   ///< SIGKILL when this process ends, unless the child changes its user
};

/// How a process ended.
struct ProcessEnd {
  int code = 0;    ///< exit code, when it exited
  int signal = 0;  ///< the signal that ended it, or 0
  bool clean() const { return code == 0 && signal == 0; }
  std::string to_string() const;  ///< "exit code 1", "signal 9 (Killed)"
};

/// A child that runs another program. Its end is reported from the loop, once; it is reaped then. Destroying a child
/// that still runs kills it (SIGKILL) and waits for it: whoever wants it to end well asks first and waits for `ended`.
/// May be destroyed from inside `ended`.
class ChildProcess final : public Watcher {
 public:
  using Ended = std::function<void(ProcessEnd)>;

  /// Starts the program and returns when it runs; a program that cannot be executed is an error here.
  static Result<std::unique_ptr<ChildProcess>> start(EventLoop& loop, const ProgramStart& start, Ended ended);

  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  WallClock::time_point started() const { return started_; }
  bool running() const { return static_cast<bool>(pidfd_); }
  /// Goes to this process and to no other, even if it ended meanwhile.
  void send_signal(int signal);

  void ready(std::uint32_t events) override;

 private:
  ChildProcess(EventLoop& loop, pid_t pid, Fd pidfd, Ended ended);

  EventLoop& loop_;
  pid_t pid_;
  Fd pidfd_;  // empty once reaped
  Ended ended_;
  WallClock::time_point started_ = WallClock::now();
};

/// `value` of the running process's environment, as "NAME=value" entries, for the given names that are set.
std::vector<std::string> environment_of(std::initializer_list<const char*> names);

/// The path of a program found along PATH, or an error that says what was looked for.
Result<std::string> find_program(const std::string& name);

}  // namespace cipherway::event
