#pragma once

#include "event/child_process.h"
#include "event/frame_socket.h"
#include "keyholder/protocol.h"
#include "node/child_setting.h"

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cipherway::node {

/// One keyholder as the supervisor sees it: the process and its socket (keyholder/protocol.h). It loads the keys of one
/// generation of the config and is sealed; for other keys there is another keyholder. Destroying the object kills it.
class KeyholderProcess {
 public:
  struct Refusal {
    std::string identity;  ///< empty: it is not about one
    std::string reason;
  };
  struct Events {
    std::function<void()> ready;                        ///< every key is loaded, and the sandbox is on
    std::function<void(std::vector<Refusal>)> refused;  ///< it will not get ready, for these reasons
    std::function<void(pid_t, std::uint32_t id, Result<keyholder::Status>)> status;
    std::function<void()> alive;  ///< answers `ask_if_alive`
    std::function<void(event::ProcessEnd)> ended;
  };
  /// Starts the program and asks it to load all identities and to seal itself.
  static Result<std::unique_ptr<KeyholderProcess>> start(event::EventLoop& loop, const ChildSetting& setting,
                                                         std::uint32_t number,
                                                         const std::vector<keyholder::LoadIdentity>& identities,
                                                         Events events);

  /// A worker's end, and what that worker may ask for.
  void admit(const keyholder::Admit& peer, Fd end);
  void ask_for_status(std::uint32_t id);
  void ask_if_alive();
  /// Lets it end by closing its socket: at once, or after a while in which it goes on signing.
  void dismiss();
  void dismiss_after(Clock::duration delay) { leave_.set_after(delay); }
  void kill();

  std::uint32_t number() const { return number_; }
  bool is_ready() const { return ready_; }
  pid_t pid() const { return process_->pid(); }
  WallClock::time_point started() const { return process_->started(); }
  Clock::duration age() const { return Clock::now() - born_; }

 private:
  KeyholderProcess(event::EventLoop& loop, std::uint32_t number, Events events)
      : number_(number),
        events_(std::move(events)),
        leave_(loop, [this] { dismiss(); }),
        last_resort_(loop, [this] { process_->send_signal(SIGKILL); }) {}
  void ask(keyholder::Request request, std::uint32_t id, BytesView payload, Fd fd = {});
  void received(event::Frame frame);
  void loaded();

  // Requests are told apart by their ids: identities from 1 on, then these.
  static constexpr std::uint32_t kSealId = 1'000'000;
  static constexpr std::uint32_t kAdmitId = 1'000'001;
  static constexpr std::uint32_t kAliveId = 1'000'002;
  static constexpr std::uint32_t kFirstStatusId = 2'000'000;

  std::uint32_t number_;
  Events events_;
  Clock::time_point born_ = Clock::now();
  std::unique_ptr<event::ChildProcess> process_;
  std::unique_ptr<event::FrameSocket> socket_;
  std::vector<std::string> identities_;
  std::optional<keyholder::Seal> seal_;
  std::size_t unanswered_ = 0;
  std::vector<Refusal> refusals_;
  bool ready_ = false;
  event::Timer leave_;
  event::Timer last_resort_;  // for a keyholder that closed its socket and does not end
};

/// Where the keyholder's program is: beside this one, or in ../libexec/cipherway of it.
Result<std::string> find_keyholder_program();

}  // namespace cipherway::node
