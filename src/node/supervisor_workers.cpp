// The supervisor's gateway workers: as many as the config says, started again when they die.
#include "base/log.h"
#include "node/supervisor.h"

#include <algorithm>

namespace cipherway::node {

namespace {

/// A worker whose keyholder closed its socket, while the keyholder lives, gets another after this time: a worker that
/// breaks the keyholder's rules cannot do so in a loop.
constexpr std::chrono::seconds kReadmission{1};

}  // namespace

/// As many workers as the generation wants, all of them on the way to it.
void Supervisor::place_workers() {
  unsigned wanted = current_->workers();
  for (unsigned index = 0; index < wanted; ++index) {
    auto same = std::ranges::find_if(places_, [&](auto& each) { return each->index == index && !each->leaving; });
    if (same == places_.end()) {
      places_.push_back(std::make_unique<Place>(loop_, index));
      Place& place = *places_.back();
      place.again = [this, &place] { start_worker(place); };
      start_worker(place);
    } else if ((*same)->process) {
      bring_up(**same);
    }
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    Place& place = *places_[i];
    if (place.index < wanted || place.leaving) continue;
    place.leaving = true;
    place.restart.cancel();
    if (place.process) place.process->drain(current_->drain());
  }
  std::erase_if(places_, [](auto& place) { return place->leaving && !place->process; });
}

/// A worker that leaves keeps its seat until it ends, and the one that has its index by then needs another.
unsigned Supervisor::free_seat() const {
  unsigned seat = 0;
  auto taken = [&](const auto& place) { return place->process && place->seat == seat; };
  while (seat + 1 < gateway::Board::kSeats && std::ranges::any_of(places_, taken)) ++seat;
  return seat;
}

void Supervisor::start_worker(Place& place) {
  place.generation = place.keyholder = 0;
  place.seat = free_seat();
  auto started = WorkerProcess::start(
      loop_, worker_setting_, place.index,
      {.keyholder_end = [this, &place](std::uint32_t keyholder, Fd end) { admit(place, keyholder, std::move(end)); },
       .configured = [this, &place](std::uint32_t number,
                                    const std::string& refusal) { configured(place, number, refusal); },
       .status = [this, &place](std::uint32_t id, const std::string& json) { worker_reported(place, id, json); },
       .keyholder_lost = [this, &place] { keyholder_lost(place); },
       .alive = [&place] { place.silence.answered(); },
       .ended = [this, &place](event::ProcessEnd end) { worker_ended(place, end); }});
  if (!started) {
    auto delay = place.back_off.after(Clock::duration::zero());
    log::error("worker.failed", {{"worker", place.index}, {"reason", started.error()}, {"again_in_ms", delay.count()}});
    place.restart.set_after(delay);
    return;
  }
  place.process = std::move(*started);
  if (Result<void> given = place.process->give_board(board_fd_, place.seat); !given)
    log::error("worker.failed", {{"worker", place.index}, {"reason", given.error()}});  // it works without
  log::info("worker.started", {{"worker", place.index}, {"worker_pid", place.process->pid()}});
  bring_up(place);
}

/// Gives a worker the current config, the sockets it lacks and a way to the keyholder.
void Supervisor::bring_up(Place& place) {
  auto snapshot = current_->loaded.snapshot.to_sealed_fd();
  Result<void> sent = snapshot ? place.process->configure(current_->number, listeners_, std::move(*snapshot))
                               : std::unexpected(std::move(snapshot).error());
  if (!sent) {  // no descriptors or no memory: it ends, and comes back after a while
    log::error("worker.failed", {{"worker", place.index}, {"reason", sent.error()}});
    place.process->kill();
    return;
  }
  if (keyholder_ && place.keyholder != keyholder_->number()) place.process->ask_for_keyholder_end(keyholder_->number());
}

void Supervisor::configured(Place& place, std::uint32_t number, const std::string& refusal) {
  if (number != current_->number) return;  // overtaken by another change
  if (refusal.empty()) {
    place.generation = number;
    return change_if_all_moved();
  }
  log::error("worker.refused", {{"worker", place.index}, {"generation", number}, {"reason", refusal}});
  if (change_ && change_->configuring) return roll_back(refusal);
  place.process->kill();  // it ran this config before: something is wrong with this process
}

void Supervisor::keyholder_lost(Place& place) {
  if (!keyholder_ || place.keyholder != keyholder_->number()) return;  // known
  std::uint32_t number = keyholder_->number();
  log::warn("worker.keyholder.lost", {{"worker", place.index}});
  place.keyholder = 0;
  place.readmission.set_after(kReadmission);
  place.readmit = [this, &place, number] {
    if (place.process && keyholder_ && keyholder_->number() == number && place.keyholder == 0)
      place.process->ask_for_keyholder_end(number);
  };
}

void Supervisor::worker_ended(Place& place, event::ProcessEnd end) {
  pid_t pid = place.process->pid();
  Clock::duration life = place.process->age();
  forget_process(pid);
  place.process.reset();
  board_->clear_seat(place.seat);
  if (phase_ == Phase::Stopping) {
    log::info("worker.ended", {{"worker", place.index}, {"worker_pid", pid}, {"how", end.to_string()}});
    if (!end.clean()) exit_code_ = 1;
    return finish_if_all_ended();
  }
  if (place.leaving) {
    log::info("worker.ended", {{"worker", place.index}, {"worker_pid", pid}, {"how", end.to_string()}});
    std::erase_if(places_, [&](auto& each) { return each.get() == &place; });
    return;
  }
  auto delay = place.back_off.after(life);
  ++place.restarts;
  log::error("worker.died", {{"worker", place.index},
                             {"worker_pid", pid},
                             {"signal", end.signal},
                             {"code", end.code},
                             {"how", end.to_string()},
                             {"again_in_ms", delay.count()}});
  place.restart.set_after(delay);
}

}  // namespace cipherway::node
