#pragma once

#include "base/fd.h"
#include "base/histogram.h"
#include "crypto/key.h"
#include "event/event_loop.h"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace cipherway::keyholder {
class Client;
}

namespace cipherway::tls {

class TicketKeys;

/// A gateway worker's way to the keys that it does not hold: private-key operations and ticket keys, both asked of the
/// keyholder. One per worker; lives as long as the worker.
class Keys {
 public:
  /// `lost` is called when the keyholder closed its socket; signatures asked for from then on wait for `connect`.
  Keys(event::EventLoop& loop, std::function<void()> lost);
  ~Keys();

  /// The keys of a new config: those that `key_for` makes from now on are the next keyholder's (keyholder/client.h).
  void begin_generation();

  /// Makes a socket pair, keeps one end and returns the other, which somebody brings to the keyholder: made here, so
  /// that the keyholder can check by SO_PEERCRED which process is at the other end.
  Result<Fd> connect();

  /// The key of an identity, as an object that OpenSSL signs with and that holds the public half only.
  Result<crypto::KeyHandle> key_for(const std::string& identity, const crypto::KeyHandle& public_key);

  /// The ticket keys of a service, the same object for the same name.
  std::shared_ptr<TicketKeys> tickets_of(const std::string& service);

  /// The ticket keys that are in this process now, for the exposure report.
  struct HeldTicket {
    std::string service;
    std::uint64_t epoch;
    WallClock::time_point forgotten_at;
  };
  std::vector<HeldTicket> held_tickets() const;

  const Histogram& sign_time() const;  ///< of the keyholder, as this process sees it

  keyholder::Client& client();

 private:
  event::EventLoop& loop_;
  std::function<void()> lost_;
  std::unique_ptr<keyholder::Client> client_;
  std::unordered_map<std::string, std::weak_ptr<TicketKeys>> tickets_;
};

}  // namespace cipherway::tls
