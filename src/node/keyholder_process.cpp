#include "node/keyholder_process.h"

#include "base/log.h"

#include <unistd.h>

#include <climits>

namespace cipherway::node {

namespace {

constexpr std::chrono::seconds kEndPatience{2};

using keyholder::Reply;
using keyholder::Request;

event::ProgramStart keyholder_program(const ChildSetting& setting, const Fd& socket) {
  event::ProgramStart start;
  start.program = setting.program;
  start.name = "cipherway-keyholder";
  start.environment = child_environment();
  start.descriptors = {{setting.log, 1}, {setting.log, 2}, {socket.get(), keyholder::kSupervisorDescriptor}};
  start.own_process_group = true;
  start.dies_with_parent = true;
  return start;
}

}  // namespace

Result<std::unique_ptr<KeyholderProcess>> KeyholderProcess::start(
    event::EventLoop& loop, const ChildSetting& setting, std::uint32_t number,
    const std::vector<keyholder::LoadIdentity>& identities, Events events) {
  auto sockets = TRY(stream_pair());
  std::unique_ptr<KeyholderProcess> holder(new KeyholderProcess(loop, number, std::move(events)));
  KeyholderProcess* self = holder.get();
  holder->process_ =
      TRY(event::ChildProcess::start(loop, keyholder_program(setting, sockets.theirs), [self](event::ProcessEnd end) {
        auto ended = std::move(self->events_.ended);
        ended(end);
      }));
  holder->socket_ = std::make_unique<event::FrameSocket>(
      loop, std::move(sockets.ours),
      event::FrameSocket::Callbacks{
          .most_payload = [](std::uint8_t) -> Result<std::size_t> { return event::FrameSocket::kMostPayload; },
          .received = [self](event::Frame frame) { self->received(std::move(frame)); },
          .closed =
              [self](const Error& error) {
                if (error.kind == ErrorKind::Closed) return self->last_resort_.set_after(kEndPatience);

                log::error("keyholder.protocol", {{"keyholder_pid", self->pid()}, {"reason", error}});
                self->process_->send_signal(SIGKILL);
              }});

  keyholder::Seal seal;
  if (setting.user) seal.become = keyholder::Seal::User{setting.user->uid, setting.user->gid};
  holder->seal_ = seal;
  holder->unanswered_ = identities.size();
  for (std::size_t i = 0; i < identities.size(); ++i) {
    holder->identities_.push_back(identities[i].name);
    holder->ask(Request::LoadIdentity, static_cast<std::uint32_t>(i + 1), identities[i].encode());
  }
  if (identities.empty()) holder->loaded();
  return holder;
}

void KeyholderProcess::ask(Request request, std::uint32_t id, BytesView payload, Fd fd) {
  if (socket_) socket_->send(static_cast<std::uint8_t>(request), id, payload, std::move(fd));
}

void KeyholderProcess::loaded() {
  ask(Request::Seal, kSealId, seal_->encode());
}

void KeyholderProcess::admit(const keyholder::Admit& peer, Fd end) {
  ask(Request::Admit, kAdmitId, peer.encode(), std::move(end));
}

void KeyholderProcess::ask_for_status(std::uint32_t id) {
  ask(Request::Status, kFirstStatusId + id, {});
}

void KeyholderProcess::ask_if_alive() {
  ask(Request::Status, kAliveId, {});
}

void KeyholderProcess::kill() {
  process_->send_signal(SIGKILL);
}

void KeyholderProcess::dismiss() {
  leave_.cancel();
  socket_.reset();
  last_resort_.set_after(kEndPatience);
}

void KeyholderProcess::received(event::Frame frame) {
  bool done = frame.type == static_cast<std::uint8_t>(Reply::Done);
  auto refusal = [&] { return keyholder::Refusal::decode(frame.payload); };
  if (frame.id >= kFirstStatusId) {
    auto status =
        done ? keyholder::Status::decode(frame.payload) : Result<keyholder::Status>(std::unexpected(refusal()));
    events_.status(pid(), frame.id - kFirstStatusId, std::move(status));
    return;
  }
  if (frame.id == kAliveId) return events_.alive();
  if (frame.id == kAdmitId) {
    if (!done) log::error("keyholder.admit.refused", {{"keyholder_pid", pid()}, {"reason", refusal()}});
    return;
  }
  if (frame.id == kSealId) {
    if (!done) return events_.refused({{"", "seal the keyholder: " + refusal().what}});
    ready_ = true;
    return events_.ready();
  }
  if (frame.id == 0 || frame.id > identities_.size() || unanswered_ == 0) return;
  if (!done) refusals_.push_back({identities_[frame.id - 1], refusal().what});
  if (--unanswered_ > 0) return;
  if (refusals_.empty()) return loaded();
  events_.refused(std::move(refusals_));
}

Result<std::string> find_keyholder_program() {
  char self[PATH_MAX];
  ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length < 0) return fail_errno("find this program's folder");
  std::string folder(self, static_cast<std::size_t>(length));
  folder.resize(folder.rfind('/'));
  for (const std::string& candidate :
       {folder + "/cipherway-keyholder", folder + "/../libexec/cipherway/cipherway-keyholder"})
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  return fail(ErrorKind::NotFound,
              "cipherway-keyholder is neither in " + folder + " nor in " + folder + "/../libexec/cipherway");
}

}  // namespace cipherway::node
