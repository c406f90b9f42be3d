#include "gateway/check.h"

#include <sys/socket.h>

#include <system_error>

namespace cipherway::gateway {

std::string no_client(config::ProxyVersion version) {
  if (version == config::ProxyVersion::V1) return "PROXY UNKNOWN\r\n";
  return std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
}

Check::Check(event::EventLoop& loop, Scratch& scratch, Task task, Done done)
    : loop_(loop), scratch_(scratch), task_(std::move(task)), done_(std::move(done)), timer_(loop, [this] {
        cut_short();
      }) {}

Check::~Check() = default;

void Check::start() {
  timer_.set_after(task_.timeout);
  auto socket = connect_to(task_.address);
  if (!socket)
    return end({false, socket.error().kind == ErrorKind::Limit ? "internal" : "connect-failed", socket.error().what});
  endpoint_.emplace(loop_, scratch_, *this, std::move(*socket));
  if (auto watched = endpoint_->watch(); !watched) return end({false, "internal", watched.error().what});
  advance();
}

void Check::cut_short() {
  if (phase_ == Phase::Over) return;
  if (waits_for_key_) return endpoint_->tls().abandon();
  end({false, "timeout",
       phase_ == Phase::Connecting    ? "connecting took too long"
       : phase_ == Phase::Handshaking ? "the handshake took too long"
                                      : "the answer took too long"});
}

void Check::key_operation_done() {
  waits_for_key_ = false;
  advance();
}

void Check::advance() {
  if (advancing_) return;  // an event that our own work caused
  advancing_ = true;
  for (bool again = true; again;) {
    switch (phase_) {
      case Phase::Connecting: again = connecting(); break;
      case Phase::Handshaking: again = handshaking(); break;
      case Phase::Asking: again = asking(); break;
      case Phase::Over: again = false; break;
    }
  }
  advancing_ = false;
}

bool Check::connecting() {
  if (!endpoint_) return false;
  switch (endpoint_->connected()) {
    case Endpoint::Connect::Waits: return false;
    case Endpoint::Connect::Failed:
      end({false, "connect-failed", std::generic_category().message(endpoint_->socket_error())});
      return false;
    case Endpoint::Connect::Done: break;
  }
  if (!task_.greeting.empty() && !endpoint_->push(as_bytes(task_.greeting))) {
    end({false, "connect-failed", "the connection broke at once"});
    return false;
  }
  if (task_.tls) {
    auto session = tls::Session::make(task_.tls, *this);
    if (!session) {
      end({false, "internal", session.error().what});
      return false;
    }
    endpoint_->start_tls(std::move(*session), true);
    phase_ = Phase::Handshaking;
    return true;
  }
  ask();
  return true;
}

bool Check::handshaking() {
  if (waits_for_key_) return false;
  switch (endpoint_->handshake()) {
    case Endpoint::Handshake::Waits: return false;
    case Endpoint::Handshake::NeedsKey: waits_for_key_ = true; return false;
    case Endpoint::Handshake::Failed: {
      const tls::Refusal& refusal = endpoint_->failure();
      bool ours = refusal.reason == tls::Reason::KeyUnavailable;
      end({false, ours ? "internal" : std::string(tls::word(refusal.reason)), refusal.detail});
      return false;
    }
    case Endpoint::Handshake::Done: break;
  }
  ask();
  return true;
}

void Check::ask() {
  if (!task_.request) {
    endpoint_->finish();
    return end({true, {}, {}});
  }
  phase_ = Phase::Asking;
  if (!endpoint_->push(as_bytes(*task_.request))) end({false, "reset", "the target ended the connection"});
}

bool Check::asking() {
  if (!endpoint_->flush()) {
    end({false, "reset", "the target ended the connection"});
    return false;
  }
  switch (endpoint_->pull()) {
    case Endpoint::Pull::Nothing: return false;
    case Endpoint::Pull::NotYet: return true;
    case Endpoint::Pull::Data: break;
    case Endpoint::Pull::Closed:
    case Endpoint::Pull::Truncated:
    case Endpoint::Pull::Failed: end({false, "no-answer", "the target ended the connection"}); return false;
  }
  std::string_view got = as_text(endpoint_->pulled());
  answer_ += got.substr(0, HttpAnswer::kMostLine + 2);
  HttpAnswer answer = HttpAnswer::parse(answer_);
  if (answer.state == HttpAnswer::State::Incomplete) return true;
  if (answer.is_good()) {
    end({true, {}, {}});
  } else if (answer.state == HttpAnswer::State::Broken) {
    end({false, "not-http", "the answer is not HTTP/1"});
  } else {
    end({false, "http-status", "the answer is " + std::to_string(answer.status)});
  }
  return false;
}

void Check::end(Outcome outcome) {
  if (phase_ == Phase::Over) return;
  phase_ = Phase::Over;
  timer_.cancel();
  done_(outcome);
}

}  // namespace cipherway::gateway
