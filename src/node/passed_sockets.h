#pragma once

#include "base/address.h"
#include "base/fd.h"

#include <memory>
#include <string>
#include <vector>

namespace cipherway::node {

/// The listening sockets that a service manager opened and passed to this process (sd_listen_fds(3)): what
/// `listen = "systemd:NAME"` means. The service manager keeps them open too, so connections wait in them while a node
/// is stopped and another one starts. Lives in the supervisor as long as it does: a channel that comes back by a reload
/// finds its socket again.
class PassedSockets {
 public:
  struct Socket {
    std::string name;
    Address address;  ///< where it really listens
    Fd fd;
  };

  PassedSockets() = default;  ///< none
  /// Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES describe, and removes these from the environment: to be
  /// called once, before this process opens anything. None when they are for another process. An error when a
  /// descriptor is not a listening stream socket.
  static Result<PassedSockets> take();

  /// The socket of that name; an error that says which names there are.
  Result<std::shared_ptr<const Socket>> find(const std::string& name) const;
  bool empty() const { return sockets_.empty(); }

 private:
  std::vector<std::shared_ptr<const Socket>> sockets_;
};

}  // namespace cipherway::node
