// The supervisor's keyholders: one serves, one may be loading keys, some may be ending.
#include "base/log.h"
#include "node/supervisor.h"

#include <unistd.h>

#include <algorithm>

namespace cipherway::node {

namespace {

/// How long a keyholder goes on signing for the handshakes of before a reload: many round trips. Not longer, because it
/// holds keys that were to be replaced; and few at once, if reloads come fast.
constexpr std::chrono::seconds kRetirement{2};
constexpr std::size_t kMostRetired = 3;

}  // namespace

Result<void> Supervisor::raise_keyholder(const Generation& generation) {
  std::uint32_t number = ++keyholders_;
  auto keys = TRY(generation.keys());
  rising_ = TRY(KeyholderProcess::start(
      loop_, keyholder_setting_, number, keys,
      {.ready = [this] { keyholder_is_ready(); },
       .refused = [this](const std::vector<KeyholderProcess::Refusal>& refusals) { keyholder_refused(refusals); },
       .status = [this](pid_t pid, std::uint32_t id,
                        Result<keyholder::Status> status) { keyholder_reported(pid, id, std::move(status)); },
       .alive = [this] { keyholder_silence_.answered(); },
       .ended = [this, number](event::ProcessEnd end) { keyholder_ended(number, end); }}));
  log::info("keyholder.started", {{"keyholder_pid", rising_->pid()}, {"generation", generation.number}});
  return {};
}

void Supervisor::keyholder_is_ready() {
  if (change_ && !change_->configuring) return keys_are_loaded();
  keyholder_ = std::move(rising_);
  for (auto& place : places_)
    if (place->process) place->process->ask_for_keyholder_end(keyholder_->number());
}

void Supervisor::keyholder_refused(const std::vector<KeyholderProcess::Refusal>& refusals) {
  if (change_ && !change_->configuring) {
    auto problems = problems_of(*change_->next, refusals);
    let_end(std::move(rising_));
    return change_failed(problems);
  }
  for (const config::Problem& problem : problems_of(*current_, refusals))
    log::error("keyholder.failed", {{"reason", problem.to_string()}});
  let_end(std::move(rising_));
  raise_keyholder_later(Clock::duration::zero());
}

void Supervisor::keyholder_ended(std::uint32_t number, event::ProcessEnd end) {
  auto is_it = [&](const std::unique_ptr<KeyholderProcess>& each) { return each && each->number() == number; };
  if (auto gone = std::ranges::find_if(ending_, is_it); gone != ending_.end()) {
    forget_process((*gone)->pid());
    ending_.erase(gone);
    return finish_if_all_ended();
  }

  auto report = [&](const KeyholderProcess& keyholder) {
    log::error("keyholder.died", {{"keyholder_pid", keyholder.pid()}, {"how", end.to_string()}});
  };
  if (is_it(keyholder_)) {
    report(*keyholder_);
    Clock::duration life = keyholder_->age();
    forget_process(keyholder_->pid());
    keyholder_.reset();
    if (phase_ == Phase::Stopping) return;
    ++keyholder_restarts_;
    if (!rising_) raise_keyholder_later(life);
  } else if (is_it(rising_)) {
    report(*rising_);
    Clock::duration life = rising_->age();
    rising_.reset();
    if (change_ && !change_->configuring)
      return change_failed({{config::Place{options_.config, 0, 0},
                             "the keyholder ended before it was ready: " + end.to_string(), std::nullopt}});
    raise_keyholder_later(life);
  } else if (change_ && is_it(change_->keyholder_before)) {
    report(*change_->keyholder_before);
    change_->keyholder_before.reset();
  }
}

/// After a reload: handshakes that began before it are still to be signed, with the keys that they began with, which
/// may be in no file any more.
void Supervisor::retire(std::unique_ptr<KeyholderProcess> keyholder) {
  for (std::size_t i = 0; i + kMostRetired <= ending_.size(); ++i) ending_[i]->dismiss();
  keyholder->dismiss_after(kRetirement);
  ending_.push_back(std::move(keyholder));
}

void Supervisor::raise_keyholder_later(Clock::duration life) {
  if (phase_ == Phase::Stopping) return;
  auto delay = keyholder_back_off_.after(life);
  log::info("keyholder.restarting", {{"in_ms", delay.count()}});
  keyholder_restart_.set_after(delay);
}

void Supervisor::admit(Place& place, std::uint32_t number, Fd end) {
  KeyholderProcess* keyholder = keyholder_ && keyholder_->number() == number ? keyholder_.get() : nullptr;
  if (keyholder == nullptr) return;  // that keyholder is gone; the worker has been, or will be, asked for another end
  keyholder::Admit peer = current_->admission();
  peer.pid = place.process->pid();
  peer.uid = worker_setting_.user ? worker_setting_.user->uid : ::geteuid();
  keyholder->admit(peer, std::move(end));
  place.keyholder = number;
  change_if_all_moved();
}

}  // namespace cipherway::node
