#include "gateway/health.h"

#include "base/log.h"
#include "gateway/verdict.h"

#include <algorithm>

namespace cipherway::gateway {

namespace {

/// How often the lease is renewed or asked for, and new targets are looked for.
constexpr std::chrono::milliseconds kLook{500};
/// First checks are spread over this time, so that a start is no burst.
constexpr std::chrono::milliseconds kFirstWithin{200};
constexpr double kJitter = 0.1;

}  // namespace

std::string health_request(const config::Health& health, const Target& target) {
  std::string host = health.host ? *health.host : target.address.is_unix() ? "localhost" : target.name;
  return "GET " + health.path + " HTTP/1.1\r\nHost: " + host +
         "\r\nUser-Agent: cipherway-health\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

HealthChecks::HealthChecks(event::EventLoop& loop, Scratch& scratch, Random& random)
    : loop_(loop), scratch_(scratch), random_(random), timer_(loop, [this] { look(); }) {}

// A check that waits for a signature cannot be destroyed; the process ends with this object.
HealthChecks::~HealthChecks() {
  for (auto& [key, series] : series_)
    if (series.check && !series.check->is_over()) static_cast<void>(series.check.release());
  for (auto& check : ending_)
    if (!check->is_over()) static_cast<void>(check.release());
}

void HealthChecks::use(std::shared_ptr<Board> board, std::vector<Watched> watched) {
  board_ = std::move(board);
  watched_ = std::move(watched);
  std::erase_if(watched_, [](const Watched& each) { return !each.targets->health(); });
  while (!series_.empty()) drop(series_.begin());
  if (watched_.empty()) return stop();
  look();
}

void HealthChecks::stop() {
  timer_.cancel();
  while (!series_.empty()) drop(series_.begin());
  watched_.clear();
  if (board_ && holds_) board_->give_up_lease();
  holds_ = false;
}

void HealthChecks::look() {
  timer_.set_after(kLook);
  bool held = std::exchange(holds_, board_->hold_lease(loop_.now()));
  if (holds_ != held) log::debug(holds_ ? "health.lease.taken" : "health.lease.lost");
  if (!holds_) {
    while (!series_.empty()) drop(series_.begin());
    return;
  }
  std::vector<Key> wanted;
  for (const Watched& watched : watched_) {
    for (const auto& target : watched.targets->all()) {
      wanted.emplace_back(watched.targets.get(), target->text);
      if (!series_.contains(wanted.back())) begin(watched, target);
    }
  }
  std::ranges::sort(wanted);
  for (auto series = series_.begin(); series != series_.end();) {
    auto here = series++;
    if (!std::ranges::binary_search(wanted, here->first)) drop(here);
  }
}

void HealthChecks::begin(const Watched& watched, const std::shared_ptr<Target>& target) {
  Key key{watched.targets.get(), target->text};
  Series& series = series_[key];
  series.timer = std::make_unique<event::Timer>(loop_, [this, key] { run(key); });
  series.timer->set_after(std::chrono::duration_cast<Clock::duration>(kFirstWithin * random_.unit()));
}

void HealthChecks::run(const Key& key) {
  auto found = series_.find(key);
  auto watched = std::ranges::find(watched_, key.first, [](const Watched& each) { return each.targets.get(); });
  if (found == series_.end() || watched == watched_.end()) return;
  const auto& all = key.first->all();
  auto target = std::ranges::find(all, key.second, [](const auto& each) { return each->text; });
  if (target == all.end()) return drop(found);
  const config::Health& health = *key.first->health();
  Check::Task task{.address = (*target)->address,
                   .tls = health.check == config::Health::Check::Tcp ? nullptr : watched->tls,
                   .greeting = watched->greeting,
                   .request = {},
                   .timeout = health.timeout};
  if (health.check == config::Health::Check::Http) task.request = health_request(health, **target);
  Series& series = found->second;
  if (series.check) bury(std::move(series.check));
  series.began = Clock::now();
  series.check = std::make_unique<Check>(loop_, scratch_, std::move(task),
                                         [this, key](const Check::Outcome& outcome) { over(key, outcome); });
  series.check->start();
}

void HealthChecks::over(const Key& key, const Check::Outcome& outcome) {
  auto found = series_.find(key);
  if (found == series_.end()) return;  // cut short: nobody wants to know
  Series& series = found->second;
  const config::Health& health = *key.first->health();
  auto took = Clock::now() - series.began;
  const auto& all = key.first->all();
  auto target = std::ranges::find(all, key.second, [](const auto& each) { return each->text; });
  bool ours = outcome.reason == "internal";  // out of descriptors, no keyholder: this says nothing about the target
  if (ours)
    log::warn("health.check.failed",
              {{"channel", key.first->channel()}, {"target", key.second}, {"detail", outcome.detail}});
  if (target != all.end() && !ours) {
    Turn turn = checked((*target)->standing(), outcome.passed, health.rise, health.fall, loop_.now(), took);
    auto took_ms = std::chrono::duration<double, std::milli>(took).count();
    if (turn == Turn::Down)
      log::warn("target.down", {{"channel", key.first->channel()},
                                {"target", key.second},
                                {"check", config::to_string(health.check)},
                                {"reason", outcome.reason},
                                {"detail", outcome.detail},
                                {"took_ms", took_ms}});
    if (turn == Turn::Up)
      log::info("target.up", {{"channel", key.first->channel()},
                              {"target", key.second},
                              {"check", config::to_string(health.check)},
                              {"why", "its checks pass"},
                              {"took_ms", took_ms}});
    if (turn != Turn::None) {
      auto watched = std::ranges::find(watched_, key.first, [](const Watched& each) { return each.targets.get(); });
      if (watched != watched_.end()) watched->targets->tick(loop_.now());
    }
  }
  // From the beginning of the last check, so that a slow one is not followed by a longer pause.
  auto pause = std::max<Clock::duration>(jittered(health.interval) - took, std::chrono::milliseconds(1));
  series.timer->set_after(pause);
  bury(std::move(series.check));
}

void HealthChecks::drop(std::map<Key, Series>::iterator series) {
  std::unique_ptr<Check> check = std::move(series->second.check);
  series_.erase(series);
  if (!check) return;
  check->cut_short();
  bury(std::move(check));
}

/// A check is destroyed when it is over and its own code is no longer on the stack.
void HealthChecks::bury(std::unique_ptr<Check> check) {
  ending_.push_back(std::move(check));
  if (cleaning_) return;
  cleaning_ = true;
  loop_.at_turn_end([this] {
    cleaning_ = false;
    std::erase_if(ending_, [](const auto& each) { return each->is_over(); });
  });
}

Clock::duration HealthChecks::jittered(Clock::duration interval) {
  return std::chrono::duration_cast<Clock::duration>(interval * (1 - kJitter + 2 * kJitter * random_.unit()));
}

}  // namespace cipherway::gateway
