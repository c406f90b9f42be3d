#pragma once

#include "base/host_port.h"
#include "event/event_loop.h"
#include "gateway/name_service.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cipherway::gateway {

/// Keeps the addresses of names up to date, for one worker: asks name servers (c-ares) from the worker's event loop,
/// again whenever a time to live is over. Nothing here blocks. A name that cannot be resolved keeps its last addresses.
/// What a name server says is not trusted with more than where to connect: who is there is for the handshake to find
/// out.
class Resolver {
 public:
  using Changed = std::function<void(const std::vector<Address>&)>;

  /// Once per process, before its sandbox: c-ares takes the randomness of its query ids from a file.
  static Result<void> set_up();

  explicit Resolver(event::EventLoop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// From now on these servers and hosts. Everything is asked again if it is not what was.
  void use(NameService service);

  /// Somebody's interest in a name; while there is one, it is kept up to date.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription();

   private:
    friend class Resolver;
    Resolver* resolver_ = nullptr;
    HostPort name_;
    std::uint64_t id_ = 0;
  };
  /// Calls `changed` at once with what is known (nothing, for a new name), and then whenever it changes. Addresses are
  /// sorted, each is there once, at most NameService::kMostAddresses.
  Subscription follow(const HostPort& name, Changed changed);

  /// Calls back when every name has an answer or a failure behind it: at once if there is nothing to wait for.
  void when_settled(std::function<void()> settled);

 private:
  struct Name;
  struct Channel;
  class Socket;

  void ask(Name& name);
  void ask_next(Name& name);
  void answered(const HostPort& name, std::uint64_t question, int status, void* answer);
  void accept(Name& name, std::vector<Address> addresses, std::chrono::seconds time_to_live);
  void failed(Name& name, const std::string& reason);
  void tell_if_settled();
  void unfollow(const HostPort& name, std::uint64_t id);
  void socket_wanted(int fd, bool readable, bool writable);
  void process(int read_fd, int write_fd);
  void set_timer();

  event::EventLoop& loop_;
  NameService service_;
  Channel* channel_;
  std::map<HostPort, std::unique_ptr<Name>> names_;
  std::map<int, std::unique_ptr<Socket>> sockets_;
  std::vector<std::function<void()>> settled_;
  event::Timer timer_;
  std::uint64_t last_id_ = 0;
};

}  // namespace cipherway::gateway
