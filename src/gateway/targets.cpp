#include "gateway/targets.h"

#include "base/log.h"
#include "gateway/verdict.h"

#include <algorithm>

namespace cipherway::gateway {

namespace {
/// So many intervals without a check, and what the last one said counts no more.
constexpr int kVerdictIntervals = 3;
constexpr std::chrono::seconds kLogPause{1};
}  // namespace

Visit::Visit(std::shared_ptr<Targets> targets, std::shared_ptr<const Target> target)
    : targets_(std::move(targets)), target_(std::move(target)) {}

Visit& Visit::operator=(Visit&& other) noexcept {
  if (this == &other) return *this;
  leave();
  targets_ = std::move(other.targets_);
  target_ = std::move(other.target_);
  return *this;
}

Visit::~Visit() {
  leave();
}

void Visit::leave() {
  if (target_) target_->place->closed();
  target_.reset();
}

void Visit::failed(Clock::time_point now) {
  const config::Eject& eject = targets_->eject();
  if (!connection_failed(target_->standing(), eject.failures, now, eject.duration)) return;
  log::warn("target.ejected", {{"channel", targets_->channel()},
                               {"target", target_->text},
                               {"failures", target_->standing().failing.load()},
                               {"for_ms", eject.duration.count()}});
}

void Visit::worked(Clock::time_point now) {
  if (connection_worked(target_->standing(), now, targets_->eject().duration))
    log::info("target.up", {{"channel", targets_->channel()}, {"target", target_->text}, {"why", "it was reached"}});
}

Targets::Targets(const config::Channel& channel, const TargetSources& sources)
    : channel_(channel.name.value),
      health_(channel.health),
      eject_(channel.eject),
      policy_(channel.to.balance),
      slow_start_(channel.to.slow_start),
      board_(sources.board),
      random_(sources.random),
      balancer_(policy_, {}) {
  own_place_ = board_->place(channel_, "", Clock::now());
  entries_.reserve(channel.to.targets.size());  // followers know their index, and the resolver calls at once
  for (const auto& target : channel.to.targets) {
    Entry& entry = entries_.emplace_back(Entry{target.value, {}, {}});
    if (const Address* address = target.value.address()) entry.addresses = {*address};
    if (const HostPort* name = target.value.name()) {
      entry.subscription =
          sources.resolver.follow(*name, [this, index = entries_.size() - 1](const std::vector<Address>& addresses) {
            entries_[index].addresses = addresses;
            if (ready_) gather();
          });
    }
  }
  ready_ = true;
  gather();
}

void Targets::retire() {
  for (Entry& entry : entries_) entry.subscription = {};
}

/// The targets as the names now are. Those that stay keep what is known about them.
void Targets::gather() {
  std::vector<std::shared_ptr<Target>> targets;
  std::vector<Weighted> weighted;
  for (const Entry& entry : entries_) {
    for (const Address& address : entry.addresses) {
      auto one = target(address, entry.config);
      bool twice = std::ranges::any_of(targets, [&](const auto& other) { return other->text == one->text; });
      if (twice || targets.size() == kMostTargets) continue;
      weighted.push_back({one->text, one->weight});
      targets.push_back(std::move(one));
    }
  }
  targets_ = std::move(targets);
  balancer_ = Balancer(policy_, std::move(weighted));
  balancer_.stagger(random_);
}

std::shared_ptr<Target> Targets::target(const Address& address, const config::Target& config) {
  std::string text = address.to_string();
  auto known = std::ranges::find_if(targets_, [&](const auto& each) { return each->text == text; });
  if (known != targets_.end() && (*known)->name == config.to_string()) return *known;
  auto place = board_->place(channel_, text, Clock::now());
  return std::make_shared<Target>(Target{.address = address,
                                         .text = std::move(text),
                                         .name = config.to_string(),
                                         .weight = config.weight,
                                         .limit = config.connections,
                                         .place = std::move(place)});
}

bool Targets::is_down(const Target& target, Clock::time_point now) const {
  if (!health_) return false;
  auto valid = kVerdictIntervals * (health_->interval + health_->timeout) + Board::kLease;
  return verdict(target.standing(), now, valid) == Health::Down;
}

double Targets::share(const Target& target, Clock::time_point now) const {
  if (slow_start_ == Clock::duration::zero()) return 1;
  return share_after(now - up_since(target.standing(), now), slow_start_);
}

std::optional<std::size_t> Targets::choose(const Journey& journey, bool ejected_too, bool& full,
                                           Clock::time_point now) {
  bool needs_counts = policy_ == config::Balance::LeastConnections || policy_ == config::Balance::TwoChoices;
  candidates_.assign(targets_.size(), Candidate{});
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const Target& target = *targets_[i];
    Candidate& candidate = candidates_[i];
    candidate.available = !is_down(target, now) &&
                          std::ranges::find(journey.tried, target.text) == journey.tried.end() &&
                          (ejected_too || !is_ejected(target.standing(), now, eject_.duration));
    if (!candidate.available) continue;
    if (needs_counts || target.limit != 0) candidate.open = target.place->open();
    if (target.limit != 0 && candidate.open >= target.limit) {
      candidate.available = false;
      full = true;
      continue;
    }
    candidate.share = share(target, now);
  }
  return balancer_.choose(candidates_, journey.pin, random_);
}

std::expected<Visit, NoTarget> Targets::next(Journey& journey, Clock::time_point now) {
  if (journey.tried.size() >= Journey::kMostTries) return std::unexpected(NoTarget::NoneLeft);
  bool down = std::ranges::all_of(targets_, [&](const auto& target) { return is_down(*target, now); });
  all_down(down, now);
  if (down) return std::unexpected(NoTarget::AllDown);
  bool full = false;
  for (bool ejected_too : {false, true}) {
    for (std::size_t attempt = 0; attempt <= targets_.size(); ++attempt) {
      auto chosen = choose(journey, ejected_too, full, now);
      if (!chosen) break;
      std::shared_ptr<Target> target = targets_[*chosen];
      // Counted first and asked then: of two workers that want the last place, none may be one too many.
      target->place->opened();
      if (target->limit != 0 && target->place->open() > target->limit) {
        target->place->closed();
        full = true;
        continue;
      }
      journey.tried.push_back(target->text);
      return Visit(shared_from_this(), std::move(target));
    }
  }
  return std::unexpected(full ? NoTarget::AllFull : NoTarget::NoneLeft);
}

void Targets::tick(Clock::time_point now) {
  auto keep = [&](std::unique_ptr<Board::Place>& place, std::string_view text) {
    if (!board_->touch(*place, now)) place = board_->place(channel_, text, now);
  };
  keep(own_place_, "");
  for (auto& target : targets_) keep(target->place, target->text);
  all_down(std::ranges::all_of(targets_, [&](const auto& target) { return is_down(*target, now); }), now);
}

/// Every worker sees it; the first that does says so.
void Targets::all_down(bool down, Clock::time_point) {
  if (down == all_down_) return;
  all_down_ = down;
  Health before = own_place_->standing().health.exchange(down ? Health::Down : Health::Up);
  if (down && before != Health::Down)
    log::error("channel.all-targets-down", {{"channel", channel_}, {"targets", targets_.size()}});
  if (!down && before == Health::Down) log::info("channel.targets-up", {{"channel", channel_}});
}

bool Targets::worth_logging(Clock::time_point now, std::uint64_t& missed) {
  if (logged_ != Clock::time_point{} && now < logged_ + kLogPause) {
    ++unlogged_;
    return false;
  }
  missed = std::exchange(unlogged_, 0);
  logged_ = now;
  return true;
}

std::string_view Targets::state(const Target& target, Clock::time_point now) const {
  if (is_down(target, now)) return "down";
  if (is_ejected(target.standing(), now, eject_.duration)) return "ejected";
  if (health_ && target.standing().checked_at.load() == 0) return "unchecked";
  return "up";
}

std::vector<std::string> Targets::unresolved() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_)
    if (entry.addresses.empty()) out.push_back(entry.config.to_string());
  return out;
}

}  // namespace cipherway::gateway
