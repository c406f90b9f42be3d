#pragma once

#include "base/bytes.h"
#include "base/secret_bytes.h"
#include "event/event_loop.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace cipherway::event {

/// One message between two processes of a node. On the wire: payload length (32 bits), type (8), id (32), payload;
/// big-endian. A descriptor may travel with a frame; it belongs to the frame that begins at the byte it came with.
struct Frame {
  std::uint8_t type = 0;
  std::uint32_t id = 0;
  BytesView payload;  ///< valid during the callback only
  Fd descriptor;      ///< empty if none came along
};

/// Length-capped frames over a non-blocking UNIX stream socket, both ways. Frames sent in one turn of the loop, or in
/// one event (`When`), leave in one write. Buffers are SecretBytes, because keys travel here. What a peer may send is
/// bounded: a frame that announces more than `most_payload(type)` bytes, or more descriptors than frames, ends the
/// conversation. May be destroyed from inside its own callbacks.
class FrameSocket final : public Watcher {
 public:
  static constexpr std::size_t kHeaderBytes = 9;
  static constexpr std::size_t kMostPayload = 64 * 1024;
  /// Unsent bytes beyond which a peer that does not read is given up.
  static constexpr std::size_t kMostQueued = 4 * 1024 * 1024;

  struct Callbacks {
    /// The largest payload that a frame of this type may have, up to kMostPayload; an error refuses the type.
    std::function<Result<std::size_t>(std::uint8_t type)> most_payload;
    std::function<void(Frame)> received;
    /// The peer closed the socket, broke the rules or failed; nothing is called after this.
    std::function<void(Error)> closed;
  };

  /// When what was sent leaves: at the end of the turn, or after the event that sent it; then what the peer has
  /// answered by then is read at once.
  enum class When { TurnEnd, EventEnd };

  FrameSocket(EventLoop& loop, Fd socket, Callbacks callbacks, When when = When::TurnEnd);
  ~FrameSocket();

  void send(std::uint8_t type, std::uint32_t id, BytesView payload, Fd descriptor = {});
  /// Writes what is queued now, as far as the socket takes it (before a process ends).
  void flush();

  int descriptor() const { return socket_.get(); }
  void ready(std::uint32_t events) override;

 private:
  struct Travelling {  // a descriptor that leaves with the byte at `offset` of the stream
    std::uint64_t offset;
    Fd descriptor;
  };

  void read_frames();
  bool deliver_frames();  // false: this object is gone or closed
  void close(Error error);
  void watch_for_output(bool wanted);
  void make_room(std::size_t more);

  EventLoop& loop_;
  Fd socket_;
  Callbacks callbacks_;
  When when_;
  SecretBytes in_;
  std::size_t in_used_ = 0;
  std::deque<Fd> arrived_;  // descriptors not yet claimed by a frame
  SecretBytes out_;
  std::size_t out_begin_ = 0;
  std::size_t out_end_ = 0;
  std::uint64_t sent_ = 0;  // bytes of the stream that have left
  std::deque<Travelling> travelling_;
  bool flush_planned_ = false;
  bool output_watched_ = false;
  std::shared_ptr<bool> alive_;
};

}  // namespace cipherway::event
