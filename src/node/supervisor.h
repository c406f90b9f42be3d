#pragma once

#include "event/signals.h"
#include "gateway/board.h"
#include "node/back_off.h"
#include "node/counters.h"
#include "node/file_watch.h"
#include "node/generation.h"
#include "node/keyholder_process.h"
#include "node/listeners.h"
#include "node/log_file.h"
#include "node/passed_sockets.h"
#include "node/service_notice.h"
#include "node/silence.h"
#include "node/state_directory.h"
#include "node/status_server_process.h"
#include "node/status_service.h"
#include "node/worker_process.h"

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cipherway::node {

struct SupervisorOptions {
  std::string config;  ///< path; read again for every reload
  /// Where the config comes from, when that is not the file `config`, which then is only what reports call it.
  std::function<std::expected<Loaded, Unprepared>()> load;
  std::optional<std::string> log_file;  ///< else standard error
  std::string log_level = "info";
  std::string worker_program = "/proc/self/exe";
  std::string keyholder_program;  ///< empty: looked for beside this program
  PassedSockets passed;           ///< by the service manager
  /// After how much silence the service manager would restart the node; empty: as the environment says (sd_notify(3)).
  std::optional<std::chrono::microseconds> watchdog;
};

/// `cipherway run`: the process that starts, watches and reloads the others and owns the listening sockets. It parses
/// its config and the public files that it names, and no byte from a network.
///
/// A start and a reload are the same change: load the keys into a new keyholder, open the sockets, then bring every
/// worker up to the new generation. Until the sockets are open nothing has changed for the workers, and what fails
/// before that point leaves a running node as it was.
class Supervisor {
 public:
  Supervisor(event::EventLoop& loop, SupervisorOptions options);
  ~Supervisor();

  /// Takes the state directory and begins the first change. An error here is an error of the operator's: nothing runs.
  Result<void> start(Loaded first);

  /// After the loop has stopped: 0, or 1 when the node failed to start or connections had to be cut.
  int exit_code() const { return exit_code_; }

 private:
  enum class Phase { Starting, Serving, Stopping };

  /// A worker's place. It outlives the processes that hold it one after the other.
  struct Place {
    Place(event::EventLoop& loop, unsigned index_)
        : index(index_), restart(loop, [this] { again(); }), readmission(loop, [this] { readmit(); }) {}
    unsigned index;
    unsigned seat = 0;  ///< on the board: this process's alone
    std::string name() const { return "gateway-" + std::to_string(index); }
    std::unique_ptr<WorkerProcess> process;
    BackOff back_off;
    event::Timer restart;
    std::function<void()> again = [] {};
    event::Timer readmission;
    std::function<void()> readmit = [] {};
    std::uint32_t generation = 0;  ///< in force in it
    std::uint32_t keyholder = 0;   ///< that it can ask
    bool leaving = false;          ///< the config has fewer workers now
    Silence silence;
    std::uint64_t restarts = 0;
  };

  /// A change of the config under way, and what was before it.
  struct Change {
    std::shared_ptr<const Generation> next;
    bool configuring = false;  ///< the keys are loaded and the sockets open: workers are moving over
    std::shared_ptr<const Generation> before;
    std::unique_ptr<KeyholderProcess> keyholder_before;
    Listeners listeners_before;
    std::shared_ptr<const Listeners::Socket> status_socket;  ///< the next one; may be the one that is there
  };

  // supervisor_change.cpp: starting, reloading
  void reload();
  void begin_change(Loaded loaded);
  void keys_are_loaded();
  void change_if_all_moved();
  std::string serving() const;  ///< for the service manager
  void change_failed(const std::vector<config::Problem>& problems);
  void change_took_too_long();
  void roll_back(const std::string& reason);
  std::vector<config::Problem> problems_of(const Generation& generation,
                                           const std::vector<KeyholderProcess::Refusal>& refusals) const;

  // supervisor_keyholder.cpp
  Result<void> raise_keyholder(const Generation& generation);
  void keyholder_is_ready();
  void keyholder_refused(const std::vector<KeyholderProcess::Refusal>& refusals);
  void keyholder_ended(std::uint32_t number, event::ProcessEnd end);
  void raise_keyholder_later(Clock::duration life);
  void retire(std::unique_ptr<KeyholderProcess> keyholder);
  void admit(Place& place, std::uint32_t keyholder, Fd end);

  // supervisor_workers.cpp
  void place_workers();
  void start_worker(Place& place);
  unsigned free_seat() const;
  void bring_up(Place& place);
  void configured(Place& place, std::uint32_t generation, const std::string& refusal);
  void keyholder_lost(Place& place);
  void worker_ended(Place& place, event::ProcessEnd end);

  // supervisor_watch.cpp
  void start_watching();
  void beat();

  // supervisor_status.cpp: reports, and the process that serves them
  Result<void> open_status_socket(Change& change);
  void serve_status(std::shared_ptr<const Listeners::Socket> socket);
  void start_status_server();
  void status_server_ended(event::ProcessEnd end);
  void worker_reported(const Place& place, std::uint32_t id, const std::string& json);
  void keyholder_reported(pid_t pid, std::uint32_t id, Result<keyholder::Status> status);
  ProcessFacts describe(std::string name, pid_t pid, WallClock::time_point since, std::uint64_t restarts);
  void forget_process(pid_t pid);
  void count_again();
  void reload_ended(bool succeeded);
  NodeFacts facts();
  std::size_t ask_for_status(std::uint32_t id);

  // supervisor.cpp: the rest
  void signalled(int signal);
  void stop();
  void stop_now(const char* reason);
  void finish_if_all_ended();
  void let_end(std::unique_ptr<KeyholderProcess> keyholder);

  event::EventLoop& loop_;
  SupervisorOptions options_;
  Phase phase_ = Phase::Starting;
  int exit_code_ = 0;
  WallClock::time_point since_ = WallClock::now();
  WallClock::time_point configured_at_{};

  std::unique_ptr<LogFile> log_;
  std::optional<StateDirectory> state_;
  ChildSetting worker_setting_;
  ChildSetting keyholder_setting_;
  std::optional<event::Signals> signals_;
  std::unique_ptr<StatusService> status_;
  std::unique_ptr<FileWatch> file_watch_;

  std::uint32_t generations_ = 0;
  std::shared_ptr<const Generation> current_;  ///< what workers have, or are moving to
  Listeners listeners_;
  std::optional<Change> change_;
  event::Timer change_limit_;
  bool reload_again_ = false;  ///< asked for during a change

  std::uint32_t keyholders_ = 0;
  std::unique_ptr<KeyholderProcess> keyholder_;  ///< serves
  std::unique_ptr<KeyholderProcess> rising_;     ///< loads its keys: for `change_`, else in the place of one that died
  std::vector<std::unique_ptr<KeyholderProcess>> ending_;
  BackOff keyholder_back_off_;
  event::Timer keyholder_restart_;

  std::uint64_t keyholder_restarts_ = 0;
  Fd board_fd_;
  std::shared_ptr<gateway::Board> board_;  ///< what workers know together about targets; outlives all of them
  std::vector<std::unique_ptr<Place>> places_;
  event::Timer stop_limit_;

  event::Timer beat_;
  std::chrono::milliseconds beat_period_{};
  unsigned beats_ = 0;
  Silence keyholder_silence_;
  bool reports_to_watchdog_ = false;
  Counters counters_;  ///< of workers and keyholders
  Counters usage_;     ///< "cpu_ms" of each place, as a channel of that name
  NodeFacts::Reloads reloads_;
  event::Timer count_again_;
  std::shared_ptr<const Listeners::Socket> status_socket_;  ///< null: no [node] status
  std::unique_ptr<StatusServerProcess> status_server_;
  BackOff status_server_back_off_;
  event::Timer status_server_restart_;
  std::uint64_t status_server_restarts_ = 0;
};

}  // namespace cipherway::node
