#include "node/worker_process.h"

#include "base/log.h"
#include "base/sealed.h"

#include <csignal>

namespace cipherway::node {

namespace {

constexpr std::size_t kMostRefusal = 4096;
/// How long a worker may take to end after it closed its control socket.
constexpr std::chrono::seconds kEndPatience{2};

event::ProgramStart worker_program(const ChildSetting& setting, unsigned index, const Fd& control) {
  event::ProgramStart start;
  start.program = setting.program;
  start.name = "cipherway";
  start.arguments = {"gateway-worker", "--index", std::to_string(index), "--log-level", setting.log_level};
  if (setting.user) start.arguments.insert(start.arguments.end(), {"--user", setting.user->to_string()});
  start.environment = child_environment();
  // A handshake frees hundreds of small blocks and wants as many again: the allocator keeps them at hand.
  start.environment.emplace_back("GLIBC_TUNABLES=glibc.malloc.tcache_count=127");
  start.descriptors = {{setting.log, 1}, {setting.log, 2}, {control.get(), gateway::kControlDescriptor}};
  start.own_process_group = true;
  start.dies_with_parent = true;
  return start;
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(event::EventLoop& loop, const ChildSetting& setting,
                                                            unsigned index, Events events) {
  auto sockets = TRY(stream_pair());
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess(loop, index, std::move(events)));
  WorkerProcess* self = worker.get();
  worker->process_ = TRY(
      event::ChildProcess::start(loop, worker_program(setting, index, sockets.theirs), [self](event::ProcessEnd end) {
        auto ended = std::move(self->events_.ended);
        ended(end);
      }));
  worker->control_ = std::make_unique<event::FrameSocket>(
      loop, std::move(sockets.ours),
      event::FrameSocket::Callbacks{
          .most_payload = [self](std::uint8_t type) { return self->most_payload(type); },
          .received = [self](event::Frame frame) { self->received(std::move(frame)); },
          .closed =
              [self](const Error& error) {
                // A process that ends closes its sockets first; one that lives on without this one is of no use.
                if (error.kind == ErrorKind::Closed) return self->last_resort_.set_after(kEndPatience);

                log::error("worker.protocol", {{"worker", self->index_}, {"pid", self->pid()}, {"reason", error}});
                self->kill();
              }});
  return worker;
}

Result<std::size_t> WorkerProcess::most_payload(std::uint8_t type) const {
  switch (static_cast<gateway::Answer>(type)) {
    case gateway::Answer::Keyholder: return 0;
    case gateway::Answer::Configured: return kMostRefusal;
    case gateway::Answer::Status:
    case gateway::Answer::KeyholderLost:
    case gateway::Answer::Alive: return 0;
  }
  return fail(ErrorKind::Protocol, "worker sent a frame of unknown type " + std::to_string(type));
}

void WorkerProcess::received(event::Frame frame) {
  std::string text(as_text(frame.payload));
  switch (static_cast<gateway::Answer>(frame.type)) {
    case gateway::Answer::Keyholder:
      if (frame.descriptor) events_.keyholder_end(frame.id, std::move(frame.descriptor));
      return;
    case gateway::Answer::Configured: events_.configured(frame.id, std::move(text)); return;
    case gateway::Answer::Status: {
      auto report = from_sealed_memory(frame.descriptor, gateway::kMostReport);
      if (!report)
        return log::error("worker.protocol", {{"worker", index_}, {"pid", pid()}, {"reason", report.error()}});
      return events_.status(frame.id, std::move(*report));
    }
    case gateway::Answer::KeyholderLost: events_.keyholder_lost(); return;
    case gateway::Answer::Alive: events_.alive(); return;
  }
}

namespace {

void send(event::FrameSocket& control, gateway::Order order, std::uint32_t id, BytesView payload = {}, Fd fd = {}) {
  control.send(static_cast<std::uint8_t>(order), id, payload, std::move(fd));
}

}  // namespace

Result<void> WorkerProcess::give_board(const Fd& board, unsigned seat) {
  Bytes payload;
  ByteWriter(payload).u32(seat);
  send(*control_, gateway::Order::Board, 0, payload, TRY(duplicate(board)));
  return {};
}

Result<void> WorkerProcess::configure(std::uint32_t generation, const Listeners& listeners, Fd snapshot) {
  for (const auto& [address, socket] : listeners.by_address()) {
    if (auto had = given_.find(address); had != given_.end() && had->second == socket) continue;
    send(*control_, gateway::Order::Listener, generation, as_bytes(address), TRY(duplicate(socket->fd())));
  }
  given_ = listeners.by_address();
  send(*control_, gateway::Order::Configure, generation, {}, std::move(snapshot));
  return {};
}

void WorkerProcess::ask_for_keyholder_end(std::uint32_t keyholder) {
  send(*control_, gateway::Order::NewKeyholder, keyholder);
}

void WorkerProcess::ask_for_status(std::uint32_t id) {
  send(*control_, gateway::Order::ReportStatus, id);
}

void WorkerProcess::ask_if_alive() {
  send(*control_, gateway::Order::AreYouAlive, 0);
}

void WorkerProcess::drain(std::chrono::milliseconds most) {
  Bytes payload;
  ByteWriter(payload).u32(static_cast<std::uint32_t>(most.count()));
  send(*control_, gateway::Order::Drain, 0, payload);
  given_.clear();
}

void WorkerProcess::kill() {
  process_->send_signal(SIGKILL);
}

}  // namespace cipherway::node
