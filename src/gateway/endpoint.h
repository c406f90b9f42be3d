#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "event/event_loop.h"
#include "gateway/scratch.h"
#include "tls/session.h"

#include <memory>
#include <optional>
#include <string>

namespace cipherway::gateway {

/// One end of a connection: a socket, and TLS on it or not. Never blocks. Told of readiness by edges (EPOLLET), so that
/// one epoll_ctl serves its whole life; it remembers what it was told and does its work when the connection asks.
class Endpoint final : public event::Watcher {
 public:
  /// Called from the loop when there may be something to do.
  class Owner {
   public:
    virtual void endpoint_ready() = 0;

   protected:
    ~Owner() = default;
  };

  Endpoint(event::EventLoop& loop, Scratch& scratch, Owner& owner, Fd socket);
  ~Endpoint();

  /// `quiet`: nothing can have come yet, so nothing is read before the loop says that something has.
  Result<void> watch(bool quiet = false);

  enum class Early { Some, Nothing, Closed, Failed };
  /// Reads before it is known what this end speaks: `early` is everything that came so far.
  Early read_early();
  /// A view into the worker's scratch, or of what is kept: keep it before anybody else reads.
  BytesView early() const { return early_; }
  void keep_early();
  /// The first `count` early bytes are dealt with; what follows them is what this end speaks.
  void drop_early(std::size_t count) { early_ = early_.subspan(count); }

  /// From now on this end speaks TLS, beginning with what came early; a client speaks first.
  void start_tls(std::unique_ptr<tls::Session> session, bool speaks_first);
  bool has_tls() const { return tls_ != nullptr; }
  const tls::Session& tls() const { return *tls_; }
  tls::Session& tls() { return *tls_; }

  enum class Handshake { Done, Waits, NeedsKey, Failed };
  /// Failed: `failure` says why; an alert for the peer, if there is one, was sent as far as the socket took it.
  Handshake handshake();

  enum class Pull { Data, NotYet, Nothing, Closed, Truncated, Failed };
  /// Reads one batch. Data: `pulled` is a view into the worker's scratch, valid until another endpoint pulls.
  /// NotYet: what was read held no data, and there may be more at once.
  /// Closed: the peer ended its direction properly. Truncated: it did so without close_notify. Failed: see `failure`.
  /// At most about `most` bytes are read: the budget's word.
  Pull pull(std::size_t most = Scratch::kMostBatch);
  BytesView pulled() const { return pulled_; }
  /// The peer has said something that was not pulled yet.
  bool has_unread() const { return !held_.empty(); }
  /// A batch was read and there may be more at once.
  bool may_have_more() const { return !read_ended_ && (readable_ || (tls_ && tls_->read_ended())); }

  /// Sends, and keeps what the socket does not take: at most one batch, because the caller pulls no more while
  /// `has_unsent`. False: the endpoint failed.
  bool push(BytesView plain);
  bool has_unsent() const { return unsent_begin_ < unsent_.size(); }
  /// How much memory is kept for that.
  std::size_t unsent_room() const { return unsent_.capacity(); }
  /// When the socket last took some of what had to be kept, or there was something to keep for the first time.
  Clock::time_point took_at() const { return took_at_; }
  bool flush();

  /// Ends our direction once everything is sent: close_notify, then FIN. `closes_now`: the connection ends with this,
  /// so that the FIN may be left to the closing of the socket.
  bool finish(bool closes_now = false);
  bool finished() const { return finish_wanted_ && !has_unsent(); }
  bool read_ended() const { return read_ended_; }

  /// Throws away what the peer still sends; true when it closed.
  bool discard();
  /// From now on closing sends a RST: the peer must not take what it got for the whole.
  void reset_on_close();

  const tls::Refusal& failure() const { return failure_; }
  /// Set when the socket failed with an errno (0 otherwise).
  int socket_error() const { return socket_error_; }
  Address peer_address() const;
  Address own_address() const;
  bool hung_up() const { return hung_up_; }
  /// Of a socket that may still be connecting.
  enum class Connect { Waits, Done, Failed };
  /// Failed: `socket_error` says why.
  Connect connected();

  void ready(std::uint32_t events) override;

 private:
  friend class BusyEndpoints;
  struct Business {
    BusyEndpoints::List::iterator place;
    bool listed = false;
    Clock::time_point last{};
  };
  enum class Receive { Got, Nothing, End, Failed };
  Receive receive(std::span<std::uint8_t> into, std::size_t& got);
  bool send(BytesView bytes, int flags = 0);
  bool send_output(int flags = 0);
  void keep_unread();
  void keep_ticket();
  void put_ticket_first();
  bool first_bytes_are_tls();
  Pull pull_plain(std::size_t most);
  Pull pull_tls(std::size_t most);
  Receive receive_batch(std::vector<std::uint8_t>& into, std::size_t most, std::size_t& got);
  void account();
  void rest();
  void acknowledge();

  event::EventLoop& loop_;
  Scratch& scratch_;
  Owner& owner_;
  Fd socket_;
  std::unique_ptr<tls::Session> tls_;
  Business business_;
  Bytes held_;       // what came too early to be read
  BytesView early_;  // all that came before `start_tls`, in `held_` or in the scratch
  Bytes ticket_;     // a session ticket that leaves with what is sent next
  Bytes unsent_;     // what the socket did not take yet
  std::size_t unsent_begin_ = 0;
  std::size_t accounted_ = 0;  // what the budget knows of the two
  Clock::time_point took_at_{};
  std::size_t batch_ = kLeastBatch;
  BytesView pulled_;
  tls::Refusal failure_;
  int socket_error_ = 0;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;
  bool read_ended_ = false;
  bool finish_wanted_ = false;
  bool looks_like_tls_ = false;
  bool needs_input_ = false;  // the handshake cannot go on before something arrives

  static constexpr std::size_t kLeastBatch = 16 * 1024;
  /// A batch, encrypted, and as much again for what TLS itself has to say.
  static constexpr std::size_t kMostUnsent = 2 * Scratch::kMostBatch;
};

}  // namespace cipherway::gateway
