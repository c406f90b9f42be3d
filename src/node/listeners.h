#pragma once

#include "base/fd.h"
#include "config/config.h"
#include "node/passed_sockets.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cipherway::node {

/// The listening sockets of a config, one an address. They live in the supervisor, so that a connection waits in the
/// kernel's queue while workers come and go. A UNIX socket's name is removed when the last set that has it goes.
class Listeners {
 public:
  /// A socket for every address that a channel listens on: the one that `existing` has for it, else a new one. All that
  /// cannot be opened are reported, each at the place of the first `listen` that says so.
  static std::expected<Listeners, std::vector<config::Problem>> open(const config::Node& node,
                                                                     const Listeners& existing,
                                                                     const PassedSockets& passed);

  class Socket {
   public:
    /// Who made, and removes, the name of a UNIX socket.
    enum class Name { Ours, ServiceManagers };
    Socket(Address address, Fd fd, Name name = Name::Ours)
        : address_(std::move(address)), fd_(std::move(fd)), name_(name) {}
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    const Address& address() const { return address_; }
    const Fd& fd() const { return fd_; }

   private:
    Address address_;
    Fd fd_;
    Name name_;
  };
  using ByAddress = std::map<std::string, std::shared_ptr<const Socket>>;
  const ByAddress& by_address() const { return by_address_; }

 private:
  static std::expected<std::shared_ptr<const Socket>, config::Problem> passed_socket(const config::Channel& channel,
                                                                                     const PassedSockets& passed);

  ByAddress by_address_;
};

}  // namespace cipherway::node
