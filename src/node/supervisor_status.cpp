// The supervisor's knowledge of the node: what its processes report and count, and the process that serves it over
// HTTP.
#include "base/log.h"
#include "node/process_usage.h"
#include "node/supervisor.h"
#include "node/worker_report.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace cipherway::node {

namespace {

/// How often workers are asked when nobody else asks: what one has counted since is lost when it is killed.
constexpr std::chrono::seconds kCountPeriod{5};
constexpr int kStatusBacklog = 64;

}  // namespace

/// A process, and what it uses: its CPU time is added to that of those that were in its place before it.
ProcessFacts Supervisor::describe(std::string name, pid_t pid, WallClock::time_point since, std::uint64_t restarts) {
  ProcessFacts out{.name = std::move(name), .pid = pid, .since = since, .restarts = restarts};
  out.user = pid == ::getpid() ? user_name(::geteuid()) : user_of_process(pid);
  if (auto used = usage_of(pid)) {
    out.memory_bytes = used->memory_bytes;
    usage_.take(pid, {{{out.name, "cpu_ms"}, used->cpu_ms}});
  }
  out.cpu_ms = usage_.sum(out.name, "cpu_ms");
  return out;
}

/// It is gone: what it counted stays.
void Supervisor::forget_process(pid_t pid) {
  counters_.ended(pid);
  usage_.ended(pid);
}

NodeFacts Supervisor::facts() {
  NodeFacts out;
  out.config = options_.config;
  out.phase = phase_ == Phase::Stopping   ? "stopping"
              : phase_ == Phase::Starting ? "starting"
              : change_                   ? "reloading"
                                          : "serving";
  out.configured = configured_at_;
  if (current_) {
    out.generation = current_->number;
    out.prepared = &current_->loaded.prepared;
  }
  out.supervisor = describe("supervisor", ::getpid(), since_, 0);
  if (keyholder_) out.keyholder = describe("keyholder", keyholder_->pid(), keyholder_->started(), keyholder_restarts_);
  for (const auto& place : places_)
    if (place->process && !place->leaving)
      out.workers[place->index] =
          describe(place->name(), place->process->pid(), place->process->started(), place->restarts);
  if (status_server_)
    out.status_server =
        describe("status-server", status_server_->pid(), status_server_->started(), status_server_restarts_);
  out.reloads = reloads_;
  out.counters = &counters_;
  return out;
}

std::size_t Supervisor::ask_for_status(std::uint32_t id) {
  std::size_t asked = 0;
  if (keyholder_) {
    keyholder_->ask_for_status(id);
    ++asked;
  }
  for (const auto& place : places_) {
    if (!place->process || place->leaving) continue;
    place->process->ask_for_status(id);
    ++asked;
  }
  return asked;
}

void Supervisor::worker_reported(const Place& place, std::uint32_t id, const std::string& json) {
  if (current_) counters_.take(place.process->pid(), counts_of(parse_worker_report(json), current_->config()));
  if (!place.leaving) status_->worker_answered(id, place.index, json);
}

void Supervisor::keyholder_reported(pid_t pid, std::uint32_t id, Result<keyholder::Status> status) {
  if (status) {
    Counters::Counts counts;
    for (const auto& identity : status->identities) {
      counts[{"", "signatures/" + identity.name}] = identity.signatures;
      counts[{"", "signatures refused/" + identity.name}] = identity.refused;
    }
    counters_.take(pid, std::move(counts));
  }
  status_->keyholder_answered(id, std::move(status));
}

/// Workers are asked from time to time also when nobody wants to know.
void Supervisor::count_again() {
  count_again_.set_after(kCountPeriod);
  status_->ask([](const std::string&) {});
}

void Supervisor::reload_ended(bool succeeded) {
  ++(succeeded ? reloads_.succeeded : reloads_.failed);
  reloads_.last = WallClock::now();
  reloads_.last_succeeded = succeeded;
}

/// The socket that the next config wants status served on: the one that is there if it is the same, or a new one.
Result<void> Supervisor::open_status_socket(Change& change) {
  const auto& wanted = change.next->config().status;
  if (!wanted) return {};
  if (status_socket_ && status_socket_->address() == wanted->value) {
    change.status_socket = status_socket_;
    return {};
  }
  change.status_socket =
      std::make_shared<const Listeners::Socket>(wanted->value, TRY(listen_on(wanted->value, kStatusBacklog)));
  return {};
}

/// The change is done: status is served where the config says now, or nowhere.
void Supervisor::serve_status(std::shared_ptr<const Listeners::Socket> socket) {
  if (socket == status_socket_) return;
  if (status_server_) {
    forget_process(status_server_->pid());
    status_server_.reset();
  }
  status_server_restart_.cancel();
  status_socket_ = std::move(socket);
  if (status_socket_) start_status_server();
}

void Supervisor::start_status_server() {
  auto started = StatusServerProcess::start(
      loop_, worker_setting_, status_socket_->fd(),
      {.wants_report = [this](StatusServerProcess::Receive receive) { status_->ask(std::move(receive)); },
       .ended = [this](event::ProcessEnd end) { status_server_ended(end); }});
  if (!started) {
    auto delay = status_server_back_off_.after(Clock::duration::zero());
    log::error("status.failed", {{"reason", started.error()}, {"again_in_ms", delay.count()}});
    return status_server_restart_.set_after(delay);
  }
  status_server_ = std::move(*started);
  log::info("status.started",
            {{"listen", status_socket_->address().to_string()}, {"status_pid", status_server_->pid()}});
}

void Supervisor::status_server_ended(event::ProcessEnd end) {
  pid_t pid = status_server_->pid();
  Clock::duration life = status_server_->age();
  forget_process(pid);
  status_server_.reset();
  auto delay = status_server_back_off_.after(life);
  log::error("status.died", {{"status_pid", pid}, {"how", end.to_string()}, {"again_in_ms", delay.count()}});
  ++status_server_restarts_;
  status_server_restart_.set_after(delay);
}

}  // namespace cipherway::node
