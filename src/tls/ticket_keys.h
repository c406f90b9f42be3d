#pragma once

#include "base/clock.h"
#include "base/secret_bytes.h"
#include "event/event_loop.h"
#include "keyholder/ticket_epoch.h"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cipherway::tls {

using keyholder::kTicketEpoch;
using keyholder::ticket_epoch_at;

/// One epoch's key: 16 bytes of name, then an AES-256 key and an HMAC-SHA-256 key of 32 bytes each.
struct TicketKey {
  static constexpr std::size_t kNameBytes = 16;
  static constexpr std::size_t kKeyBytes = 32;

  std::uint64_t epoch = 0;
  SecretBytes bytes;     ///< 80 bytes, or empty while the keyholder has not answered
  bool retired = false;  ///< of a keyholder that is gone: opens its tickets, makes none

  bool available() const { return bytes.size() == kNameBytes + 2 * kKeyBytes; }
  BytesView name() const { return bytes.view().first(kNameBytes); }
  BytesView cipher_key() const { return bytes.view().subspan(kNameBytes, kKeyBytes); }
  BytesView mac_key() const { return bytes.view().subspan(kNameBytes + kKeyBytes, kKeyBytes); }
};

/// The ticket keys that one service of this worker uses now: the current epoch's to issue and accept, its neighbours'
/// to accept. Asks for them ahead of time and forgets them (wiped) when they are two epochs old. Without a fresh key no
/// ticket is issued: sessions then simply are not resumed.
class TicketKeys {
 public:
  using Received = std::function<void(Result<SecretBytes>)>;
  /// Asks the keyholder; answers later through the callback.
  using Ask = std::function<void(std::uint64_t epoch, Received)>;
  using Now = std::function<WallClock::time_point()>;

  TicketKeys(event::EventLoop& loop, std::string service, Ask ask, Now now = &WallClock::now);
  ~TicketKeys();

  /// The key to issue with, or nullptr.
  const TicketKey* fresh() const;
  /// The key that a ticket names, or nullptr; `fresh() == named(...)` unless the ticket should be renewed.
  const TicketKey* named(BytesView name) const;

  /// There is a new keyholder, whose root is another: tickets are issued with its keys from now on, and those issued
  /// before are still accepted until their epochs end.
  void retire();

  const std::string& service() const { return service_; }
  /// The epochs whose keys are here, for the exposure report.
  std::vector<std::uint64_t> epochs_held() const;

 private:
  void renew();
  void ask_for(std::uint64_t epoch);

  std::string service_;
  Ask ask_;
  Now now_;
  std::vector<TicketKey> keys_;
  event::Timer timer_;
  std::shared_ptr<TicketKeys*> self_;  // cleared when this object ends: answers may come after that
};

}  // namespace cipherway::tls
