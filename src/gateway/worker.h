#pragma once

#include "event/event_loop.h"
#include "event/frame_socket.h"
#include "gateway/connection.h"
#include "gateway/control.h"
#include "gateway/health.h"
#include "gateway/listener.h"
#include "tls/keys.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace cipherway::gateway {

/// How a worker process was started.
struct WorkerStart {
  unsigned index = 0;
  bool seccomp = false;  ///< what the sandbox really is, for the report
  int landlock = 0;
};

/// A gateway worker: accepts connections, terminates and originates TLS, relays. Lives in its own unprivileged process,
/// shares nothing with the other workers, and obeys the supervisor's orders (gateway/control.h).
class Worker final : public ConnectionHost {
 public:
  Worker(event::EventLoop& loop, Fd control, WorkerStart start);
  ~Worker();

  /// Until the supervisor says otherwise or is gone: the exit code of the process.
  int run();

 private:
  /// An entrance and its listening socket.
  struct Door {
    std::shared_ptr<Entrance> entrance;
    std::unique_ptr<Listener> listener;
    Fd socket;  // received, not yet accepted on
  };

  event::EventLoop& loop() override { return loop_; }
  Scratch& scratch() override { return scratch_; }
  Turns& turns() override { return turns_; }
  RefusalLog& refusal_log() override { return refusal_log_; }
  void closed(Connection& connection) override;

  void obey(event::Frame frame);
  /// A config on its way into force: its channels are made, and their names are being resolved.
  struct Coming {
    std::uint32_t id = 0;  ///< of the order
    std::vector<std::shared_ptr<Channel>> channels;
    std::map<std::string, std::shared_ptr<Traffic>> traffic;
    std::size_t memory = 0;
  };

  void take_board(const Fd& board, BytesView seat);
  Result<void> configure(std::uint32_t id, const Fd& snapshot);
  void put_in_force();
  void watch_targets();
  void connect_keyholder(std::uint32_t id);
  void drain(std::chrono::milliseconds limit);
  void report(std::uint32_t id);
  void accept(Door& door, Fd socket, const Address& peer);
  void turn_away(Entrance& entrance, const Address& peer, Admission::Answer answer);
  bool make_room();
  void count_room();
  void bury();
  void stop(int exit_code);
  std::string status() const;

  event::EventLoop& loop_;
  WorkerStart start_;
  Scratch scratch_;
  Turns turns_;
  RefusalLog refusal_log_;
  tls::Keys keys_;
  std::shared_ptr<Board> board_ = Board::alone();  // until the supervisor gives the node's
  Random random_;
  Resolver resolver_;
  HealthChecks checks_;
  std::unique_ptr<event::FrameSocket> control_;
  std::map<std::string, std::shared_ptr<Traffic>> traffic_;
  std::map<std::string, Door> doors_;               // by address
  std::vector<std::shared_ptr<Channel>> channels_;  // in force, in the order of the file
  std::optional<Coming> coming_;
  event::Timer names_limit_;
  std::vector<std::weak_ptr<Targets>> all_targets_;  // also of channels that only old connections still have
  event::Timer targets_tick_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> closed_;  // destroyed at the end of the turn
  std::size_t most_connections_ = 0;                 // that there are descriptors for
  bool burial_planned_ = false;
  bool draining_ = false;
  event::Timer drain_limit_;
  static constexpr std::chrono::milliseconds kQuietAfter{500};
  event::Timer quiet_;  // expires when no connection has come or gone for a moment
  int exit_code_ = 0;
};

}  // namespace cipherway::gateway
