#pragma once

#include "event/event_loop.h"

#include <cstddef>
#include <list>

namespace cipherway::gateway {

class Endpoint;

/// The endpoints whose TLS sessions have record buffers, 21 to 33 kB each: those that did something last. To take such
/// buffers for every record, and to wipe and free them again, would be several hundredths of what a small request
/// costs; to keep them, most of what an idle connection takes. So the busiest keep theirs until they rest.
class BusyEndpoints {
 public:
  /// So many keep their buffers; another one takes the place of the one that rests longest.
  static constexpr std::size_t kMost = 64;
  static constexpr std::chrono::milliseconds kRestAfter{250};

  using List = std::list<Endpoint*>;

  explicit BusyEndpoints(event::EventLoop& loop);

  /// Its session has been at work in this turn.
  void did_something(Endpoint& endpoint);
  void forget(Endpoint& endpoint);
  std::size_t count() const { return least_recent_first_.size(); }

 private:
  void let_rest();

  event::EventLoop& loop_;
  List least_recent_first_;
  event::Timer timer_;
};

}  // namespace cipherway::gateway
