#include "event/frame_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cipherway::event {

namespace {

constexpr std::size_t kMostArrived = 8;  // descriptors that came and belong to no frame yet

std::uint32_t big_endian32(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
         static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

void put_big_endian32(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 24);
  at[1] = static_cast<std::uint8_t>(value >> 16);
  at[2] = static_cast<std::uint8_t>(value >> 8);
  at[3] = static_cast<std::uint8_t>(value);
}

// The top bit of the type says that a descriptor belongs to this frame: a descriptor's place in the byte stream is
// not visible to a reader who reads several frames at once.
constexpr std::uint8_t kCarriesDescriptor = 0x80;

}  // namespace

FrameSocket::FrameSocket(EventLoop& loop, Fd socket, Callbacks callbacks, When when)
    : loop_(loop),
      socket_(std::move(socket)),
      callbacks_(std::move(callbacks)),
      when_(when),
      in_(kHeaderBytes + kMostPayload),
      alive_(std::make_shared<bool>(true)) {
  if (!loop_.add(socket_.get(), EPOLLIN, *this)) broken("cannot watch a frame socket");
}

FrameSocket::~FrameSocket() {
  *alive_ = false;
  if (socket_) loop_.remove(socket_.get(), *this);
}

void FrameSocket::make_room(std::size_t more) {
  if (out_end_ + more <= out_.size()) return;
  std::size_t used = out_end_ - out_begin_;
  std::size_t size = std::max<std::size_t>(16 * 1024, out_.size());
  while (size < used + more) size *= 2;
  SecretBytes bigger = size == out_.size() ? std::move(out_) : SecretBytes(size);
  const std::uint8_t* from = out_.empty() ? bigger.data() : out_.data();
  if (used > 0) std::memmove(bigger.data(), from + out_begin_, used);
  out_ = std::move(bigger);
  out_begin_ = 0;
  out_end_ = used;
}

void FrameSocket::send(std::uint8_t type, std::uint32_t id, BytesView payload, Fd descriptor) {
  if (payload.size() > kMostPayload) broken("frame payload of more than 64 KiB");
  if ((type & kCarriesDescriptor) != 0) broken("frame type above 127");
  if (!socket_) return;
  if (out_end_ - out_begin_ > kMostQueued) {
    // Closing here would call back into the sender; the socket's own end does it in the next turn.
    ::shutdown(socket_.get(), SHUT_RDWR);
    return;
  }
  make_room(kHeaderBytes + payload.size());
  if (descriptor) {
    travelling_.push_back({sent_ + (out_end_ - out_begin_), std::move(descriptor)});
    type |= kCarriesDescriptor;
  }
  std::uint8_t* at = out_.data() + out_end_;
  put_big_endian32(at, static_cast<std::uint32_t>(payload.size()));
  at[4] = type;
  put_big_endian32(at + 5, id);
  if (!payload.empty()) std::memcpy(at + kHeaderBytes, payload.data(), payload.size());
  out_end_ += kHeaderBytes + payload.size();
  if (!flush_planned_ && !output_watched_) {
    flush_planned_ = true;
    if (when_ == When::EventEnd) return loop_.after_event(*this);
    loop_.at_turn_end([this, alive = alive_] {
      if (*alive) flush();
    });
  }
}

void FrameSocket::flush() {
  flush_planned_ = false;
  while (socket_ && out_begin_ < out_end_) {
    std::size_t count = out_end_ - out_begin_;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{out_.data() + out_begin_, count};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    bool carries = false;
    if (!travelling_.empty()) {
      std::uint64_t ahead = travelling_.front().offset - sent_;
      if (ahead > 0) {
        part.iov_len = std::min<std::size_t>(count, ahead);
      } else {
        carries = true;
        if (travelling_.size() > 1) part.iov_len = std::min<std::size_t>(count, travelling_[1].offset - sent_);
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        int number = travelling_.front().descriptor.get();
        std::memcpy(CMSG_DATA(header), &number, sizeof number);
      }
    }
    ssize_t put = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (put < 0) {  // the reading side sees the end and reports it
      out_begin_ = out_end_ = 0;
      travelling_.clear();
      return;
    }
    if (carries) travelling_.pop_front();
    wipe(out_.data() + out_begin_, static_cast<std::size_t>(put));
    out_begin_ += static_cast<std::size_t>(put);
    sent_ += static_cast<std::uint64_t>(put);
  }
  if (out_begin_ == out_end_) out_begin_ = out_end_ = 0;
  watch_for_output(out_end_ > 0);
}

void FrameSocket::watch_for_output(bool wanted) {
  if (!socket_ || wanted == output_watched_) return;
  output_watched_ = wanted;
  if (!loop_.change(socket_.get(), wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, *this)) broken("cannot watch a frame socket");
}

void FrameSocket::close(Error error) {
  if (!socket_) return;
  loop_.remove(socket_.get(), *this);
  socket_.reset();
  auto closed = std::move(callbacks_.closed);
  closed(std::move(error));
}

void FrameSocket::ready(std::uint32_t events) {
  bool event_ended = events == 0;
  if (event_ended || (events & EPOLLOUT) != 0) flush();
  if (event_ended || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_frames();
}

void FrameSocket::read_frames() {
  for (;;) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
    iovec part{in_.data() + in_used_, in_.size() - in_used_};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got < 0) return close(Error{ErrorKind::Closed, "read from a process of this node failed"});
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int number;
        std::memcpy(&number, CMSG_DATA(header) + i * sizeof number, sizeof number);
        arrived_.emplace_back(number);
      }
    }
    if (got == 0) return close(Error{ErrorKind::Closed, "the other process closed the socket"});
    if ((message.msg_flags & MSG_CTRUNC) != 0 || arrived_.size() > kMostArrived)
      return close(Error{ErrorKind::Protocol, "too many descriptors came along"});
    bool filled = static_cast<std::size_t>(got) == part.iov_len;
    in_used_ += static_cast<std::size_t>(got);
    if (!deliver_frames()) return;
    if (!filled) return;
  }
}

bool FrameSocket::deliver_frames() {
  auto alive = alive_;
  std::size_t begin = 0;
  while (in_used_ - begin >= kHeaderBytes) {
    const std::uint8_t* header = in_.data() + begin;
    std::size_t length = big_endian32(header);
    std::uint8_t type = header[4] & 0x7f;
    bool carries = (header[4] & kCarriesDescriptor) != 0;
    Result<std::size_t> most = callbacks_.most_payload(type);
    if (!most) {
      close(std::move(most).error());
      return false;
    }
    if (length > *most || length > kMostPayload) {
      close(Error{ErrorKind::Limit, "frame of type " + std::to_string(type) + " announces " + std::to_string(length) +
                                        " bytes, more than its limit"});
      return false;
    }
    if (in_used_ - begin < kHeaderBytes + length) break;
    Frame frame{type, big_endian32(header + 5), BytesView(header + kHeaderBytes, length), Fd()};
    if (carries) {
      if (arrived_.empty()) {
        close(Error{ErrorKind::Protocol, "a frame promises a descriptor that did not come"});
        return false;
      }
      frame.descriptor = std::move(arrived_.front());
      arrived_.pop_front();
    }
    begin += kHeaderBytes + length;
    callbacks_.received(std::move(frame));
    if (!*alive || !socket_) return false;
  }
  if (begin > 0) {
    std::memmove(in_.data(), in_.data() + begin, in_used_ - begin);
    wipe(in_.data() + (in_used_ - begin), begin);
    in_used_ -= begin;
  }
  return true;
}

}  // namespace cipherway::event
