#include "gateway/worker.h"

#include "base/log.h"
#include "base/sealed.h"
#include "gateway/prepared.h"
#include "gateway/report.h"
#include "gateway/target_status.h"

#include <malloc.h>
#include <nlohmann/json.hpp>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>

namespace cipherway::gateway {

namespace {

/// How long a new config waits for the names in it: those that are not resolved by then are down until they are.
constexpr std::chrono::seconds kNamesLimit{1};
constexpr std::chrono::seconds kTargetsTick{1};

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) broken("no randomness");
  return seed;
}

/// Handshakes leave holes between what connections keep, and bursts of connections a heap of which little is used:
/// when there is time for it, whole free pages go back to the kernel.
void return_memory() {
  ::malloc_trim(0);
}

/// The largest payload of each order; anything else from the supervisor ends the worker.
Result<std::size_t> most_payload(std::uint8_t type) {
  switch (static_cast<Order>(type)) {
    case Order::Listener: return kMostListenAddress;
    case Order::Configure:
    case Order::NewKeyholder:
    case Order::ReportStatus:
    case Order::AreYouAlive: return 0;
    case Order::Board:
    case Order::Drain: return 4;
  }
  return fail(ErrorKind::Protocol, "unknown order " + std::to_string(type));
}

/// What the files of the machine say about names, or the config in their place.
NameService name_service(const config::Snapshot& snapshot, const config::Node& node) {
  auto file = [&](const char* path) {
    auto found = snapshot.files.find(path);
    return found != snapshot.files.end() ? std::string_view(found->second) : std::string_view();
  };
  NameService service = NameService::parse(file(kResolvConf), file(kHosts));
  if (!node.resolver.empty()) service.servers.clear();
  for (const auto& server : node.resolver) service.servers.push_back(server.value);
  return service;
}

/// The channels whose targets are to be checked.
std::vector<HealthChecks::Watched> watched(const std::vector<std::shared_ptr<Channel>>& channels) {
  std::vector<HealthChecks::Watched> out;
  for (const auto& channel : channels) {
    if (!channel->config.health) continue;
    std::string greeting;
    if (auto version = channel->config.to.proxy_protocol) greeting = no_client(*version);
    out.push_back({channel->targets, channel->checks, std::move(greeting)});
  }
  return out;
}

std::uint8_t wire(Answer answer) {
  return static_cast<std::uint8_t>(answer);
}

}  // namespace

Worker::Worker(event::EventLoop& loop, Fd control, WorkerStart start)
    : loop_(loop),
      start_(start),
      scratch_(loop),
      turns_(loop, [](Guest& guest) { static_cast<Connection&>(guest).turn_came(); }),
      keys_(loop, [this] { control_->send(wire(Answer::KeyholderLost), 0, {}); }),
      random_(random_seed()),
      resolver_(loop),
      checks_(loop, scratch_, random_),
      names_limit_(loop, [this] { put_in_force(); }),
      targets_tick_(loop, [this] { watch_targets(); }),
      drain_limit_(loop,
                   [this] {
                     log::warn("worker.drain.limit", {{"connections", connections_.size()}});
                     std::vector<Connection*> left;
                     for (const auto& connection : connections_) left.push_back(connection.get());
                     for (Connection* connection : left) connection->evict("drain timeout");
                     draining_ = false;  // the last one that ends does not make it a clean end
                     stop(left.empty() ? 0 : 1);
                   }),
      quiet_(loop, &return_memory) {
  control_ = std::make_unique<event::FrameSocket>(
      loop_, std::move(control),
      event::FrameSocket::Callbacks{.most_payload = &most_payload,
                                    .received = [this](event::Frame frame) { obey(std::move(frame)); },
                                    .closed =
                                        [this](Error error) {
                                          log::error("supervisor.lost", {{"error", error}});
                                          stop(1);
                                        }});
}

// The process ends with the worker: connections that wait for a signature cannot be destroyed, and need not be.
Worker::~Worker() {
  for (auto& connection : connections_) static_cast<void>(connection.release());
}

int Worker::run() {
  loop_.run();
  report(kLastReport);  // what it counted stays with the node
  control_->flush();
  return exit_code_;
}

void Worker::stop(int exit_code) {
  exit_code_ = exit_code;
  loop_.stop();
}

void Worker::obey(event::Frame frame) {
  switch (static_cast<Order>(frame.type)) {
    case Order::Listener: {
      if (!frame.descriptor) return;
      std::string address(as_text(frame.payload));
      Door& door = doors_[address];
      if (!door.entrance) door.entrance = std::make_shared<Entrance>(address);
      door.listener.reset();
      door.socket = std::move(frame.descriptor);
      return;
    }
    case Order::Board: return take_board(frame.descriptor, frame.payload);
    case Order::Configure: {
      auto configured = configure(frame.id, frame.descriptor);
      if (configured) return;  // answers when it is in force
      std::string reason = configured.error().what.substr(0, 4096);
      log::error("worker.configure.failed", {{"error", reason}});
      control_->send(wire(Answer::Configured), frame.id, as_bytes(reason));
      return;
    }
    case Order::NewKeyholder: return connect_keyholder(frame.id);
    case Order::Drain: {
      ByteReader reader(frame.payload);
      auto limit = reader.u32();
      return drain(std::chrono::milliseconds(limit ? *limit : 0));
    }
    case Order::ReportStatus: return report(frame.id);
    case Order::AreYouAlive: return control_->send(wire(Answer::Alive), frame.id, {});
  }
}

/// Without a board this worker finds out by itself what others know.
void Worker::take_board(const Fd& board, BytesView payload) {
  ByteReader reader(payload);
  auto seat = reader.u32();
  if (!seat) return;
  auto mapped = Board::map(board, *seat);
  if (!mapped) return log::error("worker.board.refused", {{"error", mapped.error()}});
  board_ = *std::move(mapped);
}

Result<void> Worker::configure(std::uint32_t id, const Fd& fd) {
  auto snapshot = TRY_IN("read the snapshot", config::Snapshot::from_sealed_fd(fd));
  auto prepared = prepare(snapshot);
  if (!prepared) {
    auto problems = prepared.error().all();
    return fail(ErrorKind::Invalid,
                problems.empty() ? "the snapshot cannot be prepared" : problems.front().to_string());
  }
  // All or nothing: the channels that are in force stay until every new one is there.
  keys_.begin_generation();
  Coming coming{.id = id, .channels = {}, .traffic = {}, .memory = prepared->config.worker_memory};
  resolver_.use(name_service(snapshot, prepared->config));
  for (const PreparedChannel& channel : prepared->channels) {
    const std::string& name = channel.config.name.value;
    auto had = traffic_.find(name);
    auto& traffic = coming.traffic[name];
    traffic = had != traffic_.end() ? had->second : std::make_shared<Traffic>();
    std::string address = channel.config.from.listen.value.to_string();
    if (!doors_.contains(address)) return fail(ErrorKind::Invalid, "channel \"" + name + "\" has no listening socket");
    TargetSources sources{board_, resolver_, random_};
    coming.channels.push_back(TRY(make_channel(*prepared, channel, keys_, traffic, sources)));
  }
  coming_ = std::move(coming);  // one that waits here is overtaken, and the supervisor waits for it no more
  names_limit_.set_after(kNamesLimit);
  resolver_.when_settled([this, id] {
    if (coming_ && coming_->id == id) put_in_force();
  });
  return {};
}

void Worker::put_in_force() {
  names_limit_.cancel();
  if (!coming_) return;
  Coming coming = *std::exchange(coming_, std::nullopt);
  for (const auto& old : channels_) old->targets->retire();
  channels_ = std::move(coming.channels);
  traffic_ = std::move(coming.traffic);
  scratch_.budget.set_limit(coming.memory);
  std::map<std::string, std::vector<std::shared_ptr<Channel>>> by_address;
  for (const auto& channel : channels_) {
    by_address[channel->config.from.listen.value.to_string()].push_back(channel);
    all_targets_.push_back(channel->targets);
  }
  for (auto& [address, door] : doors_) door.entrance->lead_into(std::move(by_address[address]));
  std::erase_if(doors_, [](const auto& door) { return door.second.entrance->channels().empty(); });
  count_room();
  for (auto& [address, door] : doors_) {
    if (!door.socket || draining_) continue;
    door.listener = std::make_unique<Listener>(
        loop_, std::move(door.socket), address, [this] { return make_room(); },
        [this, at = &door](Fd socket, const Address& peer) { accept(*at, std::move(socket), peer); });
  }
  if (!draining_) checks_.use(board_, watched(channels_));
  watch_targets();
  control_->send(wire(Answer::Configured), coming.id, {});
}

void Worker::watch_targets() {
  targets_tick_.set_after(kTargetsTick);
  std::erase_if(all_targets_, [](const auto& targets) { return targets.expired(); });
  for (const auto& each : all_targets_)
    if (auto targets = each.lock()) targets->tick(loop_.now());
}

void Worker::connect_keyholder(std::uint32_t id) {
  auto theirs = keys_.connect();
  if (!theirs) return log::error("keyholder.connect.failed", {{"error", theirs.error()}});
  control_->send(wire(Answer::Keyholder), id, {}, std::move(*theirs));
}

void Worker::closed(Connection& connection) {
  // Swapped with the last one; destroyed later, because its own code is still on the stack.
  std::size_t position = connection.position;
  closed_.push_back(std::move(connections_[position]));
  if (position + 1 < connections_.size()) {
    connections_[position] = std::move(connections_.back());
    connections_[position]->position = position;
  }
  connections_.pop_back();
  if (burial_planned_) return;
  burial_planned_ = true;
  loop_.at_turn_end([this] { bury(); });
}

void Worker::bury() {
  burial_planned_ = false;
  quiet_.set_after(kQuietAfter);
  closed_.clear();
  if (draining_ && connections_.empty()) stop(0);
}

void Worker::drain(std::chrono::milliseconds limit) {
  draining_ = true;
  log::info("worker.draining", {{"connections", connections_.size()}});
  for (auto& [address, door] : doors_) door.listener.reset();
  checks_.stop();
  drain_limit_.set_after(limit);
  if (connections_.empty()) stop(0);
}

void Worker::report(std::uint32_t id) {
  auto sealed = to_sealed_memory("cipherway-report", as_bytes(status()));
  if (!sealed) return log::error("worker.report.failed", {{"error", sealed.error()}});
  control_->send(wire(Answer::Status), id, {}, std::move(*sealed));
}

std::string Worker::status() const {
  using nlohmann::json;
  json channels = json::array();
  std::size_t budget = kMostTargetsReported;
  for (const auto& channel : channels_) {
    const Traffic& traffic = *channel->traffic;
    const Entrance& entrance = *doors_.find(channel->config.from.listen.value.to_string())->second.entrance;
    std::size_t waiting = entrance.only() != nullptr ? entrance.waiting.size() : 0;
    json row{{"name", channel->name()}};
    report_traffic(row, traffic, waiting);
    row["targets"] = target_status(*channel->targets, loop_.now(), budget);
    channels.push_back(std::move(row));
  }
  json entrances = json::array();
  for (const auto& [address, door] : doors_)
    entrances.push_back({{"listen", address},
                         {"waiting", door.entrance->waiting.size()},
                         {"refused", door.entrance->refusals.total},
                         {"refusals", door.entrance->refusals.by_reason}});
  json keys = json::array();
  for (const auto& held : keys_.held_tickets())
    keys.push_back({{"key", "ticket key of " + held.service + ", epoch " + std::to_string(held.epoch)},
                    {"lifetime", "until " + to_rfc3339(held.forgotten_at)}});
  auto with_keys = std::ranges::count_if(connections_, [](const auto& each) { return each->has_session_keys(); });
  keys.push_back({{"key", "TLS session keys of " + std::to_string(with_keys) + " connections"},
                  {"lifetime", "while each connection lives"}});
  json all{{"worker", start_.index},
           {"pid", ::getpid()},
           {"sandbox", {{"seccomp", start_.seccomp}, {"landlock", start_.landlock}}},
           {"draining", draining_},
           {"buffers", {{"held", scratch_.budget.held()}, {"limit", scratch_.budget.limit()}}},
           {"channels", std::move(channels)},
           {"entrances", std::move(entrances)},
           {"keys", std::move(keys)},
           {"sign_time", report_of(keys_.sign_time())},
           {"live", report_live_sessions(connections_, Clock::now())}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace cipherway::gateway
