#pragma once

#include "event/child_process.h"
#include "event/frame_socket.h"
#include "node/child_setting.h"

#include <functional>
#include <memory>
#include <string>

namespace cipherway::node {

/// The status server as the supervisor sees it: the process, and the socket over which it asks for reports
/// (status_control.h). Whatever it does against the protocol ends it. Destroying the object kills the process.
class StatusServerProcess {
 public:
  using Receive = std::function<void(const std::string& report)>;
  struct Events {
    std::function<void(Receive)> wants_report;
    std::function<void(event::ProcessEnd)> ended;  ///< the object may be destroyed from here
  };
  static Result<std::unique_ptr<StatusServerProcess>> start(event::EventLoop& loop, const ChildSetting& setting,
                                                            const Fd& listener, Events events);
  void kill();

  pid_t pid() const { return process_->pid(); }
  WallClock::time_point started() const { return process_->started(); }
  Clock::duration age() const { return Clock::now() - born_; }

 private:
  StatusServerProcess(event::EventLoop& loop, Events events)
      : events_(std::move(events)), next_(loop, [this] { make_report(); }), last_resort_(loop, [this] { kill(); }) {}
  void asked(const event::Frame& frame);
  void make_report();
  void answer(std::uint32_t id, const std::string& report);

  Events events_;
  Clock::time_point born_ = Clock::now();
  std::unique_ptr<event::ChildProcess> process_;
  std::unique_ptr<event::FrameSocket> control_;
  std::uint32_t asked_ = 0;  // id of the question that has no answer yet
  bool is_asked_ = false;
  Clock::time_point last_{};
  event::Timer next_;
  event::Timer last_resort_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // reports come when this object may be gone
};

}  // namespace cipherway::node
