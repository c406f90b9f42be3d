#include "node/status_server_process.h"

#include "base/log.h"
#include "base/sealed.h"
#include "node/status_control.h"

#include <csignal>

namespace cipherway::node {

namespace {

/// How long it may take to end after it closed its socket.
constexpr std::chrono::seconds kEndPatience{2};

event::ProgramStart status_server_program(const ChildSetting& setting, const Fd& control, const Fd& listener) {
  event::ProgramStart start;
  start.program = setting.program;
  start.name = "cipherway";
  start.arguments = {"status-server", "--log-level", setting.log_level};
  if (setting.user) start.arguments.insert(start.arguments.end(), {"--user", setting.user->to_string()});
  start.environment = child_environment();
  start.descriptors = {{setting.log, 1},
                       {setting.log, 2},
                       {control.get(), kStatusControlDescriptor},
                       {listener.get(), kStatusListenerDescriptor}};
  start.own_process_group = true;
  start.dies_with_parent = true;
  return start;
}

}  // namespace

Result<std::unique_ptr<StatusServerProcess>> StatusServerProcess::start(event::EventLoop& loop,
                                                                        const ChildSetting& setting, const Fd& listener,
                                                                        Events events) {
  auto sockets = TRY(stream_pair());
  std::unique_ptr<StatusServerProcess> server(new StatusServerProcess(loop, std::move(events)));
  StatusServerProcess* self = server.get();
  server->process_ = TRY(event::ChildProcess::start(loop, status_server_program(setting, sockets.theirs, listener),
                                                    [self](event::ProcessEnd end) {
                                                      auto ended = std::move(self->events_.ended);
                                                      ended(end);
                                                    }));
  server->control_ = std::make_unique<event::FrameSocket>(
      loop, std::move(sockets.ours),
      event::FrameSocket::Callbacks{.most_payload = [self](std::uint8_t type) -> Result<std::size_t> {
                                      if (type != static_cast<std::uint8_t>(StatusFrame::Ask))
                                        return fail(
                                            ErrorKind::Protocol,
                                            "the status server sent a frame of unknown type " + std::to_string(type));
                                      if (self->is_asked_)
                                        return fail(ErrorKind::Protocol, "the status server asked twice");
                                      return 0;
                                    },
                                    .received = [self](const event::Frame& frame) { self->asked(frame); },
                                    .closed =
                                        [self](const Error& error) {
                                          if (error.kind == ErrorKind::Closed)
                                            return self->last_resort_.set_after(kEndPatience);
                                          log::error("status.protocol", {{"pid", self->pid()}, {"reason", error}});
                                          self->kill();
                                        }});
  return server;
}

void StatusServerProcess::asked(const event::Frame& frame) {
  asked_ = frame.id;
  is_asked_ = true;
  // However often it asks: the workers have other things to do.
  next_.set_at(std::max(last_ + kReportAge, Clock::now()));
}

void StatusServerProcess::make_report() {
  events_.wants_report([this, alive = std::weak_ptr(alive_), id = asked_](const std::string& report) {
    if (!alive.expired()) answer(id, report);
  });
}

void StatusServerProcess::answer(std::uint32_t id, const std::string& report) {
  is_asked_ = false;
  last_ = Clock::now();
  auto sealed = to_sealed_memory("cipherway-status", as_bytes(report));
  if (!sealed) {
    log::error("status.report.failed", {{"reason", sealed.error()}});
    return kill();
  }
  control_->send(static_cast<std::uint8_t>(StatusFrame::Report), id, {}, std::move(*sealed));
}

void StatusServerProcess::kill() {
  process_->send_signal(SIGKILL);
}

}  // namespace cipherway::node
