#pragma once

#include "event/frame_socket.h"
#include "keyholder/protocol.h"

#include <functional>
#include <map>
#include <memory>

namespace cipherway::keyholder {

/// For tests: the supervisor's side of a keyholder (in a node that is node/keyholder_process.h). Loads, seals, admits,
/// asks for the status. One per keyholder process; the process ends when this object, and with it the socket, does. It
/// has ids of its own: requests may be sent without waiting for the answers to those before.
class Control {
 public:
  using Done = std::function<void(Result<void>)>;
  using StatusDone = std::function<void(Result<Status>)>;

  /// `socket` is our end of a pair whose other end is the keyholder's descriptor 3. `lost` is called once, after
  /// everything unanswered was told Unavailable, when the keyholder ends or breaks the protocol.
  Control(event::EventLoop& loop, Fd socket, std::function<void(Error)> lost);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Before `seal`. An error is the operator's to read: it names the file and says what is wrong with it.
  void load_identity(const LoadIdentity& request, Done done);
  /// After it the keyholder serves, and loads nothing more: other identities need another keyholder.
  void seal(const Seal& request, Done done);
  /// `socket` is the peer's end of a pair that the peer itself made.
  void admit(const Admit& request, Fd socket, Done done);
  void status(StatusDone done);

 private:
  using Answered = std::function<void(Result<BytesView>)>;
  void ask(Request request, BytesView payload, Fd descriptor, Answered answered);
  static Answered without_payload(Done done);

  std::unique_ptr<event::FrameSocket> socket_;
  std::map<std::uint32_t, Answered> unanswered_;
  std::function<void(Error)> lost_;
  std::uint32_t last_id_ = 0;
};

inline Control::Control(event::EventLoop& loop, Fd socket, std::function<void(Error)> lost) : lost_(std::move(lost)) {
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

inline Control::~Control() = default;

inline void Control::ask(Request request, BytesView payload, Fd descriptor, Answered answered) {
  if (!socket_) return answered(fail(ErrorKind::Unavailable, "the keyholder is gone"));
  std::uint32_t id = ++last_id_;
  unanswered_.emplace(id, std::move(answered));
  socket_->send(static_cast<std::uint8_t>(request), id, payload, std::move(descriptor));
}

inline Control::Answered Control::without_payload(Done done) {
  return [done = std::move(done)](Result<BytesView> answer) {
    done(answer ? Result<void>() : std::unexpected(std::move(answer).error()));
  };
}

inline void Control::load_identity(const LoadIdentity& request, Done done) {
  ask(Request::LoadIdentity, request.encode(), {}, without_payload(std::move(done)));
}

inline void Control::seal(const Seal& request, Done done) {
  ask(Request::Seal, request.encode(), {}, without_payload(std::move(done)));
}

inline void Control::admit(const Admit& request, Fd socket, Done done) {
  ask(Request::Admit, request.encode(), std::move(socket), without_payload(std::move(done)));
}

inline void Control::status(StatusDone done) {
  ask(Request::Status, {}, {}, [done = std::move(done)](Result<BytesView> answer) {
    done(answer ? Status::decode(*answer) : std::unexpected(std::move(answer).error()));
  });
}

}  // namespace cipherway::keyholder
