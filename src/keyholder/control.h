#pragma once

#include "event/frame_socket.h"
#include "keyholder/protocol.h"

#include <functional>
#include <map>
#include <memory>

namespace cipherway::keyholder {

/// The supervisor's side of a keyholder: loads, seals, admits, asks for the status. One per keyholder process; the
/// process ends when this object, and with it the socket, does. It has ids of its own: requests may be sent without
/// waiting for the answers to those before.
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

}  // namespace cipherway::keyholder
