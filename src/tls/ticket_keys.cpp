#include "tls/ticket_keys.h"

#include "base/log.h"

#include <algorithm>

namespace cipherway::tls {

namespace {
constexpr std::chrono::seconds kLookEvery{30};
constexpr std::size_t kMostRetired = 16;

auto current(std::uint64_t epoch) {
  return [epoch](const TicketKey& key) { return key.epoch == epoch && !key.retired; };
}
}  // namespace

TicketKeys::TicketKeys(event::EventLoop& loop, std::string service, Ask ask, Now now)
    : service_(std::move(service)),
      ask_(std::move(ask)),
      now_(std::move(now)),
      timer_(loop, [this] { renew(); }),
      self_(std::make_shared<TicketKeys*>(this)) {
  renew();
}

TicketKeys::~TicketKeys() {
  *self_ = nullptr;
}

void TicketKeys::renew() {
  timer_.set_after(kLookEvery);
  std::uint64_t epoch = ticket_epoch_at(now_());
  std::erase_if(keys_, [&](const TicketKey& key) { return key.epoch + 1 < epoch || key.epoch > epoch + 1; });
  for (std::uint64_t wanted : {epoch, epoch - 1, epoch + 1}) ask_for(wanted);
}

void TicketKeys::ask_for(std::uint64_t epoch) {
  if (std::ranges::any_of(keys_, current(epoch))) return;
  keys_.push_back(TicketKey{epoch, {}});
  ask_(epoch, [self = self_, epoch](Result<SecretBytes> bytes) {
    if (*self == nullptr) return;
    auto& keys = (*self)->keys_;
    auto place = std::ranges::find_if(keys, current(epoch));
    if (place == keys.end()) return;
    if (bytes && bytes->size() == TicketKey::kNameBytes + 2 * TicketKey::kKeyBytes) {
      place->bytes = std::move(*bytes);
      return;
    }
    log::warn("ticket.key.missing", {{"service", (*self)->service_},
                                     {"epoch", epoch},
                                     {"error", bytes ? "the key has another length" : bytes.error().what}});
    keys.erase(place);  // asked for again at the next look
  });
}

void TicketKeys::retire() {
  for (TicketKey& key : keys_) key.retired = key.retired || key.available();
  auto retired = static_cast<std::size_t>(std::ranges::count_if(keys_, &TicketKey::retired));
  for (auto oldest = keys_.begin(); retired > kMostRetired; --retired) {
    oldest = std::find_if(oldest, keys_.end(), [](const TicketKey& key) { return key.retired; });
    oldest = keys_.erase(oldest);
  }
  renew();  // what was asked of the old keyholder and not answered is asked of the new one by the client
}

const TicketKey* TicketKeys::fresh() const {
  auto place = std::ranges::find_if(keys_, current(ticket_epoch_at(now_())));
  return place != keys_.end() && place->available() ? &*place : nullptr;
}

const TicketKey* TicketKeys::named(BytesView name) const {
  for (const TicketKey& key : keys_)
    if (key.available() && std::ranges::equal(key.name(), name)) return &key;
  return nullptr;
}

std::vector<std::uint64_t> TicketKeys::epochs_held() const {
  std::vector<std::uint64_t> epochs;
  for (const TicketKey& key : keys_)
    if (key.available()) epochs.push_back(key.epoch);
  std::ranges::sort(epochs);
  epochs.erase(std::ranges::unique(epochs).begin(), epochs.end());
  return epochs;
}

}  // namespace cipherway::tls
