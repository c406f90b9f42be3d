#include "lab/recorder.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace cipherway::lab {

/// One connection: two sockets, and one copied stream from each to the other. A direction whose sink is full stops
/// reading until it is not.
class Recorder::Flow {
 public:
  Flow(Recorder& recorder, Fd client, Fd server)
      : recorder_(recorder),
        forth_(client.get(), server.get(), recorder.streams_.emplace_back()),
        back_(server.get(), client.get(), recorder.streams_.emplace_back()),
        client_(*this, std::move(client)),
        server_(*this, std::move(server)) {}

  bool begin() {
    return client_.watch(EPOLLIN) && server_.watch(EPOLLIN | EPOLLOUT);  // writable: connected
  }

 private:
  static constexpr std::size_t kBatch = 256 * 1024;

  struct Direction {
    Direction(int from_, int to_, std::string& record_) : from(from_), to(to_), record(record_) {}
    int from;
    int to;
    std::string& record;
    std::string unsent;
    bool ended = false;     // the source will send no more
    bool finished = false;  // and the sink was told so
    bool failed = false;
  };

  class End final : public event::Watcher {
   public:
    End(Flow& flow, Fd socket) : flow_(flow), socket_(std::move(socket)) {}
    ~End() {
      if (events_ != 0) flow_.recorder_.loop_.remove(socket_.get(), *this);
    }
    bool watch(std::uint32_t events) {
      if (events == events_) return true;
      auto& loop = flow_.recorder_.loop_;
      if (events == 0)
        loop.remove(socket_.get(), *this);
      else if (!(events_ == 0 ? loop.add(socket_.get(), events, *this) : loop.change(socket_.get(), events, *this)))
        return false;
      events_ = events;
      return true;
    }
    void ready(std::uint32_t) override { flow_.move(); }

   private:
    Flow& flow_;
    Fd socket_;
    std::uint32_t events_ = 0;
  };

  void move() {
    if (gone_) return;
    advance(forth_);
    advance(back_);
    bool over = forth_.failed || back_.failed || (forth_.finished && back_.finished);
    if (!over) {
      auto wanted = [](const Direction& in, const Direction& out) {
        std::uint32_t events = 0;
        if (!in.ended && in.unsent.empty()) events |= EPOLLIN;
        if (!out.unsent.empty()) events |= EPOLLOUT;
        return events;
      };
      over = !client_.watch(wanted(forth_, back_)) || !server_.watch(wanted(back_, forth_));
    }
    if (!over) return;
    gone_ = true;
    recorder_.loop_.at_turn_end([&recorder = recorder_, self = this] {
      recorder.flows_.remove_if([&](const auto& each) { return each.get() == self; });
    });
  }

  void advance(Direction& direction) {
    for (;;) {
      while (!direction.unsent.empty()) {
        ssize_t put = ::send(direction.to, direction.unsent.data(), direction.unsent.size(), MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (put < 0) {
          direction.failed = true;
          return;
        }
        direction.unsent.erase(0, static_cast<std::size_t>(put));
      }
      if (direction.ended) {
        if (!direction.finished) ::shutdown(direction.to, SHUT_WR);
        direction.finished = true;
        return;
      }
      direction.unsent.resize(kBatch);
      ssize_t got = ::recv(direction.from, direction.unsent.data(), kBatch, 0);
      int error = errno;
      direction.unsent.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      if (got < 0 && error == EINTR) continue;
      if (got < 0 && (error == EAGAIN || error == ENOTCONN)) return;
      if (got < 0 || recorder_.bytes_ + direction.unsent.size() > kMostBytes) {
        direction.failed = true;
        return;
      }
      direction.ended = got == 0;
      direction.record += direction.unsent;
      recorder_.bytes_ += direction.unsent.size();
    }
  }

  Recorder& recorder_;
  Direction forth_;
  Direction back_;
  End client_;
  End server_;
  bool gone_ = false;
};

Result<std::unique_ptr<Recorder>> Recorder::start(event::EventLoop& loop, const Address& address,
                                                  const Address& forward_to) {
  Fd listener = TRY(listen_on(address, 1024));
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0)
    return fail_errno("learn the recorder's address");
  std::unique_ptr<Recorder> recorder(
      new Recorder(loop, Address::from_socket(bound, length), forward_to, std::move(listener)));
  TRY(loop.add(recorder->listener_.get(), EPOLLIN, *recorder));
  return recorder;
}

Recorder::Recorder(event::EventLoop& loop, Address address, Address forward_to, Fd listener)
    : loop_(loop), address_(std::move(address)), forward_to_(std::move(forward_to)), listener_(std::move(listener)) {}

Recorder::~Recorder() {
  loop_.remove(listener_.get(), *this);
}

void Recorder::ready(std::uint32_t) {
  for (;;) {
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) return;
    auto server = connect_to(forward_to_);
    if (!server) continue;
    ++connections_;
    flows_.push_back(std::make_unique<Flow>(*this, std::move(client), std::move(*server)));
    if (!flows_.back()->begin()) flows_.pop_back();
  }
}

bool Recorder::saw(std::string_view text) const {
  return std::ranges::any_of(streams_,
                             [&](const std::string& stream) { return stream.find(text) != std::string::npos; });
}

void Recorder::forget() {
  for (std::string& stream : streams_) {
    stream.clear();
    stream.shrink_to_fit();
  }
  bytes_ = 0;
  connections_ = 0;
}

}  // namespace cipherway::lab
