#include "tls/keys.h"

#include "keyholder/client.h"
#include "tls/ticket_keys.h"

namespace cipherway::tls {

Keys::Keys(event::EventLoop& loop, std::function<void()> lost) : loop_(loop), lost_(std::move(lost)) {
  client_ = std::make_unique<keyholder::Client>(loop_, Fd(), [this] { lost_(); });
}

Keys::~Keys() = default;

void Keys::begin_generation() {
  client_->begin_generation();
}

Result<Fd> Keys::connect() {
  SocketPair pair = TRY(stream_pair());
  client_->reconnect(std::move(pair.ours));
  for (auto& [service, held] : tickets_)
    if (auto keys = held.lock()) keys->retire();
  return std::move(pair.theirs);
}

Result<crypto::KeyHandle> Keys::key_for(const std::string& identity, const crypto::KeyHandle& public_key) {
  return client_->key_for(identity, public_key);
}

std::shared_ptr<TicketKeys> Keys::tickets_of(const std::string& service) {
  auto& held = tickets_[service];
  if (auto keys = held.lock()) return keys;
  auto keys = std::make_shared<TicketKeys>(loop_, service, [this, service](std::uint64_t epoch, auto received) {
    client_->ticket_key(service, epoch, std::move(received));
  });
  held = keys;
  return keys;
}

std::vector<Keys::HeldTicket> Keys::held_tickets() const {
  std::vector<HeldTicket> held;
  for (const auto& [service, weak] : tickets_)
    if (auto keys = weak.lock())
      for (std::uint64_t epoch : keys->epochs_held())
        held.push_back({service, epoch, WallClock::time_point(kTicketEpoch * static_cast<long>(epoch + 2))});
  return held;
}

const Histogram& Keys::sign_time() const {
  return client_->sign_time();
}

keyholder::Client& Keys::client() {
  return *client_;
}

}  // namespace cipherway::tls
