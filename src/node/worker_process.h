#pragma once

#include "event/child_process.h"
#include "event/frame_socket.h"
#include "gateway/control.h"
#include "node/child_setting.h"
#include "node/listeners.h"

#include <functional>
#include <memory>
#include <string>

namespace cipherway::node {

/// One gateway worker as the supervisor sees it: the process and the control socket (gateway/control.h). Whatever the
/// worker does against the protocol ends it. Destroying the object kills the process.
class WorkerProcess {
 public:
  struct Events {
    std::function<void(std::uint32_t keyholder, Fd end)> keyholder_end;
    std::function<void(std::uint32_t generation, std::string refusal)> configured;  ///< empty: it is in force
    std::function<void(std::uint32_t id, std::string json)> status;
    std::function<void()> keyholder_lost;
    std::function<void()> alive;                   ///< answers `ask_if_alive`
    std::function<void(event::ProcessEnd)> ended;  ///< the object may be destroyed from here
  };
  static Result<std::unique_ptr<WorkerProcess>> start(event::EventLoop& loop, const ChildSetting& setting,
                                                      unsigned index, Events events);

  /// Hands it the node's board, and its seat there; before anything else.
  Result<void> give_board(const Fd& board, unsigned seat);
  /// Sends the sockets that it does not have yet and the snapshot; it answers `configured` with the generation.
  Result<void> configure(std::uint32_t generation, const Listeners& listeners, Fd snapshot);
  /// Asks for its end of a socket pair to the keyholder of this number.
  void ask_for_keyholder_end(std::uint32_t keyholder);
  void ask_for_status(std::uint32_t id);
  void ask_if_alive();
  void drain(std::chrono::milliseconds most);
  void kill();

  pid_t pid() const { return process_->pid(); }
  WallClock::time_point started() const { return process_->started(); }
  Clock::duration age() const { return Clock::now() - born_; }

 private:
  WorkerProcess(event::EventLoop& loop, unsigned index, Events events)
      : index_(index), events_(std::move(events)), last_resort_(loop, [this] { kill(); }) {}
  Result<std::size_t> most_payload(std::uint8_t type) const;
  void received(event::Frame frame);

  unsigned index_;
  Events events_;
  Clock::time_point born_ = Clock::now();
  std::unique_ptr<event::ChildProcess> process_;
  std::unique_ptr<event::FrameSocket> control_;
  Listeners::ByAddress given_;
  event::Timer last_resort_;
};

}  // namespace cipherway::node
