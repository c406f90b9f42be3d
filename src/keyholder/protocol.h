#pragma once

#include "base/bytes.h"
#include "crypto/key.h"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What a keyholder is asked and answers, in frames (event/frame_socket.h). A reply has the id of its request.
/// Who may ask what, and when, is the table in rules.h.
namespace cipherway::keyholder {

/// The supervisor's socket is the keyholder's descriptor 3; without one it does not start.
inline constexpr int kSupervisorDescriptor = 3;

// Bounds. Together they keep the largest frame, a Status, below FrameSocket::kMostPayload (checked in protocol.cpp).
inline constexpr std::size_t kMostNameBytes = 96;  ///< of an identity or a ticket service
inline constexpr std::size_t kMostPathBytes = 4096;
inline constexpr std::size_t kMostPublicKeyBytes = 2048;
inline constexpr std::size_t kMostIdentities = 256;
inline constexpr std::size_t kMostServices = 192;
inline constexpr std::size_t kMostPeers = 128;
inline constexpr std::size_t kMostStatementBytes = 16 * 1024;
inline constexpr std::size_t kTicketKeyBytes = 80;
inline constexpr std::size_t kMostRefusalBytes = 1024;

enum class Request : std::uint8_t {
  LoadIdentity = 1,  ///< supervisor, before Seal
  Seal = 2,          ///< supervisor: sandbox on, no way back; nothing is loaded after it and nothing signed before it
  Admit = 3,         ///< supervisor: a new peer; the frame's descriptor is the peer's socket
  Status = 4,        ///< supervisor
  Sign = 5,          ///< gateway
  TicketKey = 6,     ///< gateway
};

enum class Reply : std::uint8_t {
  Done = 64,     ///< payload depends on the request
  Refused = 65,  ///< payload: Refusal
};

/// What a peer was started for.
enum class Role : std::uint8_t { Gateway = 1, Ike = 2 };

std::string_view to_string(Request request);
std::string_view to_string(Role role);

struct LoadIdentity {
  std::string name;
  std::string key_path;  ///< opened by the keyholder, which is the only process that ever does
  Bytes public_key;      ///< the certificate's SubjectPublicKeyInfo: a key that is not its private half is refused

  Bytes encode() const;
  static Result<LoadIdentity> decode(BytesView payload);
};

struct Seal {
  struct User {
    uid_t uid = 0;
    gid_t gid = 0;
  };
  std::optional<User> become;  ///< given when the supervisor, and so the keyholder, runs as root

  Bytes encode() const;
  static Result<Seal> decode(BytesView payload);
};

struct Admit {
  pid_t pid = 0;
  uid_t uid = 0;  ///< with pid: what SO_PEERCRED must say of the socket, so the peer made the pair itself
  Role role = Role::Gateway;
  bool tls12 = false;                   ///< may have TLS 1.2 statements signed (weaker: see statement.h)
  std::vector<std::string> identities;  ///< that it may sign for
  std::vector<std::string> services;    ///< whose ticket keys it may have

  Bytes encode() const;
  static Result<Admit> decode(BytesView payload);
};

/// A view of its frame: valid as long as the payload it was decoded from.
struct Sign {
  std::string_view identity;
  std::uint16_t scheme = 0;  ///< TLS SignatureScheme
  BytesView statement;       ///< what is to be signed: not a digest

  void encode(Bytes& out) const;
  static Result<Sign> decode(BytesView payload);
};

/// A view of its frame: valid as long as the payload it was decoded from.
struct TicketKey {
  std::string_view service;
  std::uint64_t epoch = 0;

  void encode(Bytes& out) const;
  static Result<TicketKey> decode(BytesView payload);
};

struct Refusal {
  static Bytes encode(const Error& error);
  static Error decode(BytesView payload);  ///< a malformed refusal is one too
};

/// What the keyholder knows about itself, for `cipherway status --exposure`.
struct Status {
  struct Identity {
    std::string name;
    crypto::KeyType type = crypto::KeyType::P256;
    std::array<std::uint8_t, 32> public_key_sha256{};  ///< of the SubjectPublicKeyInfo
    std::uint64_t signatures = 0;
    std::uint64_t refused = 0;
  };
  struct Peer {
    pid_t pid = 0;
    uid_t uid = 0;
    Role role = Role::Gateway;
    std::uint64_t signatures = 0;
    std::uint64_t refused = 0;
  };

  pid_t pid = 0;
  uid_t uid = 0;
  bool sealed = false;
  bool memory_locked = false;         ///< every page that holds a secret is locked
  bool memory_secret = false;         ///< ... and is memfd_secret: neither ptrace nor root's /proc/PID/mem reads it
  bool syscalls_restricted = false;   ///< seccomp filter on
  std::uint8_t landlock_version = 0;  ///< 0: this kernel has no Landlock
  std::uint64_t peers_dropped = 0;    ///< because of what they asked for
  std::vector<Identity> identities;
  std::vector<std::string> services;  ///< ticket services of the peers that are connected
  std::vector<Peer> peers;

  Bytes encode() const;
  static Result<Status> decode(BytesView payload);
};

}  // namespace cipherway::keyholder
