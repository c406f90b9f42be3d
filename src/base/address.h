#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <sys/socket.h>

#include <string>
#include <string_view>

namespace cipherway {

/// Where to listen or to connect: `192.0.2.1:443`, `[2001:db8::1]:443` or `unix:/path/of/socket`.
/// Host names are not addresses: resolving them is somebody else's work.
class Address {
 public:
  Address() = default;  ///< no address yet: neither local nor UNIX
  static Result<Address> parse(std::string_view text);
  static Address from_socket(const sockaddr_storage& storage, socklen_t length);

  /// The text `parse` takes.
  std::string to_string() const;
  /// The host alone ("192.0.2.1", "2001:db8::1"), or "unix".
  std::string host() const;

  bool is_unix() const { return storage_.ss_family == AF_UNIX; }
  /// Loopback or a UNIX socket: bytes never leave this machine.
  bool is_local() const;
  int family() const { return storage_.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const { return length_; }
  bool operator==(const Address& other) const;

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

/// A non-blocking, close-on-exec listening socket, with TCP_NODELAY set so that accepted sockets inherit it.
/// A stale UNIX socket (nobody listens) is replaced; one that answers is an error.
Result<Fd> listen_on(const Address& address, int backlog);

/// Whether something will be sent as soon as a connection is there. If so, its handshake is one segment shorter; if
/// not, the other side would learn some 40 ms late that it is there.
enum class FirstData { MayWait, AtHand };

/// Starts a connection without waiting for it: the socket is writable when it is established or failed.
Result<Fd> connect_to(const Address& address, FirstData first = FirstData::MayWait);

}  // namespace cipherway
