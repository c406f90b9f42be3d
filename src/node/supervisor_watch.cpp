// The supervisor's watch over the others: everybody is asked at every beat whether they are there. Who stays silent for
// too long is stuck, is killed, and is started again like one that died. The service manager's watchdog hears of the
// node only while all of them answer.
#include "base/log.h"
#include "node/supervisor.h"

#include <algorithm>

namespace cipherway::node {

namespace {

/// The service manager hears of the node at every so many beats, well within the time after which it would restart it.
constexpr unsigned kBeatsPerNotice = 10;
constexpr std::chrono::milliseconds kLongestBeat{1000};
constexpr std::chrono::milliseconds kShortestBeat{10};

}  // namespace

/// Short enough for a stuck process to be found and replaced, and heard of, before the service manager acts.
void Supervisor::start_watching() {
  auto watchdog = options_.watchdog ? options_.watchdog : watchdog_of_service_manager();
  reports_to_watchdog_ = watchdog.has_value();
  beat_period_ = kLongestBeat;
  if (watchdog)
    beat_period_ = std::clamp(std::chrono::duration_cast<std::chrono::milliseconds>(*watchdog) / (4 * Silence::kMost),
                              kShortestBeat, kLongestBeat);
  beat_.set_after(beat_period_);
}

void Supervisor::beat() {
  beat_.set_after(beat_period_);
  bool all_answer = true;
  for (const auto& place : places_) {
    place->silence.beat();
    all_answer = all_answer && (place->leaving || !place->silence.too_long());
    if (!place->process) continue;
    if (place->silence.too_long() && place->process->age() >= Silence::kMost * beat_period_) {
      log::error("worker.stuck", {{"worker", place->index}, {"worker_pid", place->process->pid()}});
      place->process->kill();
    } else {
      place->process->ask_if_alive();
    }
  }
  keyholder_silence_.beat();
  all_answer = all_answer && !keyholder_silence_.too_long();
  if (keyholder_ && keyholder_silence_.too_long() && keyholder_->age() >= Silence::kMost * beat_period_) {
    log::error("keyholder.stuck", {{"keyholder_pid", keyholder_->pid()}});
    keyholder_->kill();
  } else if (keyholder_) {
    keyholder_->ask_if_alive();
  }
  // One that takes the place of a dead one has no other limit for loading its keys; one of a change has the change's.
  if (rising_ && !change_ && rising_->age() >= 2 * Silence::kMost * beat_period_) {
    log::error("keyholder.stuck", {{"keyholder_pid", rising_->pid()}});
    rising_->kill();
  }
  if (!reports_to_watchdog_ || ++beats_ % kBeatsPerNotice != 0) return;
  if (all_answer)
    tell_service_manager("WATCHDOG=1");
  else
    log::warn("node.watchdog.withheld", {{"reason", "a process of the node does not answer"}});
}

}  // namespace cipherway::node
