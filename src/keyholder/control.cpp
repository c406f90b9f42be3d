#include "keyholder/control.h"

namespace cipherway::keyholder {

Control::Control(event::EventLoop& loop, Fd socket, std::function<void(Error)> lost) : lost_(std::move(lost)) {
  socket_ = std::make_unique<event::FrameSocket>(
      loop, std::move(socket),
      event::FrameSocket::Callbacks{
          .most_payload = [](std::uint8_t type) -> Result<std::size_t> {
            switch (static_cast<Reply>(type)) {
              case Reply::Done: return event::FrameSocket::kMostPayload;
              case Reply::Refused: return 3 + kMostRefusalBytes;
            }
            return fail(ErrorKind::Protocol, "not a reply of a keyholder");
          },
          .received =
              [this](event::Frame frame) {
                auto found = unanswered_.find(frame.id);
                if (found == unanswered_.end()) return;
                Answered answered = std::move(found->second);
                unanswered_.erase(found);
                if (frame.type == static_cast<std::uint8_t>(Reply::Done))
                  answered(frame.payload);
                else
                  answered(std::unexpected(Refusal::decode(frame.payload)));
              },
          .closed =
              [this](Error error) {
                socket_.reset();
                auto unanswered = std::move(unanswered_);
                unanswered_.clear();
                auto lost_callback = std::move(lost_);  // either callback may destroy this object
                for (auto& [id, answered] : unanswered)
                  answered(fail(ErrorKind::Unavailable, "the keyholder is gone: " + error.what));
                if (lost_callback) lost_callback(std::move(error));
              }});
}

Control::~Control() = default;

void Control::ask(Request request, BytesView payload, Fd descriptor, Answered answered) {
  if (!socket_) return answered(fail(ErrorKind::Unavailable, "the keyholder is gone"));
  std::uint32_t id = ++last_id_;
  unanswered_.emplace(id, std::move(answered));
  socket_->send(static_cast<std::uint8_t>(request), id, payload, std::move(descriptor));
}

Control::Answered Control::without_payload(Done done) {
  return [done = std::move(done)](Result<BytesView> answer) {
    done(answer ? Result<void>() : std::unexpected(std::move(answer).error()));
  };
}

void Control::load_identity(const LoadIdentity& request, Done done) {
  ask(Request::LoadIdentity, request.encode(), {}, without_payload(std::move(done)));
}

void Control::seal(const Seal& request, Done done) {
  ask(Request::Seal, request.encode(), {}, without_payload(std::move(done)));
}

void Control::admit(const Admit& request, Fd socket, Done done) {
  ask(Request::Admit, request.encode(), std::move(socket), without_payload(std::move(done)));
}

void Control::status(StatusDone done) {
  ask(Request::Status, {}, {}, [done = std::move(done)](Result<BytesView> answer) {
    done(answer ? Status::decode(*answer) : std::unexpected(std::move(answer).error()));
  });
}

}  // namespace cipherway::keyholder
