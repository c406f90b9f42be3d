#pragma once

#include <cstddef>
#include <cstdint>

/// What the supervisor and a gateway worker say to each other, in frames (event/frame_socket.h) over the socket pair
/// that the worker inherits as descriptor 3. The supervisor speaks first; the worker parses nothing else than this and
/// its connections. The end of this socket means that the supervisor is gone: the worker exits at once.
///
/// The worker is started as `cipherway gateway-worker --index N [--user UID:GID] [--log-level LEVEL]`, where `--user`
/// says whom to become before the first frame is read (given when the supervisor is root).
namespace cipherway::gateway {

inline constexpr int kControlDescriptor = 3;

/// Supervisor to worker.
enum class Order : std::uint8_t {
  /// A listening socket (the frame's descriptor); the payload is its address, as Address::to_string has it. Sent before
  /// Configure for every address that the worker does not have yet.
  Listener = 1,
  /// A sealed memfd with a config::Snapshot. The worker switches all channels over at once, answers Configured with the
  /// same id, and closes the listeners of addresses that are gone; their connections live on and drain.
  Configure = 2,
  /// There is a (new) keyholder: make a socket pair and send one end back as Keyholder, with the same id.
  NewKeyholder = 3,
  /// Stop accepting, let connections end, then exit 0; the payload is a u32: after so many milliseconds exit 1.
  Drain = 4,
  /// Report: answered by Status with the same id.
  ReportStatus = 5,
  /// The board of the node (gateway/board.h), as the frame's descriptor; the payload is a u32: the seat that this
  /// worker
  /// has there, and no other process. Sent once, before the first Configure.
  Board = 6,
  /// Are you there? Answered by Alive at once; a worker that does not is stuck, and is killed.
  AreYouAlive = 16,
};

/// Worker to supervisor.
enum class Answer : std::uint8_t {
  /// The keyholder's end of a new socket pair, as the frame's descriptor; the id is NewKeyholder's.
  Keyholder = 65,
  /// Payload: empty if the snapshot of this id is in force, else the reason why it is not.
  Configured = 66,
  /// The frame's descriptor is sealed memory (base/sealed.h) with JSON, at most kMostReport bytes:
  /// docs/guide/status.md.
  /// A worker that ends sends one more unasked, with the id kLastReport.
  Status = 67,
  /// The keyholder closed its socket: somebody should start a new one.
  KeyholderLost = 68,
  /// To AreYouAlive: the worker's loop turns.
  Alive = 80,
};

/// "systemd:" and a name of 255 bytes; every other address is shorter.
inline constexpr std::size_t kMostListenAddress = 263;
inline constexpr std::size_t kMostReport = 4 << 20;
inline constexpr std::uint32_t kLastReport = 0;

}  // namespace cipherway::gateway
