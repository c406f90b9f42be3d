#pragma once

#include "base/address.h"
#include "event/event_loop.h"

#include <functional>
#include <string>
#include <string_view>

namespace cipherway::gateway {

/// Accepts connections on a socket that the supervisor owns and all workers share (EPOLLEXCLUSIVE). Running out of
/// descriptors pauses it for a moment instead of spinning; whoever waits in the backlog is served afterwards.
class Listener final : public event::Watcher {
 public:
  using Accepted = std::function<void(Fd socket, const Address& peer)>;

  /// `has_room` is asked before each: false pauses it too.
  Listener(event::EventLoop& loop, Fd socket, std::string address, std::function<bool()> has_room, Accepted accepted);
  ~Listener();

  /// Stops accepting for a while: what arrives meanwhile waits in the kernel's backlog, or goes to another worker.
  void pause_for(Clock::duration time);

  void ready(std::uint32_t events) override;

 private:
  void pause();
  void resume();
  void step_back();
  void run_short(std::string_view why);

  event::EventLoop& loop_;
  Fd socket_;
  std::string address_;
  std::function<bool()> has_room_;
  Accepted accepted_;
  event::Timer retry_;
  bool accepting_ = false;
  int accepted_in_a_row_ = 0;
  Clock::time_point said_at_{};  // when a pause was last logged
};

}  // namespace cipherway::gateway
