#pragma once

#include "base/address.h"
#include "config/config.h"
#include "gateway/endpoint.h"
#include "gateway/http_answer.h"

#include <functional>
#include <optional>
#include <string>

namespace cipherway::gateway {

/// The PROXY protocol header of a connection that nobody made but the node itself: `UNKNOWN` in version 1, the command
/// LOCAL in version 2.
std::string no_client(config::ProxyVersion version);

/// One active check of one target: connects, and then, as far as it is told to, shakes hands as the channel's
/// connections would, and asks for a page. Ends with one call of `done`, also when it is cut short.
class Check final : public Endpoint::Owner, public tls::Resumable {
 public:
  struct Task {
    Address address;
    std::shared_ptr<tls::Context> tls;   ///< null: plaintext
    std::string greeting;                ///< before anything else: a PROXY protocol header that says "no client"
    std::optional<std::string> request;  ///< HTTP; 2xx and 3xx pass
    Clock::duration timeout{};
  };
  struct Outcome {
    bool passed = false;
    /// "connect-failed", "timeout", "reset", "no-answer", "not-http", "http-status", or a refusal's word; "internal":
    /// it is this machine that failed. Empty if it passed.
    std::string reason;
    std::string detail;
  };
  using Done = std::function<void(const Outcome&)>;

  Check(event::EventLoop& loop, Scratch& scratch, Task task, Done done);
  /// Only after `done` was called.
  ~Check();

  /// `done` may be called from here.
  void start();
  /// Ends as failed, soon: a handshake that waits for the keyholder has to come to its end first.
  void cut_short();
  bool is_over() const { return phase_ == Phase::Over; }

 private:
  enum class Phase { Connecting, Handshaking, Asking, Over };

  void endpoint_ready() override { advance(); }
  void key_operation_done() override;
  void advance();
  bool connecting();
  bool handshaking();
  bool asking();
  void ask();
  void end(Outcome outcome);

  event::EventLoop& loop_;
  Scratch& scratch_;
  Task task_;
  Done done_;
  std::optional<Endpoint> endpoint_;
  Phase phase_ = Phase::Connecting;
  bool waits_for_key_ = false;
  bool advancing_ = false;
  std::string answer_;
  event::Timer timer_;
};

}  // namespace cipherway::gateway
