#include "gateway/turns.h"

#include <utility>

namespace cipherway::gateway {

Turns::Turns(event::EventLoop& loop, std::function<void(Guest&)> go_on) : loop_(loop), go_on_(std::move(go_on)) {}

bool Turns::may_start(Guest& guest) {
  if (queue_.may_start(guest, loop_.now())) return true;
  plan();
  return false;
}

void Turns::key_operation_ended() {
  queue_.key_operation_ended();
  plan();
}

/// The next turn comes at once, unless only the keyholder can end the waiting: its answer is an event of its own.
void Turns::plan() {
  if (queue_.anybody_waits() && !queue_.is_blocked()) loop_.again(*this);
}

void Turns::ready(std::uint32_t) {
  while (Guest* guest = queue_.next(loop_.now())) go_on_(*guest);
  plan();
}

}  // namespace cipherway::gateway
