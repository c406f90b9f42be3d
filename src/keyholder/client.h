#pragma once

#include "base/fd.h"
#include "base/histogram.h"
#include "crypto/key.h"
#include "event/event_loop.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace cipherway::keyholder {

/// Waits for a signature: a connection whose handshake returned SSL_ERROR_WANT_ASYNC. Called from the loop when the
/// reply (or a failure) is there and the handshake can be called again.
class SignatureWaiter {
 public:
  virtual void signature_ready() = 0;

 protected:
  ~SignatureWaiter() = default;
};

/// A worker's side of its channel to the keyholder: one socket, requests with ids, one write per loop turn, replies in
/// any order. When the keyholder is replaced, `reconnect` sends what is still unanswered to the new one, and so does it
/// when the old one is still there; `begin_generation` before it says that the keys are others, too.
/// Lives in gateway workers; one per process.
class Client {
 public:
  /// `socket` may be empty: the client then starts unconnected. `lost` is called (once per loss) when the keyholder
  /// closes the socket; the client then waits for `reconnect`, and keeps what it is asked until then.
  Client(event::EventLoop& loop, Fd socket, std::function<void()> lost);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Keys made from now on are another generation's: the next keyholder has them, and signatures wait for it. Keys of
  /// before go on being asked of the keyholder that is there now, as long as it is there: a handshake that began with a
  /// certificate ends with its key, although the files have been replaced.
  void begin_generation();
  void reconnect(Fd socket);
  bool connected() const;
  /// From asking for a signature to having it, waiting for a keyholder that was being replaced included.
  const Histogram& sign_time() const;

  /// The key of a ticket epoch of `service`: 80 bytes (16 name, 32 AES-256, 32 HMAC-SHA256). The callback may come
  /// after any time, with Unavailable if the keyholder refuses.
  using TicketKeyCallback = std::function<void(Result<SecretBytes>)>;
  void ticket_key(const std::string& service, std::uint64_t epoch, TicketKeyCallback done);

  /// A private-key object for OpenSSL whose signatures are made by the keyholder. Holds the public half only. When
  /// used inside an ASYNC job (SSL_MODE_ASYNC) it pauses the job; the waiter set by `Waiting` is told when to go on.
  /// Outside a job, signing fails: nothing may block a worker.
  Result<crypto::KeyHandle> key_for(const std::string& identity, const crypto::KeyHandle& public_key);

  /// Names the waiter for signatures that are asked for while this object lives: put one around each call of
  /// SSL_do_handshake, SSL_read and SSL_write during the handshake.
  class Waiting {
   public:
    Waiting(Client& client, SignatureWaiter& waiter);
    ~Waiting();

    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    Client& client_;
    SignatureWaiter* before_;
  };

  /// Fails the waiter's pending signature at once: call the handshake again, and it ends with an error. OpenSSL's ASYNC
  /// jobs must run to their end before their SSL may be freed.
  void abandon(SignatureWaiter& waiter);

  struct State;  // client_state.h: shared with the provider's key objects

 private:
  std::shared_ptr<State> state_;
};

}  // namespace cipherway::keyholder
