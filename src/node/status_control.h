#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// What the supervisor and the status server say to each other, in frames (event/frame_socket.h) over the socket pair
/// that the status server inherits as descriptor 3; descriptor 4 is the socket that it listens on. The end of the pair
/// means that the supervisor is gone: the status server exits.
///
/// It is started as `cipherway status-server [--user UID:GID] [--log-level LEVEL]`.
namespace cipherway::node {

inline constexpr int kStatusControlDescriptor = 3;
inline constexpr int kStatusListenerDescriptor = 4;

enum class StatusFrame : std::uint8_t {
  Ask = 1,      ///< status server to supervisor; no payload. Not again before the answer is there: that ends it.
  Report = 65,  ///< back, with the same id; the frame's descriptor is sealed memory with a status report
};

inline constexpr std::size_t kMostStatusReport = 64 << 20;
/// Whoever asks gets a report that is at most this old, and the supervisor makes no more than one in this time.
inline constexpr std::chrono::milliseconds kReportAge{250};

}  // namespace cipherway::node
