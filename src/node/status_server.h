#pragma once

#include "event/event_loop.h"
#include "event/frame_socket.h"
#include "node/status_site.h"

#include <functional>
#include <list>
#include <memory>
#include <optional>

namespace cipherway::node {

/// The HTTP server of a node's status: one event loop, one request a connection. Lives in a process of its own, which
/// holds no key and opens nothing: what it serves is the report that it asks the supervisor for (status_control.h).
/// Everything a client can take is bounded: how many there are, how much each says, how long it may take.
class StatusServer final : public event::Watcher {
 public:
  struct Limits {
    std::size_t clients = 64;  ///< one more pushes out the one that has been there longest
    std::chrono::milliseconds request{5'000};
    std::chrono::milliseconds response{10'000};
    std::chrono::milliseconds supervisor{3'000};
  };

  /// `stop` is called when the supervisor is gone.
  StatusServer(event::EventLoop& loop, Fd listener, Fd control, Limits limits, std::function<void()> stop);
  ~StatusServer();

  void ready(std::uint32_t events) override;  ///< somebody connected

 private:
  class Client;
  void received(const event::Frame& frame);
  void wants_report();
  void answer_all();
  void leave(Client& client);
  const Report* fresh_report() const;

  event::EventLoop& loop_;
  Fd listener_;
  Limits limits_;
  StatusSite site_;
  std::unique_ptr<event::FrameSocket> control_;
  std::list<std::unique_ptr<Client>> clients_;  // in the order they came
  std::optional<Report> report_;
  Clock::time_point report_came_{};
  bool asked_ = false;
  std::uint32_t last_id_ = 0;
  event::Timer patience_;
  event::Timer accept_again_;
};

}  // namespace cipherway::node
