#include "gateway/admission.h"

#include <netinet/in.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>

namespace cipherway::gateway {

namespace {

constexpr std::uint64_t kSiteBits = 0xffff'ffff'ffff'0000;

std::uint64_t big_endian(const std::uint8_t* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) broken("no randomness");
  return seed;
}

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

}  // namespace

Origin Origin::of(const Address& peer) {
  if (peer.family() == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, peer.get(), sizeof v4);
    return {Kind::V4, ntohl(v4.sin_addr.s_addr)};
  }
  if (peer.family() == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, peer.get(), sizeof v6);
    const std::uint8_t* bytes = v6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return {Kind::V4, big_endian(bytes + 12, 4)};
    return {Kind::Network, big_endian(bytes, 8)};
  }
  return {Kind::Unix, 0};
}

void Guest::settle() {
  if (admission_ != nullptr) admission_->settle(*this);
}

void Guest::leave() {
  if (queue_ != nullptr) queue_->remove(*this);
  if (admission_ != nullptr) admission_->leave(*this);
}

// Seeded, so that nobody who chooses addresses chooses where in the table they meet.
std::size_t Admission::Hash::operator()(const Origin& origin) const {
  return mixed(mixed(origin.prefix ^ seed) + static_cast<std::uint64_t>(origin.kind) * (seed | 1));
}

Admission::Admission(Limits limits, std::size_t most_sources)
    : limits_(limits), most_sources_(most_sources), sources_(0, Hash{random_seed()}) {}

Source* Admission::find(const Origin& origin) {
  auto found = sources_.find(origin);
  return found == sources_.end() ? nullptr : found->second.get();
}

Source& Admission::add(const Origin& origin) {
  auto& source = sources_[origin];
  source = std::make_unique<Source>();
  source->origin = origin;
  return *source;
}

/// The source that a peer counts for, made if it is not known. One that gets no connection has to be forgotten again.
Source& Admission::source_of(const Address& peer, Clock::time_point now) {
  forget_rested(now);
  Origin origin = Origin::of(peer);
  if (Source* known = find(origin)) return *known;
  if (origin.kind == Origin::Kind::Network) {
    Origin its_site{Origin::Kind::Site, origin.prefix & kSiteBits};
    Source* site = find(its_site);
    if (site != nullptr && site->networks >= kNetworksOfASite) return *site;
    if (sources_.size() + 1 < most_sources_) {
      if (site == nullptr) site = &add(its_site);
      ++site->networks;
      Source& source = add(origin);
      source.site = site;
      return source;
    }
  } else if (sources_.size() < most_sources_) {
    return add(origin);
  }
  Origin others{Origin::Kind::Others, 0};
  Source* shared = find(others);
  return shared != nullptr ? *shared : add(others);
}

void Admission::forget_unneeded(Source& source, Clock::time_point now) {
  if (source.open > 0 || source.networks > 0 || source.is_resting) return;
  if (source.bucket_full_at > now) {
    source.is_resting = true;
    resting_.push_back(&source);
    return;
  }
  erase(source);
}

void Admission::erase(Source& source) {
  Source* site = source.site;
  sources_.erase(source.origin);
  if (site == nullptr) return;
  --site->networks;
  forget_unneeded(*site, latest_);
}

/// A bucket is full again a second after its last handshake at the latest, so the first to rest are the first to go.
void Admission::forget_rested(Clock::time_point now) {
  latest_ = std::max(latest_, now);
  while (!resting_.empty()) {
    Source& source = *resting_.front();
    if (source.open == 0 && source.networks == 0 && source.bucket_full_at > now) return;
    resting_.pop_front();
    source.is_resting = false;
    forget_unneeded(source, now);
  }
}

std::string_view word(Admission::Answer answer) {
  return answer == Admission::Answer::TooManyOfSource ? "source-limit" : "limit";
}

std::string_view explain(Admission::Answer answer) {
  switch (answer) {
    case Admission::Answer::Welcome: return "";
    case Admission::Answer::TooManyOfSource: return "as many connections of its source are open as it may have";
    case Admission::Answer::ShareUsedUp: return "the channel is nearly full, and its source has its share";
    case Admission::Answer::Full: return "as many connections are open as the channel may have";
  }
  broken("Answer out of range");
}

Admission::Answer Admission::enter(Guest& guest, const Address& peer, Clock::time_point now, For whom) {
  Source& source = source_of(peer, now);
  bool is_limited = whom == For::Itself;
  bool has_share = is_limited && source.origin.kind != Origin::Kind::Unix;
  unsigned share = has_share ? limits_.connections / kShare : 0;
  Answer answer = Answer::Welcome;
  if (is_limited && limits_.source_connections > 0 && source.open >= limits_.source_connections) {
    answer = Answer::TooManyOfSource;
  } else if (open_ >= limits_.connections) {
    // Somebody who has more half-open ones than whoever asks makes room; those that relay stay.
    if (most_ <= source.half_open.size()) answer = Answer::Full;
  } else if (share > 0 && open_ >= limits_.connections - share && source.open >= share) {
    answer = Answer::ShareUsedUp;
  }
  if (answer != Answer::Welcome) {
    forget_unneeded(source, now);
    return answer;
  }
  guest.admission_ = this;
  guest.source_ = &source;
  ++open_;
  ++source.open;
  change_half_open(source, guest, true);
  return Answer::Welcome;
}

Guest* Admission::greediest(const Guest* newcomer) const {
  if (most_ == 0) return nullptr;
  const auto& half_open = by_count_[most_].front()->half_open;
  if (half_open.front() != newcomer) return half_open.front();
  // Nobody has more than one: the source that came first pays, which is not the newcomer's unless it is alone.
  return by_count_[most_].size() > 1 ? (*std::next(by_count_[most_].begin()))->half_open.front() : nullptr;
}

Guest* Admission::overcrowding(const Guest* newcomer) const {
  if (half_open_ <= limits_.half_open && open_ <= limits_.connections) return nullptr;
  return greediest(newcomer);
}

bool Admission::may_begin_handshake(const Guest& guest, Clock::time_point now) {
  if (limits_.source_handshakes_per_second == 0 || guest.source_ == nullptr) return true;
  // A bucket that holds one second's worth, as the moment at which it is full again.
  constexpr Clock::duration kWindow = std::chrono::seconds(1);
  Clock::duration each = kWindow / limits_.source_handshakes_per_second;
  Clock::time_point full = std::max(guest.source_->bucket_full_at, now) + each;
  if (full > now + kWindow) return false;
  guest.source_->bucket_full_at = full;
  return true;
}

void Admission::change_half_open(Source& source, Guest& guest, bool half_open) {
  std::size_t before = source.half_open.size();
  std::size_t after = half_open ? before + 1 : before - 1;
  guest.half_open_ = half_open;
  if (half_open) {
    guest.place_ = source.half_open.insert(source.half_open.end(), &guest);
    ++half_open_;
  } else {
    source.half_open.erase(guest.place_);
    --half_open_;
  }
  if (by_count_.size() <= after) by_count_.resize(after + 1);
  auto& to = by_count_[after];
  if (before == 0) {
    source.rank = to.insert(to.end(), &source);
  } else if (after == 0) {
    by_count_[before].erase(source.rank);
  } else {
    to.splice(to.end(), by_count_[before], source.rank);
  }
  most_ = std::max(most_, after);
  while (most_ > 0 && by_count_[most_].empty()) --most_;
}

void Admission::settle(Guest& guest) {
  if (guest.half_open_) change_half_open(*guest.source_, guest, false);
}

void Admission::leave(Guest& guest) {
  Source& source = *guest.source_;
  settle(guest);
  --open_;
  --source.open;
  guest.admission_ = nullptr;
  guest.source_ = nullptr;
  forget_unneeded(source, latest_);
}

bool FairQueue::has_room(Clock::time_point turn) {
  if (turn != turn_) {
    turn_ = turn;
    started_ = 0;
  }
  return started_ < kPerTurn && at_keyholder_ < kMostAtKeyholder;
}

bool FairQueue::may_start(Guest& guest, Clock::time_point turn) {
  if (ring_.empty() && has_room(turn)) {
    ++started_;
    return true;
  }
  if (guest.queue_ != nullptr) return false;
  if (guest.source_ == nullptr) return true;  // evicted, and about to go
  Source& source = *guest.source_;
  if (source.waiting.empty()) source.turn = ring_.insert(ring_.end(), &source);
  guest.turn_ = source.waiting.insert(source.waiting.end(), &guest);
  guest.queue_ = this;
  return false;
}

Guest* FairQueue::next(Clock::time_point turn) {
  if (ring_.empty() || !has_room(turn)) return nullptr;
  ++started_;
  Source& source = *ring_.front();
  Guest& guest = *source.waiting.front();
  source.waiting.pop_front();
  guest.queue_ = nullptr;
  if (source.waiting.empty()) {
    ring_.pop_front();
  } else {
    ring_.splice(ring_.end(), ring_, ring_.begin());
  }
  return &guest;
}

void FairQueue::remove(Guest& guest) {
  Source& source = *guest.source_;
  source.waiting.erase(guest.turn_);
  guest.queue_ = nullptr;
  if (source.waiting.empty()) ring_.erase(source.turn);
}

}  // namespace cipherway::gateway
