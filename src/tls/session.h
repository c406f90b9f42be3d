#pragma once

#include "base/bytes.h"
#include "identity/certificate.h"
#include "keyholder/client.h"
#include "tls/context.h"
#include "tls/handle.h"
#include "tls/refusal.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cipherway::tls {

/// Bytes to be sent, collected: what several records or handshake messages become before one send takes them. Belongs
/// to the worker, and is shared by all its sessions.
class Output {
 public:
  void append(BytesView bytes);
  BytesView view() const { return {bytes_.data(), size_}; }
  void clear() { size_ = 0; }

 private:
  std::vector<std::uint8_t> bytes_;  // never shrinks: one worker, one batch
  std::size_t size_ = 0;
};

/// What both sides found out about each other: from the handshake, for logs, status and policy.
struct Negotiated {
  std::string protocol;  ///< "TLSv1.3"
  std::string group;     ///< "x25519", "X25519MLKEM768"
  std::string cipher;    ///< "TLS_AES_128_GCM_SHA256"
  std::string server_name;
  std::string alpn;
  bool resumed = false;
  std::vector<identity::Name> peer_names;  ///< as verified; empty if the peer did not prove itself
};

/// Told when a handshake that waits for the keyholder can go on.
class Resumable {
 public:
  virtual void key_operation_done() = 0;

 protected:
  ~Resumable() = default;
};

/// The TLS of one connection: bytes in, bytes out; no socket, no clock. After each call everything to be sent is in the
/// Output. Ciphertext given and not yet consumed is kept by the caller (`unread`).
///
/// A session whose handshake waits for the keyholder (`NeedsKey`) runs an OpenSSL ASYNC job, which must end before the
/// session may be destroyed: call `abandon` first, and `handshake` once more when `key_operation_done` is called.
class Session final : private keyholder::SignatureWaiter {
 public:
  enum class Step { Done, NeedsInput, NeedsKey, Failed };

  /// `target` names the peer in a client's cache of sessions.
  static Result<std::unique_ptr<Session>> make(std::shared_ptr<Context> context, Resumable& owner,
                                               std::string target = {});
  ~Session();

  /// Ciphertext to work on: valid until the next call of `unread`, which says what was left of it.
  void give(BytesView ciphertext) { wire_.in = ciphertext; }
  BytesView unread() const { return wire_.in; }

  /// Goes on with the handshake; Failed leaves the reason in `refusal` and the alert for the peer in the Output.
  Step handshake(Output& output);
  bool waits_for_key() const { return parked_; }
  /// Before the handshake: unless it resumes a session, it ends without a ticket (of TLS 1.3).
  void spare_ticket();
  /// Once the handshake is done: what its last step left in the Output is a session ticket, which may leave later, or
  /// nothing. (A client's last step leaves its Finished, and with TLS 1.2 so does a server's.)
  bool last_step_left_a_ticket() const;
  /// The pending signature fails now; `key_operation_done` follows.
  void abandon();

  static constexpr int kMostMessages = 64;
  enum class ReadStep { Data, NeedsInput, Closed, Failed };
  struct Read {
    ReadStep step;
    std::size_t bytes = 0;
  };
  /// Decrypts into `plain`, as much as there is and fits. Data comes with bytes > 0, and before NeedsInput or Closed is
  /// reported; Closed is the peer's close_notify. Fails when the peer sends more than `kMostMessages` messages that are
  /// no data (KeyUpdate, NewSessionTicket) in one batch, or in batches without data: each costs us more than the peer.
  Read read(std::span<std::uint8_t> plain, Output& output);
  /// The end was met, perhaps behind data of the same batch: `read` says how it ended, and needs no more input for it.
  bool read_ended() const { return read_ended_.has_value(); }

  /// Encrypts all of it, in records of 16 KiB. Takes a new key now and then: "up to 2^24.5 full-size records may be
  /// encrypted on a given connection" with AES-GCM (RFC 8446, section 5.5), and the library does not count them.
  static constexpr std::uint64_t kRecordsOfAKey = 1 << 23;
  bool write(BytesView plain, Output& output);
  /// Gives its record buffers back, 33 kB of them: the next call takes new ones. For a session that will wait.
  void rest();

  /// Sends close_notify: nothing is written after it. Reading goes on.
  void close(Output& output);

  Negotiated negotiated() const;
  /// The names that the peer presented, whether or not they were accepted.
  std::vector<identity::Name> presented_names() const;
  /// The key that it presented, as an access pattern names it; empty when there was no certificate.
  std::string presented_pin() const;
  /// What the client asked for (SNI), as soon as its ClientHello was read; empty: nothing.
  std::string server_name() const;
  /// The common name in the subject of the peer's certificate, as UTF-8; empty: none, or no certificate.
  std::string peer_common_name() const;
  const Refusal& refusal() const { return refusal_; }
  bool resumed() const;

 private:
  static constexpr std::size_t kMostRecordBytes = 16 * 1024;
  static constexpr std::size_t kFewRecordBytes = 4 * 1024;
  bool write_records_of(std::size_t most);

  struct Wire {
    BytesView in;
    Output* out = nullptr;
  };
  friend struct SessionCallbacks;
  friend struct SessionForTests;

  Session(std::shared_ptr<Context> context, Resumable& owner, std::string target);
  void signature_ready() override { owner_.key_operation_done(); }
  void refuse();
  std::optional<identity::Certificate> presented() const;

  std::shared_ptr<Context> context_;
  Resumable& owner_;
  std::string target_;
  Wire wire_;
  SslHandle ssl_;
  bool parked_ = false;
  bool spares_ticket_ = false;
  bool key_failed_ = false;
  bool close_sent_ = false;
  std::uint64_t records_ = 0;  // written with the current key
  int messages_ = 0;           // that were no data, since the last batch with data
  std::size_t record_bytes_ = kFewRecordBytes;
  std::optional<ReadStep> read_ended_;
  Refusal refusal_;
  std::string policy_detail_;
  std::optional<identity::Certificate> refused_;  // OpenSSL forgets a certificate that it did not accept
};

}  // namespace cipherway::tls
