#include "node/supervisor.h"

#include "base/log.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace cipherway::node {

namespace {

constexpr std::chrono::seconds kWatchPeriod{1};
/// How much longer than their limit processes may take to end: longer than the patience with each of them.
constexpr std::chrono::seconds kGrace{4};

/// Workers inherit it: every connection takes two descriptors.
void allow_as_many_descriptors_as_possible() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Supervisor::Supervisor(event::EventLoop& loop, SupervisorOptions options)
    : loop_(loop),
      options_(std::move(options)),
      change_limit_(loop, [this] { change_took_too_long(); }),
      keyholder_restart_(loop,
                         [this] {
                           if (Result<void> raised = raise_keyholder(*current_); !raised) {
                             log::error("keyholder.failed", {{"reason", raised.error()}});
                             raise_keyholder_later(Clock::duration::zero());
                           }
                         }),
      stop_limit_(loop, [this] { stop_now("the drain limit is reached"); }),
      beat_(loop, [this] { beat(); }),
      count_again_(loop, [this] { count_again(); }),
      status_server_restart_(loop, [this] { start_status_server(); }) {}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::start(Loaded first) {
  const config::Node& config = first.prepared.config;
  if (options_.log_file) {
    log_ = TRY(LogFile::open(loop_, *options_.log_file));
    log::set_output(log_->descriptor());
  }
  state_ = TRY(StateDirectory::hold(config.state.value));
  worker_setting_ = {.program = options_.worker_program, .log_level = options_.log_level};
  keyholder_setting_ = {.program = options_.keyholder_program, .log_level = options_.log_level};
  if (keyholder_setting_.program.empty()) keyholder_setting_.program = TRY(find_keyholder_program());
  if (log_) worker_setting_.log = keyholder_setting_.log = log_->for_children();
  if (::geteuid() == 0)
    worker_setting_.user = keyholder_setting_.user =
        TRY_IN(config.user.at.to_string() + ": user", find_user(config.user.value));
  allow_as_many_descriptors_as_possible();
  board_fd_ = TRY(gateway::Board::make());
  board_ = TRY(gateway::Board::map(board_fd_, std::nullopt));

  signals_.emplace(loop_, std::initializer_list<int>{SIGHUP, SIGTERM, SIGINT, SIGUSR1},
                   [this](int signal) { signalled(signal); });
  auto control = Address::parse("unix:" + control_socket_path(state_->path()));
  if (!control) return std::unexpected(std::move(control).error());
  status_ = std::make_unique<StatusService>(
      loop_, TRY(listen_on(*control, 16)),
      StatusService::Sources{.facts = [this] { return facts(); },
                             .ask = [this](std::uint32_t id) { return ask_for_status(id); }});
  file_watch_ = std::make_unique<FileWatch>(loop_, kWatchPeriod, [this] {
    log::info("node.files.changed");
    reload();
  });
  count_again();
  log::info("node.starting", {{"config", options_.config}, {"state", state_->path()}, {"version", CIPHERWAY_VERSION}});
  start_watching();
  // From inside the loop, so that a change that fails can stop it.
  loop_.at_turn_end([this, loaded = std::make_shared<Loaded>(std::move(first))] { begin_change(std::move(*loaded)); });
  return {};
}

void Supervisor::signalled(int signal) {
  switch (signal) {
    case SIGHUP: return reload();
    case SIGUSR1:
      if (!log_) return log::info("log.kept", {{"reason", "there is no --log file to reopen"}});
      if (Result<void> reopened = log_->reopen(); !reopened)
        return log::error("log.reopen.failed", {{"reason", reopened.error()}});
      return log::info("log.reopened");
    default:
      if (phase_ == Phase::Stopping) return stop_now("a second signal");
      return stop();
  }
}

void Supervisor::stop() {
  phase_ = Phase::Stopping;
  std::chrono::milliseconds most = current_ ? current_->drain() : std::chrono::milliseconds(0);
  log::info("node.stopping", {{"drain_ms", most.count()}});
  // It has to wait for as long as connections may go on, whatever its own limit is.
  auto most_in_all = std::chrono::duration_cast<std::chrono::microseconds>(most + 3 * kGrace);
  tell_service_manager("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(most_in_all.count()) +
                       "\nSTATUS=Lets connections end");
  change_limit_.cancel();
  keyholder_restart_.cancel();
  file_watch_.reset();
  if (change_) listeners_ = Listeners();
  change_.reset();
  rising_.reset();
  listeners_ = Listeners();
  for (auto& place : places_) {
    place->restart.cancel();
    if (place->process) place->process->drain(most);
  }
  stop_limit_.set_after(most + kGrace);
  finish_if_all_ended();
}

void Supervisor::stop_now(const char* reason) {
  log::warn("node.stopped.early", {{"reason", reason}});
  exit_code_ = 1;
  for (auto& place : places_)
    if (place->process) place->process->kill();
  if (std::ranges::none_of(places_, [](auto& place) { return place->process != nullptr; })) loop_.stop();
}

void Supervisor::finish_if_all_ended() {
  if (phase_ != Phase::Stopping) return;
  if (std::ranges::any_of(places_, [](auto& place) { return place->process != nullptr; })) return;
  if (keyholder_) let_end(std::move(keyholder_));
  for (const auto& keyholder : ending_) keyholder->dismiss();
  if (!ending_.empty()) return stop_limit_.set_after(kGrace);
  log::info("node.stopped", {{"code", exit_code_}});
  ::unlink(control_socket_path(state_->path()).c_str());
  loop_.stop();
}

void Supervisor::let_end(std::unique_ptr<KeyholderProcess> keyholder) {
  keyholder->dismiss();
  ending_.push_back(std::move(keyholder));
}

}  // namespace cipherway::node
