#pragma once

#include "base/log.h"
#include "gateway/endpoint.h"
#include "gateway/entrance.h"
#include "gateway/proxy_protocol.h"
#include "gateway/refusal_log.h"
#include "gateway/turns.h"

#include <optional>
#include <string>

namespace cipherway::gateway {

class Connection;

/// What a connection needs of its worker.
class ConnectionHost {
 public:
  virtual event::EventLoop& loop() = 0;
  virtual Scratch& scratch() = 0;
  virtual Turns& turns() = 0;
  virtual RefusalLog& refusal_log() = 0;
  /// The connection is closed and may be destroyed, at the end of this turn.
  virtual void closed(Connection& connection) = 0;

 protected:
  ~ConnectionHost() = default;
};

/// One client's way through an entrance and a channel to a target. A state machine whose phases say what is awaited;
/// any event enters `advance`, which goes as far as it can without blocking.
///
///   phase                     what is awaited                         where it goes from there
///   AwaitingProxyHeader       a proxy's word on who the client is     AwaitingFirstBytes
///   AwaitingFirstBytes        enough to choose the channel            AwaitingTurn, AwaitingTarget
///   AwaitingTurn              its source's turn to begin a handshake  AwaitingClientHandshake
///   AwaitingClientHandshake   the client's part of the handshake      AwaitingTarget
///   AwaitingTarget            a connection to the target              AwaitingTargetHandshake, Relaying; itself again
///   AwaitingTargetHandshake   the target's part of the handshake      Relaying; AwaitingTarget with the next target
///   Relaying                  bytes from either side
///   AwaitingGoodbye           the client's FIN, after a refusal
///
/// Every phase before it can end in AwaitingGoodbye, and every phase in Closed (`may_follow`). There is a channel from
/// the end of AwaitingFirstBytes on; a plaintext entrance has one from the start, because there the server may speak
/// first.
class Connection final : public Endpoint::Owner, public tls::Resumable, public Guest {
 public:
  enum class Phase {
    AwaitingProxyHeader,
    AwaitingFirstBytes,
    AwaitingTurn,
    AwaitingClientHandshake,
    AwaitingTarget,
    AwaitingTargetHandshake,
    Relaying,
    AwaitingGoodbye,  ///< everything is said; waits (briefly) for the client to close, so that an alert is not lost
    Closed,
  };

  Connection(ConnectionHost& host, std::shared_ptr<Entrance> entrance, Fd client, const Address& client_address);
  ~Connection();

  /// Enters the first phase. The worker owns the connection from before this call on.
  void start();
  /// Ends it now, saying why in the log: a limit was reached, or draining took too long.
  void evict(std::string_view reason, const std::string& detail = {});
  /// The wait in Turns is over.
  void turn_came();

  Phase phase() const { return phase_; }
  /// Null as long as it is not chosen.
  const Channel* channel() const { return channel_.get(); }
  /// One side at least is TLS that ends here; not so where it is passed through.
  bool has_session_keys() const { return client_.has_tls() || (target_ && target_->has_tls()); }

  /// What there is to say about a connection that relays.
  struct Facts {
    std::string channel;
    std::string client_address;
    std::string target_address;
    Clock::time_point began;
    std::optional<tls::Negotiated> client;  ///< none: no TLS of ours on that side
    std::optional<tls::Negotiated> target;
    std::string server_name;  ///< of a client whose TLS passes through
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
  };
  Facts facts() const;
  Clock::time_point began() const { return began_; }

  std::size_t position = 0;  ///< in the worker's list; the worker's alone

 private:
  enum class Next { Wait, Again };

  void endpoint_ready() override { advance(); }
  void key_operation_done() override;
  void advance();
  Next step();
  Next await_proxy_header();
  Next await_first_bytes();
  Next await_turn();
  Next await_client_handshake();
  Next await_target();
  Next await_target_handshake();
  Next relay();
  Next await_goodbye();

  bool read_early(std::string_view awaited);
  bool count_for(const Address& client);
  Next first_bytes_are_there();
  std::optional<std::size_t> choose_channel();
  void refuse_proxy_header(const NoProxyHeader& no);
  bool begins_as_proxy_header();
  void introduce_client();
  void refuse_hello(const tls::NoHello& why);
  void refuse_route(Routes::Miss miss);
  Next enter_channel(std::shared_ptr<Channel> channel);
  Next begin_handshake();
  Next seek_target();
  std::uint64_t pin() const;
  std::uint64_t source_hash() const;
  void count_handshake();
  Result<void> begin_target();
  void next_target(std::string reason, std::string detail);
  void no_target(NoTarget why, const std::string& reason, std::string detail);
  void enter(Phase phase);
  void begin_relaying();
  void become_half_open(std::list<Connection*>& among);
  void no_longer_half_open();
  bool pump(Endpoint& from, Endpoint& to, std::uint64_t& counter);
  void end(std::string_view how, const std::string& detail = {});
  void broke(Endpoint& at);
  void close_now();
  void refuse(std::string_view side, std::string_view reason, const std::string& detail, const Endpoint* at,
              log::Level level = log::Level::Warn);
  void expired();
  Clock::time_point relay_deadline() const;
  bool has_stalled(const Endpoint& side) const;

  /// What a ClientHello said, as far as somebody wants to know later.
  struct Said {
    std::string server_name;
    std::string alpn;
  };

  /// What a PROXY header said: `client_address_` is the client's then.
  struct Announced {
    Address source;
    Address destination;
    std::string via;  ///< the proxy
  };

  ConnectionHost& host_;
  std::shared_ptr<Entrance> entrance_;
  std::shared_ptr<Channel> channel_;  // null: not chosen yet
  std::string client_address_;
  Endpoint client_;
  std::optional<Endpoint> target_;
  std::optional<Visit> visit_;        // to the target that is being tried, or relayed to
  std::unique_ptr<Journey> journey_;  // while a target is sought
  Phase phase_ = Phase::AwaitingFirstBytes;
  std::list<Connection*>* half_open_among_ = nullptr;
  std::list<Connection*>::iterator half_open_;
  std::unique_ptr<Said> said_;
  std::unique_ptr<Announced> announced_;
  std::unique_ptr<ProxySignature> forbidden_header_;
  bool waits_for_key_ = false;
  bool counts_at_keyholder_ = false;
  bool advancing_ = false;
  event::Timer timer_;
  Clock::time_point began_;
  Clock::time_point moved_{};         // when something was last read and passed on
  Clock::time_point target_began_{};  // this target, and then its handshake
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

std::string_view to_string(Connection::Phase phase);
/// The table above; a connection that would leave it aborts.
bool may_follow(Connection::Phase from, Connection::Phase to);

}  // namespace cipherway::gateway
