// The supervisor's changes of config: the first one, and every reload.
#include "base/log.h"
#include "node/supervisor.h"
#include "node/worker_report.h"

#include <algorithm>
#include <set>

namespace cipherway::node {

namespace {

/// How long loading keys, and then moving all workers over, may take.
constexpr std::chrono::seconds kChangeLimit{20};

}  // namespace

void Supervisor::reload() {
  if (phase_ == Phase::Stopping) return;
  if (change_) {
    reload_again_ = true;
    return;
  }
  tell_service_manager("RELOADING=1\nSTATUS=Reloads");
  log::info("node.reloading", {{"config", options_.config}});
  file_watch_->remember();  // before they are read: what changes from here on is another reload
  auto loaded = options_.load ? options_.load() : load(options_.config);
  if (!loaded) return change_failed(loaded.error().all());
  if (auto problems = unchangeable(*current_, *loaded); !problems.empty()) return change_failed(problems);
  begin_change(std::move(*loaded));
}

void Supervisor::begin_change(Loaded loaded) {
  auto next = std::make_shared<Generation>();
  next->number = ++generations_;
  next->loaded = std::move(loaded);
  file_watch_->watch(next->files());
  change_.emplace(Change{});
  change_->next = next;
  change_limit_.set_after(kChangeLimit);
  keyholder_restart_.cancel();
  if (Result<void> raised = raise_keyholder(*next); !raised)
    change_failed({{config::Place{options_.config, 0, 0}, raised.error().what, std::nullopt}});
}

/// The new keyholder is sealed: from here on the workers change.
void Supervisor::keys_are_loaded() {
  auto listeners = Listeners::open(change_->next->config(), listeners_, options_.passed);
  if (!listeners) {
    rising_.reset();
    return change_failed(listeners.error());
  }
  if (Result<void> opened = open_status_socket(*change_); !opened) {
    rising_.reset();
    return change_failed({{change_->next->config().status->at, "status: " + opened.error().what, std::nullopt}});
  }
  change_->configuring = true;
  change_->before = std::exchange(current_, change_->next);
  change_->keyholder_before = std::exchange(keyholder_, std::move(rising_));
  change_->listeners_before = std::exchange(listeners_, std::move(*listeners));
  change_limit_.set_after(kChangeLimit);
  place_workers();
  change_if_all_moved();
}

/// Called whenever a worker has moved a step: ends the change when there is nothing left to wait for.
void Supervisor::change_if_all_moved() {
  if (!change_ || !change_->configuring || !keyholder_) return;
  for (const auto& place : places_) {
    if (place->leaving) continue;
    if (!place->process || place->generation != current_->number || place->keyholder != keyholder_->number()) return;
  }
  Change done = std::move(*change_);
  change_.reset();
  change_limit_.cancel();
  if (done.keyholder_before) retire(std::move(done.keyholder_before));
  configured_at_ = WallClock::now();
  bool first = phase_ == Phase::Starting;
  if (!first) reload_ended(true);
  serve_status(std::move(done.status_socket));
  std::set<std::string> channels;
  for (const auto& channel : current_->config().channels) {
    channels.insert(channel.name.value);
    channels.insert(of_listener(channel.from.listen.value.to_string()));
  }
  counters_.keep_channels(channels);
  phase_ = Phase::Serving;
  log::info(first ? "node.ready" : "node.reloaded", {{"generation", current_->number},
                                                     {"channels", current_->config().channels.size()},
                                                     {"identities", current_->config().identities.size()},
                                                     {"workers", current_->workers()}});
  tell_service_manager("READY=1\nSTATUS=" + serving());
  if (std::exchange(reload_again_, false)) reload();
}

std::string Supervisor::serving() const {
  auto counted = [](std::size_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
  };
  return "Serves " + counted(current_->config().channels.size(), "channel") + " with " +
         counted(current_->workers(), "worker");
}

/// Nothing has changed for the workers; a node that was not ready yet ends.
void Supervisor::change_failed(const std::vector<config::Problem>& problems) {
  bool first = phase_ == Phase::Starting;
  for (const config::Problem& problem : problems)
    log::error(first ? "node.start.failed" : "node.reload.failed", {{"problem", problem.to_string()}});
  change_.reset();
  change_limit_.cancel();
  if (first) {
    exit_code_ = 1;
    loop_.stop();
    return;
  }
  reload_ended(false);
  log::warn("node.kept", {{"generation", current_->number}, {"problems", problems.size()}});
  tell_service_manager("READY=1\nSTATUS=" + serving() +
                       "; the last reload changed nothing: " + (problems.empty() ? "" : problems.front().to_string()));
  if (!keyholder_) raise_keyholder_later(Clock::duration::zero());
  if (std::exchange(reload_again_, false)) reload();
}

void Supervisor::change_took_too_long() {
  if (!change_->configuring) {
    rising_.reset();
    return change_failed(
        {{config::Place{options_.config, 0, 0}, "the keyholder did not load the keys in time", std::nullopt}});
  }
  // The change cannot stop half way: who does not follow is started again, and comes back with the new config.
  change_limit_.set_after(kChangeLimit);
  for (const auto& place : places_) {
    if (place->leaving || !place->process || place->generation == current_->number) continue;
    log::error("worker.stuck", {{"worker", place->index}, {"pid", place->process->pid()}});
    place->process->kill();
  }
}

/// A worker cannot run what the supervisor found good: back to what was before, for all.
void Supervisor::roll_back(const std::string& reason) {
  std::vector<config::Problem> problems{{config::Place{options_.config, 0, 0}, "a worker refused: " + reason, {}}};
  if (!change_->before) return change_failed(problems);
  auto back = std::make_shared<Generation>(*change_->before);
  back->number = ++generations_;  // the workers have moved past the old number
  current_ = std::move(back);
  if (keyholder_) let_end(std::move(keyholder_));
  keyholder_ = std::move(change_->keyholder_before);
  listeners_ = std::move(change_->listeners_before);
  change_failed(problems);
  place_workers();
}

std::vector<config::Problem> Supervisor::problems_of(const Generation& generation,
                                                     const std::vector<KeyholderProcess::Refusal>& refusals) const {
  std::vector<config::Problem> out;
  for (const auto& refusal : refusals) {
    const config::Identity* identity = generation.config().identity(refusal.identity);
    if (identity != nullptr)
      out.push_back({identity->key.at, "identity \"" + refusal.identity + "\": " + refusal.reason, std::nullopt});
    else
      out.push_back({config::Place{options_.config, 0, 0}, refusal.reason, std::nullopt});
  }
  return out;
}

}  // namespace cipherway::node
