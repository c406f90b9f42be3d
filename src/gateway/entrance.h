#pragma once

#include "gateway/admission.h"
#include "gateway/channel.h"
#include "gateway/routes.h"

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace cipherway::gateway {

class Connection;

/// A listening address in a worker, and the channels that it leads into. A reload replaces the channels in place: a
/// connection that waits here goes where it leads when its first bytes come, not where it led when it was accepted.
class Entrance {
 public:
  explicit Entrance(std::string address) : address_(std::move(address)) {}

  /// From now on it leads here, in the order of the file; nowhere when the address has left the config.
  void lead_into(std::vector<std::shared_ptr<Channel>> channels);

  const std::string& address() const { return address_; }
  const std::vector<std::shared_ptr<Channel>>& channels() const { return channels_; }
  const Routes& routes() const { return routes_; }
  /// The one channel, whatever the first bytes will be, or null.
  Channel* only() const { return channels_.size() == 1 ? channels_.front().get() : nullptr; }
  /// One channel without TLS: nobody waits for a first byte, because it may be the server's to speak first.
  bool is_plain() const { return plain_; }
  /// The channel, or what the log says of a connection, depends on more than that the client speaks TLS.
  bool needs_hello() const { return needs_hello_; }

  /// A connection from there begins with a PROXY protocol header, and one from anywhere else must not.
  bool expects_proxy_header(const Address& peer) const;
  bool has_proxies() const { return !proxy_from_.empty(); }

  /// How long a client may take until its handshake is done, as long as its channel is not known.
  std::chrono::milliseconds patience() const { return patience_; }

  Admission admission{{}};         ///< who is behind this address, whatever the channel
  std::list<Connection*> waiting;  ///< connections whose channel is not known yet, the oldest first
  Refusals refusals;               ///< that never got to know it, where there are several

 private:
  std::string address_;
  std::vector<std::shared_ptr<Channel>> channels_;
  Routes routes_;
  std::vector<Network> proxy_from_;
  std::chrono::milliseconds patience_{};
  bool plain_ = false;
  bool needs_hello_ = false;
};

}  // namespace cipherway::gateway
