#include "gateway/worker.h"

#include "base/log.h"
#include "gateway/prepared.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace cipherway::gateway {

namespace {

constexpr std::chrono::milliseconds kAcceptAgainAfter{50};

/// The largest payload of each order; anything else from the supervisor ends the worker.
Result<std::size_t> most_payload(std::uint8_t type) {
  switch (static_cast<Order>(type)) {
    case Order::Listener: return kMostListenAddress;
    case Order::Configure:
    case Order::NewKeyholder:
    case Order::ReportStatus: return 0;
    case Order::Drain: return 4;
  }
  return fail(ErrorKind::Protocol, "unknown order " + std::to_string(type));
}

std::uint8_t wire(Answer answer) {
  return static_cast<std::uint8_t>(answer);
}

}  // namespace

Worker::Worker(event::EventLoop& loop, Fd control, WorkerStart start)
    : loop_(loop),
      start_(start),
      keys_(loop, [this] { control_->send(wire(Answer::KeyholderLost), 0, {}); }),
      drain_limit_(loop, [this] {
        log::warn("worker.drain.limit", {{"connections", connections_.size()}});
        std::vector<Connection*> left;
        for (const auto& connection : connections_) left.push_back(connection.get());
        for (Connection* connection : left) connection->evict("drain timeout");
        draining_ = false;  // the last one that ends does not make it a clean end
        stop(left.empty() ? 0 : 1);
      }) {
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
    case Order::Configure: {
      auto configured = configure(frame.descriptor);
      std::string reason = configured ? "" : configured.error().what.substr(0, 4096);
      if (!configured) log::error("worker.configure.failed", {{"error", reason}});
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
  }
}

Result<void> Worker::configure(const Fd& fd) {
  auto snapshot = TRY_IN("read the snapshot", config::Snapshot::from_sealed_fd(fd));
  auto prepared = prepare(snapshot);
  if (!prepared) {
    auto problems = prepared.error().all();
    return fail(ErrorKind::Invalid,
                problems.empty() ? "the snapshot cannot be prepared" : problems.front().to_string());
  }
  // All or nothing: the channels that are in force stay until every new one is there.
  std::vector<std::shared_ptr<Channel>> channels;
  std::map<std::string, std::vector<std::shared_ptr<Channel>>> by_address;
  std::map<std::string, std::shared_ptr<Traffic>> traffic;
  for (const PreparedChannel& channel : prepared->channels) {
    const std::string& name = channel.config.name.value;
    auto had = traffic_.find(name);
    traffic[name] = had != traffic_.end() ? had->second : std::make_shared<Traffic>();
    std::string address = channel.config.from.listen.value.to_string();
    if (!doors_.contains(address)) return fail(ErrorKind::Invalid, "channel \"" + name + "\" has no listening socket");
    channels.push_back(TRY(make_channel(*prepared, channel, keys_, traffic[name])));
    by_address[address].push_back(channels.back());
  }
  channels_ = std::move(channels);
  traffic_ = std::move(traffic);
  for (auto& [address, door] : doors_) door.entrance->lead_into(std::move(by_address[address]));
  std::erase_if(doors_, [](const auto& door) { return door.second.entrance->channels().empty(); });
  for (auto& [address, door] : doors_) {
    if (!door.socket || draining_) continue;
    door.listener = std::make_unique<Listener>(
        loop_, std::move(door.socket), address,
        [this, at = &door](Fd socket, const Address& peer) { accept(*at, std::move(socket), peer); });
  }
  return {};
}

void Worker::connect_keyholder(std::uint32_t id) {
  auto theirs = keys_.connect();
  if (!theirs) return log::error("keyholder.connect.failed", {{"error", theirs.error()}});
  control_->send(wire(Answer::Keyholder), id, {}, std::move(*theirs));
}

void Worker::accept(Door& door, Fd socket, const Address& peer) {
  Entrance& entrance = *door.entrance;
  if (entrance.is_full()) {
    // Politely: this one is turned away, the rest wait in the backlog until somebody leaves.
    const Channel* only = entrance.only();
    ++(only != nullptr ? only->traffic->refused : entrance.refused);
    log::warn("connection.refused", {{"channel", only != nullptr ? only->name() : std::string()},
                                     {"listen", entrance.address()},
                                     {"from", peer.to_string()},
                                     {"side", "client"},
                                     {"reason", "limit"},
                                     {"detail", "as many connections are open as the channel may have"}});
    door.listener->pause_for(kAcceptAgainAfter);
    return;
  }
  // Who is slow to say something makes room for who is not.
  if (entrance.is_crowded()) entrance.waiting.front()->evict("limit");
  auto& connection =
      connections_.emplace_back(std::make_unique<Connection>(*this, door.entrance, std::move(socket), peer));
  connection->position = connections_.size() - 1;
  connection->start();
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
  closed_.clear();
  if (draining_ && connections_.empty()) stop(0);
}

void Worker::drain(std::chrono::milliseconds limit) {
  draining_ = true;
  log::info("worker.draining", {{"connections", connections_.size()}});
  for (auto& [address, door] : doors_) door.listener.reset();
  drain_limit_.set_after(limit);
  if (connections_.empty()) stop(0);
}

void Worker::report(std::uint32_t id) {
  control_->send(wire(Answer::Status), id, as_bytes(status()));
}

std::string Worker::status() const {
  using nlohmann::json;
  json channels = json::array();
  for (const auto& channel : channels_) {
    const Traffic& traffic = *channel->traffic;
    const Entrance& entrance = *doors_.find(channel->config.from.listen.value.to_string())->second.entrance;
    std::size_t waiting = entrance.only() != nullptr ? entrance.waiting.size() : 0;
    channels.push_back({{"name", channel->name()},
                        {"open", traffic.open + waiting},
                        {"handshaking", traffic.half_open.size() + waiting},
                        {"total", traffic.total},
                        {"relayed", traffic.relayed},
                        {"full", traffic.full},
                        {"resumed", traffic.resumed},
                        {"refused", traffic.refused},
                        {"target_full", traffic.target_full},
                        {"target_resumed", traffic.target_resumed},
                        {"bytes_in", traffic.bytes_in},
                        {"bytes_out", traffic.bytes_out}});
  }
  json entrances = json::array();
  for (const auto& [address, door] : doors_)
    entrances.push_back(
        {{"listen", address}, {"waiting", door.entrance->waiting.size()}, {"refused", door.entrance->refused}});
  json keys = json::array();
  for (const auto& held : keys_.held_tickets())
    keys.push_back({{"key", "ticket key of " + held.service + ", epoch " + std::to_string(held.epoch)},
                    {"lifetime", "until " + to_rfc3339(held.forgotten_at)}});
  keys.push_back({{"key", "TLS session keys of " + std::to_string(connections_.size()) + " connections"},
                  {"lifetime", "while each connection lives"}});
  json all{{"worker", start_.index},
           {"pid", ::getpid()},
           {"sandbox", {{"seccomp", start_.seccomp}, {"landlock", start_.landlock}}},
           {"draining", draining_},
           {"channels", std::move(channels)},
           {"entrances", std::move(entrances)},
           {"keys", std::move(keys)}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace cipherway::gateway
