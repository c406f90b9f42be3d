#include "gateway/listener.h"

#include "base/log.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace cipherway::gateway {

namespace {
constexpr int kMostAcceptsPerTurn = 64;
/// The kernel wakes the worker that waits longest for a socket, again and again as long as it is idle. After so many
/// connections a worker queues up behind the others: rarely enough that it costs nothing.
constexpr int kAcceptsInARow = 4;
/// Of a burst, so many have their signatures asked for together: with more, the first would wait long for the last;
/// with fewer, the keyholder would be woken for each.
constexpr int kAcceptsTogether = 2;
constexpr std::chrono::milliseconds kRetryAfter{100};
constexpr std::chrono::seconds kSayAgainAfter{10};
}  // namespace

Listener::Listener(event::EventLoop& loop, Fd socket, std::string address, std::function<bool()> has_room,
                   Accepted accepted)
    : loop_(loop),
      socket_(std::move(socket)),
      address_(std::move(address)),
      has_room_(std::move(has_room)),
      accepted_(std::move(accepted)),
      retry_(loop, [this] { resume(); }) {
  resume();
}

Listener::~Listener() {
  pause();
}

void Listener::pause() {
  retry_.cancel();
  if (accepting_) loop_.remove(socket_.get(), *this);
  accepting_ = false;
}

void Listener::pause_for(Clock::duration time) {
  pause();
  retry_.set_after(time);
}

void Listener::resume() {
  if (accepting_) return;
  if (!loop_.add(socket_.get(), EPOLLIN | EPOLLEXCLUSIVE, *this, event::EventLoop::Order::First)) {
    retry_.set_after(kRetryAfter);
    return;
  }
  accepting_ = true;
}

void Listener::ready(std::uint32_t) {
  for (int i = 0; i < kMostAcceptsPerTurn && accepting_; ++i) {
    if (!has_room_()) return run_short("no descriptors are left for another connection");
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    Fd socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      ++accepted_in_a_row_;
      accepted_(std::move(socket), Address::from_socket(storage, length));
      if (i % kAcceptsTogether == 0) loop_.run_after_event();
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    return run_short(std::generic_category().message(errno));
  }
  if (accepted_in_a_row_ >= kAcceptsInARow) step_back();
}

/// Waits for a moment, and says so from time to time.
void Listener::run_short(std::string_view why) {
  pause_for(kRetryAfter);
  if (said_at_ != Clock::time_point{} && loop_.now() < said_at_ + kSayAgainAfter) return;
  said_at_ = loop_.now();
  log::warn("accept.paused", {{"listen", address_}, {"error", why}});
}

void Listener::step_back() {
  accepted_in_a_row_ = 0;
  if (!accepting_) return;
  pause();
  resume();
}

}  // namespace cipherway::gateway
