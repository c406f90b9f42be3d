#include "gateway/connection.h"

#include "base/log.h"
#include "base/sip_hash.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace cipherway::gateway {

namespace {

constexpr std::chrono::seconds kGoodbye{1};

/// The same in every worker and node.
std::uint64_t hash_of(std::string_view name) {
  constexpr SipKey kKey{0x6369706865727761, 0x792070696e6e6564};
  return sip_hash(kKey, name);
}

}  // namespace

std::string_view to_string(Connection::Phase phase) {
  switch (phase) {
    case Connection::Phase::AwaitingProxyHeader: return "awaiting proxy header";
    case Connection::Phase::AwaitingFirstBytes: return "awaiting first bytes";
    case Connection::Phase::AwaitingTurn: return "awaiting turn";
    case Connection::Phase::AwaitingClientHandshake: return "awaiting client handshake";
    case Connection::Phase::AwaitingTarget: return "awaiting target";
    case Connection::Phase::AwaitingTargetHandshake: return "awaiting target handshake";
    case Connection::Phase::Relaying: return "relaying";
    case Connection::Phase::AwaitingGoodbye: return "awaiting goodbye";
    case Connection::Phase::Closed: return "closed";
  }
  broken("Phase out of range");
}

Connection::Connection(ConnectionHost& host, std::shared_ptr<Entrance> entrance, Fd client,
                       const Address& client_address)
    : host_(host),
      entrance_(std::move(entrance)),
      client_address_(client_address.is_unix() ? "unix" : client_address.to_string()),
      client_(host.loop(), host.scratch(), *this, std::move(client)),
      timer_(host.loop(), [this] { expired(); }),
      began_(host.loop().now()) {
  host_.scratch().budget.connection_began();
  become_half_open(entrance_->waiting);
  if (!entrance_->has_proxies()) return;
  if (entrance_->expects_proxy_header(client_address)) {
    phase_ = Phase::AwaitingProxyHeader;
  } else if (entrance_->is_plain()) {
    forbidden_header_ = std::make_unique<ProxySignature>();
  }
}

Connection::~Connection() {
  leave();
  host_.scratch().budget.connection_ended();
  no_longer_half_open();
  if (channel_) --channel_->traffic->open;
}

void Connection::become_half_open(std::list<Connection*>& among) {
  if (half_open_among_ != nullptr) {
    among.splice(among.end(), *half_open_among_, half_open_);
  } else {
    half_open_ = among.insert(among.end(), this);
  }
  half_open_among_ = &among;
}

void Connection::no_longer_half_open() {
  if (half_open_among_ != nullptr) half_open_among_->erase(half_open_);
  half_open_among_ = nullptr;
}

void Connection::start() {
  timer_.set_after(entrance_->patience());
  if (auto watched = client_.watch(); !watched) return refuse("client", "internal", watched.error().what, nullptr);
  if (phase_ == Phase::AwaitingFirstBytes && entrance_->is_plain()) enter_channel(entrance_->channels().front());
  advance();
}

void Connection::advance() {
  if (advancing_) return;  // an event that our own work caused
  advancing_ = true;
  while (phase_ != Phase::Closed && step() == Next::Again) {
  }
  advancing_ = false;
}

Connection::Next Connection::step() {
  switch (phase_) {
    case Phase::AwaitingProxyHeader: return await_proxy_header();
    case Phase::AwaitingFirstBytes: return await_first_bytes();
    case Phase::AwaitingTurn: return await_turn();
    case Phase::AwaitingClientHandshake: return await_client_handshake();
    case Phase::AwaitingTarget: return await_target();
    case Phase::AwaitingTargetHandshake: return await_target_handshake();
    case Phase::Relaying: return relay();
    case Phase::AwaitingGoodbye: return await_goodbye();
    case Phase::Closed: return Next::Wait;
  }
  broken("Phase out of range");
}

bool may_follow(Connection::Phase from, Connection::Phase to) {
  using Phase = Connection::Phase;
  if (to == Phase::Closed) return from != Phase::Closed;
  if (to == Phase::AwaitingGoodbye) return from != Phase::Closed && from != Phase::AwaitingGoodbye;
  switch (from) {
    case Phase::AwaitingProxyHeader: return to == Phase::AwaitingFirstBytes;
    case Phase::AwaitingFirstBytes: return to == Phase::AwaitingTurn || to == Phase::AwaitingTarget;
    case Phase::AwaitingTurn: return to == Phase::AwaitingClientHandshake;
    case Phase::AwaitingClientHandshake: return to == Phase::AwaitingTarget;
    case Phase::AwaitingTarget:
      return to == Phase::AwaitingTarget || to == Phase::AwaitingTargetHandshake || to == Phase::Relaying;
    case Phase::AwaitingTargetHandshake: return to == Phase::AwaitingTarget || to == Phase::Relaying;
    case Phase::Relaying:
    case Phase::AwaitingGoodbye:
    case Phase::Closed: return false;
  }
  broken("Phase out of range");
}

void Connection::enter(Phase phase) {
  if (!may_follow(phase_, phase)) broken("a connection went where its phases do not lead");
  phase_ = phase;
}

void Connection::key_operation_done() {
  waits_for_key_ = false;
  if (std::exchange(counts_at_keyholder_, false)) host_.turns().key_operation_ended();
  advance();
}

Connection::Next Connection::await_client_handshake() {
  if (waits_for_key_) return Next::Wait;
  switch (client_.handshake()) {
    case Endpoint::Handshake::Waits: return Next::Wait;
    case Endpoint::Handshake::NeedsKey:
      waits_for_key_ = counts_at_keyholder_ = true;
      host_.turns().key_operation_began();
      return Next::Wait;
    case Endpoint::Handshake::Failed:
      refuse("client", tls::word(client_.failure().reason), client_.failure().detail, &client_);
      return Next::Again;
    case Endpoint::Handshake::Done: break;
  }
  count_handshake();
  return seek_target();
}

void Connection::count_handshake() {
  Traffic& traffic = *channel_->traffic;
  if (client_.tls().resumed()) {
    ++traffic.resumed;
    traffic.ticket_demand.resumed(source_hash());
  } else {
    ++traffic.full;
    traffic.ticket_demand.was_full(source_hash());
  }
  traffic.handshake_time.observe(Clock::now() - began_);
}

/// The client is let in: now a target for it.
Connection::Next Connection::seek_target() {
  journey_ = std::make_unique<Journey>();
  if (channel_->config.to.balance == config::Balance::Pinned) journey_->pin = pin();
  next_target({}, {});
  return Next::Again;
}

/// Who the client is: by the names that it proved, else by where it comes from.
std::uint64_t Connection::pin() const {
  if (client_.has_tls()) {
    if (std::string names = identity::in_words(client_.tls().negotiated().peer_names); !names.empty())
      return hash_of(names);
  }
  return source_hash();
}

std::uint64_t Connection::source_hash() const {
  return hash_of(std::string_view(client_address_).substr(0, client_address_.rfind(':')));
}

Result<void> Connection::begin_target() {
  timer_.set_after(channel_->config.timeouts.connect);
  enter(Phase::AwaitingTarget);
  target_began_ = Clock::now();
  // We speak first if we speak TLS, or if the client has said something already.
  bool at_hand = channel_->to != nullptr || client_.has_unread();
  Fd socket = TRY(connect_to(visit_->address(), at_hand ? FirstData::AtHand : FirstData::MayWait));
  target_.emplace(host_.loop(), host_.scratch(), *this, std::move(socket));
  return target_->watch(true);
}

/// The first target, or another one because this one did not work out: no byte was delivered to it yet.
void Connection::next_target(std::string reason, std::string detail) {
  for (;;) {
    auto next = channel_->targets->next(*journey_, host_.loop().now());
    if (!next) return no_target(next.error(), reason, std::move(detail));
    if (visit_)
      log::warn("target.failed",
                {{"channel", channel_->name()}, {"target", visit_->text()}, {"reason", reason}, {"detail", detail}});
    target_.reset();
    visit_ = std::move(*next);
    auto begun = begin_target();
    if (begun) return;
    // That this machine is out of descriptors, say, is no fault of the target's.
    if (begun.error().kind != ErrorKind::Limit) visit_->failed(host_.loop().now());
    reason = "connect-failed";
    detail = begun.error().what;
  }
}

void Connection::no_target(NoTarget why, const std::string& reason, std::string detail) {
  if (!reason.empty()) return refuse("target", reason, detail, target_ ? &*target_ : nullptr);
  // That nobody can be served has been said already, and there may be many who come.
  std::uint64_t missed = 0;
  bool worth = channel_->targets->worth_logging(host_.loop().now(), missed);
  detail = why == NoTarget::AllDown ? "every target of the channel is down"
                                    : "every target that is up has as many connections as it may";
  if (missed > 0) detail += "; " + std::to_string(missed) + " more were refused since the last such line";
  refuse("target", why == NoTarget::AllDown ? "all-targets-down" : "target-limit", detail, nullptr,
         worth ? log::Level::Warn : log::Level::Debug);
}

Connection::Next Connection::await_target() {
  if (!target_) return Next::Wait;
  switch (target_->connected()) {
    case Endpoint::Connect::Waits: return Next::Wait;
    case Endpoint::Connect::Failed:
      visit_->failed(host_.loop().now());
      next_target("connect-failed",
                  "connect to " + visit_->text() + ": " + std::generic_category().message(target_->socket_error()));
      return Next::Again;
    case Endpoint::Connect::Done: break;
  }
  auto now = Clock::now();
  channel_->traffic->connect_time.observe(now - std::exchange(target_began_, now));
  introduce_client();
  if (channel_->to) {
    auto session = tls::Session::make(channel_->to, *this, visit_->text());
    if (!session) {
      refuse("target", "internal", session.error().what, nullptr);
      return Next::Again;
    }
    target_->start_tls(std::move(*session), true);
    timer_.set_after(channel_->config.timeouts.handshake);
    enter(Phase::AwaitingTargetHandshake);
  } else {
    begin_relaying();
  }
  return Next::Again;
}

Connection::Next Connection::await_target_handshake() {
  if (waits_for_key_) return Next::Wait;
  switch (target_->handshake()) {
    case Endpoint::Handshake::Waits: return Next::Wait;
    case Endpoint::Handshake::NeedsKey: waits_for_key_ = true; return Next::Wait;
    case Endpoint::Handshake::Failed:
      // That our own key is out of reach is no fault of the target's.
      if (target_->failure().reason != tls::Reason::KeyUnavailable) visit_->failed(host_.loop().now());
      next_target(std::string(tls::word(target_->failure().reason)), target_->failure().detail);
      return Next::Again;
    case Endpoint::Handshake::Done: break;
  }
  ++(target_->tls().resumed() ? channel_->traffic->target_resumed : channel_->traffic->target_full);
  channel_->traffic->target_handshake_time.observe(Clock::now() - target_began_);
  begin_relaying();
  return Next::Again;
}

/// Before a byte of application data passed: nobody is connected to anybody.
void Connection::refuse(std::string_view side, std::string_view reason, const std::string& detail, const Endpoint* at,
                        log::Level level) {
  bool shown = at != nullptr && at->has_tls();
  std::string names = shown ? identity::in_words(at->tls().presented_names()) : std::string();
  std::string pin = shown ? at->tls().presented_pin() : std::string();
  std::string server_name = said_ ? said_->server_name : std::string();
  if (client_.has_tls()) server_name = client_.tls().server_name();
  const Channel* channel = channel_ ? channel_.get() : entrance_->only();
  (channel != nullptr ? channel->traffic->refusals : entrance_->refusals).count(reason);
  std::uint64_t unlogged = 0;
  bool said = !names.empty() || !pin.empty() || level < log::Level::Warn;
  if (said || host_.refusal_log().worth_a_line(host_.loop().now(), unlogged))
    log::event(level, "connection.refused",
               {{"channel", channel != nullptr ? channel->name() : std::string()},
                {"listen", entrance_->address()},
                {"from", client_address_},
                {"via", announced_ ? announced_->via : std::string()},
                {"side", side},
                {"reason", reason},
                {"detail", detail},
                {"names", names},
                {"pin", pin},
                {"sni", server_name},
                {"alpn", said_ ? said_->alpn : std::string()},
                {"unlogged", unlogged}});
  if (phase_ == Phase::Closed) return;
  target_.reset();
  visit_.reset();
  if (client_.socket_error() != 0 || client_.read_ended()) return close_now();
  // An alert that was just sent would be lost if unread input turned our close into a reset: end our direction, and
  // wait a moment for the client to end its own.
  client_.finish();
  no_longer_half_open();
  enter(Phase::AwaitingGoodbye);
  timer_.set_after(kGoodbye);
}

Connection::Next Connection::await_goodbye() {
  if (!client_.flush() || client_.discard()) close_now();
  return Next::Wait;
}

void Connection::close_now() {
  if (phase_ == Phase::Closed) return;
  no_longer_half_open();
  leave();
  visit_.reset();
  timer_.cancel();
  enter(Phase::Closed);
  host_.closed(*this);
}

void Connection::expired() {
  switch (phase_) {
    case Phase::AwaitingProxyHeader:
      return refuse("client", "handshake-timeout", "the PROXY header took too long", nullptr);
    case Phase::AwaitingFirstBytes:
      return refuse("client", "handshake-timeout", "the client did not say enough to know its channel", nullptr);
    case Phase::AwaitingTurn:
    case Phase::AwaitingClientHandshake:
      if (waits_for_key_) return client_.tls().abandon();
      return refuse("client", "handshake-timeout", "the handshake took too long", &client_);
    case Phase::AwaitingTarget:
      visit_->failed(host_.loop().now());
      next_target("connect-timeout", "connecting took too long");
      return advance();
    case Phase::AwaitingTargetHandshake:
      if (waits_for_key_) return target_->tls().abandon();
      visit_->failed(host_.loop().now());
      next_target("handshake-timeout", "the target's handshake took too long");
      return advance();
    case Phase::Relaying:
      if (has_stalled(client_)) return end("stalled client", "it has taken nothing for as long as timeouts.stall");
      if (has_stalled(*target_)) return end("stalled target", "it has taken nothing for as long as timeouts.stall");
      if (auto until = relay_deadline(); until > host_.loop().now()) return timer_.set_at(until);
      return end("idle timeout");
    case Phase::AwaitingGoodbye: return close_now();
    case Phase::Closed: return;
  }
}

void Connection::evict(std::string_view reason, const std::string& detail) {
  leave();
  if (waits_for_key_) {
    // The handshake must come to its end before its session may go; it fails now.
    timer_.set_after(std::chrono::milliseconds(0));
    return;
  }
  if (phase_ == Phase::Relaying) return end(reason);
  if (phase_ == Phase::AwaitingGoodbye) return close_now();
  refuse("client", reason, detail, nullptr);
  close_now();
}

}  // namespace cipherway::gateway
