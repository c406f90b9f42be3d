#pragma once

#include "event/event_loop.h"

#include <functional>
#include <initializer_list>

namespace cipherway::event {

/// Turns signals into calls from the loop (signalfd). The signals are blocked in this thread from construction on;
/// a child process must call `unblock_all` before it runs another program.
class Signals final : public Watcher {
 public:
  Signals(EventLoop& loop, std::initializer_list<int> signals, std::function<void(int)> received);
  ~Signals();
  void ready(std::uint32_t events) override;
  static void unblock_all();

 private:
  EventLoop& loop_;
  std::function<void(int)> received_;
  Fd fd_;
};

}  // namespace cipherway::event
