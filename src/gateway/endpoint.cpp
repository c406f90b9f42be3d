#include "gateway/endpoint.h"

#include "tls/first_bytes.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace cipherway::gateway {

Endpoint::Endpoint(event::EventLoop& loop, Scratch& scratch, Owner& owner, Fd socket)
    : loop_(loop), scratch_(scratch), owner_(owner), socket_(std::move(socket)) {}

Endpoint::~Endpoint() {
  scratch_.busy.forget(*this);
  scratch_.budget.changed(accounted_, 0);
  if (socket_) loop_.forget(*this);
}

/// Called whenever a buffer has grown or gone.
void Endpoint::account() {
  std::size_t now = held_.capacity() + unsent_.capacity();
  if (now == accounted_) return;
  scratch_.budget.changed(accounted_, now);
  accounted_ = now;
}

/// Not busy any more: the session's buffers go back.
void Endpoint::rest() {
  scratch_.busy.forget(*this);
  tls_->rest();
}

void Endpoint::start_tls(std::unique_ptr<tls::Session> session, bool speaks_first) {
  tls_ = std::move(session);
  looks_like_tls_ = !early_.empty();  // else nobody would have started TLS
  needs_input_ = !speaks_first && early_.empty();
}

Endpoint::Early Endpoint::read_early() {
  keep_early();
  std::size_t got = 0;
  auto into = std::span(scratch_.cipher).first(kLeastBatch);
  switch (receive(into, got)) {
    case Receive::Nothing: return Early::Nothing;
    case Receive::End: read_ended_ = true; return Early::Closed;
    case Receive::Failed: return Early::Failed;
    case Receive::Got: break;
  }
  if (held_.empty()) {
    early_ = into.first(got);
  } else {
    auto dropped = held_.size() - early_.size();
    held_.insert(held_.end(), into.begin(), into.begin() + static_cast<std::ptrdiff_t>(got));
    early_ = BytesView(held_).subspan(dropped);
    account();
  }
  return Early::Some;
}

/// What is early is either the end of `held_`, or came with one read and is still in the scratch.
void Endpoint::keep_early() {
  if (early_.empty()) {
    Bytes().swap(held_);
  } else if (held_.empty()) {
    held_.assign(early_.begin(), early_.end());
    early_ = held_;
  }
  account();
}

Result<void> Endpoint::watch(bool quiet) {
  readable_ = !quiet;
  return loop_.add(socket_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this);
}

void Endpoint::ready(std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  owner_.endpoint_ready();
}

/// A socket that is still connecting takes nothing: the first edge comes with the outcome. On this machine the outcome
/// is there at once, and nobody waits for the edge.
Endpoint::Connect Endpoint::connected() {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0) return Connect::Done;
  length = sizeof socket_error_;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &socket_error_, &length);
  return socket_error_ == 0 ? Connect::Waits : Connect::Failed;
}

Endpoint::Receive Endpoint::receive(std::span<std::uint8_t> into, std::size_t& got) {
  if (!readable_) return Receive::Nothing;
  for (;;) {
    ssize_t count = ::recv(socket_.get(), into.data(), into.size(), MSG_DONTWAIT);
    if (count > 0) {
      got = static_cast<std::size_t>(count);
      // A short read means that the socket is empty: the next byte raises a new edge. A FIN does not come as a byte.
      if (got < into.size() && !hung_up_) readable_ = false;
      return Receive::Got;
    }
    if (count == 0) return Receive::End;
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      readable_ = false;
      return Receive::Nothing;
    }
    socket_error_ = errno;
    return Receive::Failed;
  }
}

bool Endpoint::send(BytesView bytes, int flags) {
  if (!has_unsent()) {
    while (writable_ && !bytes.empty()) {
      ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), flags | MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        writable_ = false;
        break;
      }
      socket_error_ = errno;
      return false;
    }
    if (bytes.empty()) return true;
  }
  if (unsent_.empty()) took_at_ = loop_.now();
  unsent_.insert(unsent_.end(), bytes.begin(), bytes.end());
  account();
  batch_ = std::max(kLeastBatch, batch_ / 2);
  return true;
}

bool Endpoint::flush() {
  while (has_unsent() && writable_) {
    ssize_t count = ::send(socket_.get(), unsent_.data() + unsent_begin_, unsent_.size() - unsent_begin_,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      unsent_begin_ += static_cast<std::size_t>(count);
      took_at_ = loop_.now();
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      writable_ = false;
      return true;
    }
    socket_error_ = errno;
    return false;
  }
  if (!has_unsent() && unsent_begin_ > 0) {
    Bytes().swap(unsent_);  // an idle connection keeps no buffer
    unsent_begin_ = 0;
    account();
    if (finish_wanted_) ::shutdown(socket_.get(), SHUT_WR);
  }
  return true;
}

bool Endpoint::send_output(int flags) {
  if (scratch_.output.view().empty()) return true;
  bool sent = send(scratch_.output.view(), flags);
  scratch_.output.clear();
  return sent;
}

/// The session was given ciphertext in a buffer of the worker and stopped before its end: keep the rest.
void Endpoint::keep_unread() {
  BytesView rest = tls_->unread();
  if (rest.empty()) {
    Bytes().swap(held_);
  } else {
    held_ = Bytes(rest.begin(), rest.end());
  }
  account();
  tls_->give({});
}

/// The handshake is done, what is left to be sent of it is the session ticket, and the client has said something
/// already: the ticket goes with the answer, in one segment. (A client that has not might be holding back what it wants
/// to say until the ticket acknowledges its Finished.)
void Endpoint::keep_ticket() {
  BytesView output = scratch_.output.view();
  ticket_.assign(output.begin(), output.end());
  scratch_.output.clear();
}

void Endpoint::put_ticket_first() {
  if (ticket_.empty()) return;
  scratch_.output.append(ticket_);
  Bytes().swap(ticket_);
}

/// The handshake is done, and without a ticket there is nothing to say. A client might hold back what it wants to say
/// until its Finished is acknowledged: that does not wait for the kernel's timer.
void Endpoint::acknowledge() {
  int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

/// Looks at what is held before the library does: whoever speaks something else is told apart from broken TLS.
bool Endpoint::first_bytes_are_tls() {
  looks_like_tls_ = tls::classify_first_bytes(held_) == tls::FirstBytes::Tls;
  if (tls::classify_first_bytes(held_) != tls::FirstBytes::NotTls) return true;
  failure_ = {tls::Reason::NotTls, "the first bytes are " + std::string(tls::describe_plaintext(held_))};
  return false;
}

Endpoint::Handshake Endpoint::handshake() {
  constexpr std::size_t kHandshakeBatch = 16 * 1024;
  // The first bytes, or what was left when a key operation stopped the handshake in the middle of it.
  if (!needs_input_) tls_->give(early_.empty() ? BytesView(held_) : early_);
  early_ = {};
  for (;;) {
    if (!needs_input_) {
      auto step = tls_->handshake(scratch_.output);
      scratch_.busy.did_something(*this);
      if (step == tls::Session::Step::Done && tls_->last_step_left_a_ticket()) {
        if (!tls_->unread().empty())
          keep_ticket();
        else if (scratch_.output.view().empty())
          acknowledge();
      }
      bool sent = send_output();
      keep_unread();
      switch (step) {
        case tls::Session::Step::Done: return sent ? Handshake::Done : Handshake::Failed;
        case tls::Session::Step::NeedsKey: return Handshake::NeedsKey;
        case tls::Session::Step::Failed: failure_ = tls_->refusal(); return Handshake::Failed;
        case tls::Session::Step::NeedsInput: needs_input_ = true; break;
      }
      if (!sent) return Handshake::Failed;
    }
    std::size_t got = 0;
    auto into = std::span(scratch_.cipher).first(kHandshakeBatch);
    switch (receive(into, got)) {
      case Receive::Got: break;
      case Receive::Nothing: return Handshake::Waits;
      case Receive::End:
        failure_ = {tls::Reason::ProtocolError, "the peer closed the connection during the handshake"};
        read_ended_ = true;
        return Handshake::Failed;
      case Receive::Failed:
        failure_ = {tls::Reason::ProtocolError, std::generic_category().message(socket_error_)};
        return Handshake::Failed;
    }
    if (looks_like_tls_) {
      tls_->give(into.first(got));
    } else {
      held_.insert(held_.end(), into.begin(), into.begin() + static_cast<std::ptrdiff_t>(got));
      if (!first_bytes_are_tls()) return Handshake::Failed;
      if (!looks_like_tls_) continue;
      tls_->give(held_);
    }
    needs_input_ = false;
  }
}

Endpoint::Pull Endpoint::pull(std::size_t most) {
  if (read_ended_) return Pull::Nothing;
  Pull result = tls_ ? pull_tls(most) : pull_plain(most);
  if (result == Pull::Closed || result == Pull::Truncated) read_ended_ = true;
  return result;
}

/// A full batch means that the next one may be larger.
Endpoint::Receive Endpoint::receive_batch(std::vector<std::uint8_t>& into, std::size_t most, std::size_t& got) {
  Receive received = receive(std::span(into).first(std::min(batch_, most)), got);
  if (received == Receive::Got && got == batch_) batch_ = std::min(Scratch::kMostBatch, batch_ * 2);
  return received;
}

Endpoint::Pull Endpoint::pull_plain(std::size_t most) {
  if (!early_.empty()) {
    std::memcpy(scratch_.plain.data(), early_.data(), early_.size());
    pulled_ = {scratch_.plain.data(), early_.size()};
    early_ = {};
    Bytes().swap(held_);
    account();
    return Pull::Data;
  }
  std::size_t got = 0;
  switch (receive_batch(scratch_.plain, most, got)) {
    case Receive::Nothing: return Pull::Nothing;
    case Receive::End: return Pull::Closed;
    case Receive::Failed: return Pull::Failed;
    case Receive::Got: break;
  }
  pulled_ = {scratch_.plain.data(), got};
  return Pull::Data;
}

Endpoint::Pull Endpoint::pull_tls(std::size_t most) {
  // Everything given is decrypted in this call: plaintext is shorter than its ciphertext, and `plain` is as large as
  // the largest batch. (Bytes that stay inside the library would raise no readiness event.)
  if (!held_.empty() || tls_->read_ended()) {
    tls_->give(held_);
  } else {
    std::size_t got = 0;
    Receive received = receive_batch(scratch_.cipher, most, got);
    if (received == Receive::Nothing) return Pull::Nothing;
    if (received == Receive::End) return Pull::Truncated;
    if (received == Receive::Failed) return Pull::Failed;
    tls_->give({scratch_.cipher.data(), got});
  }
  auto read = tls_->read(scratch_.plain, scratch_.output);
  scratch_.busy.did_something(*this);
  keep_unread();
  if (!send_output()) return Pull::Failed;
  if (unsent_.size() - unsent_begin_ > kMostUnsent) {
    failure_ = {tls::Reason::ProtocolError, "the peer does not read the answers to its KeyUpdates"};
    return Pull::Failed;
  }
  switch (read.step) {
    case tls::Session::ReadStep::Data: pulled_ = {scratch_.plain.data(), read.bytes}; return Pull::Data;
    case tls::Session::ReadStep::Closed: return Pull::Closed;
    case tls::Session::ReadStep::Failed: failure_ = tls_->refusal(); return Pull::Failed;
    case tls::Session::ReadStep::NeedsInput: break;
  }
  return readable_ ? Pull::NotYet : Pull::Nothing;
}

bool Endpoint::push(BytesView plain) {
  if (!tls_) return send(plain);
  put_ticket_first();
  scratch_.busy.did_something(*this);
  if (!tls_->write(plain, scratch_.output)) {
    failure_ = tls_->refusal();
    scratch_.output.clear();
    return false;
  }
  return send_output();
}

bool Endpoint::finish(bool closes_now) {
  if (finish_wanted_) return true;
  finish_wanted_ = true;
  if (tls_) {
    put_ticket_first();
    tls_->close(scratch_.output);
    if (!send_output(MSG_MORE)) return false;  // the FIN follows in the same segment
  }
  if (!has_unsent() && !closes_now) ::shutdown(socket_.get(), SHUT_WR);
  return true;
}

bool Endpoint::discard() {
  std::size_t got = 0;
  for (int i = 0; i < 16; ++i) {
    Receive received = receive(scratch_.cipher, got);
    if (received == Receive::Nothing) return false;
    if (received != Receive::Got) return true;
  }
  return true;  // a peer that goes on talking after our alert is not waited for
}

Address Endpoint::peer_address() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  return ::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0
             ? Address::from_socket(storage, length)
             : Address();
}

Address Endpoint::own_address() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  return ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0
             ? Address::from_socket(storage, length)
             : Address();
}

void Endpoint::reset_on_close() {
  linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

}  // namespace cipherway::gateway
