#pragma once

#include "event/event_loop.h"
#include "gateway/admission.h"

#include <functional>

namespace cipherway::gateway {

/// The FairQueue at work in a worker's loop: who has to wait for a turn is called back in one of the next ones.
class Turns final : public event::Watcher {
 public:
  Turns(event::EventLoop& loop, std::function<void(Guest&)> go_on);

  /// True: begin the handshake. False: the guest waits, and is called back when its turn has come.
  bool may_start(Guest& guest);
  /// A handshake that was begun waits for the keyholder, and does no more.
  void key_operation_began() { queue_.key_operation_began(); }
  void key_operation_ended();

  void ready(std::uint32_t events) override;

 private:
  void plan();

  event::EventLoop& loop_;
  FairQueue queue_;
  std::function<void(Guest&)> go_on_;
};

}  // namespace cipherway::gateway
