// How a connection arrives: who the client is, which channel it belongs to, and what a target is told about it.
#include "gateway/connection.h"
#include "tls/first_bytes.h"

#include <system_error>

namespace cipherway::gateway {

namespace {

std::uint8_t type_of(identity::NameKind kind) {
  switch (kind) {
    case identity::NameKind::Spiffe: return kProxySpiffeName;
    case identity::NameKind::Dns: return kProxyDnsName;
    case identity::NameKind::Ip: return kProxyIpName;
  }
  broken("NameKind out of range");
}

}  // namespace

/// False: there is nothing to read now, or the client was refused because there never will be.
bool Connection::read_early(std::string_view awaited) {
  switch (client_.read_early()) {
    case Endpoint::Early::Some: return true;
    case Endpoint::Early::Nothing: return false;
    case Endpoint::Early::Closed:
      refuse("client", tls::word(tls::Reason::ProtocolError),
             "the peer closed the connection during the " + std::string(awaited), nullptr);
      return false;
    case Endpoint::Early::Failed:
      refuse("client", tls::word(tls::Reason::ProtocolError), std::generic_category().message(client_.socket_error()),
             nullptr);
      return false;
  }
  broken("Early out of range");
}

Connection::Next Connection::await_proxy_header() {
  while (read_early("PROXY header")) {
    auto header = read_proxy_header(client_.early());
    if (!header) {
      if (header.error().why == NoProxyHeader::Why::Incomplete) continue;
      refuse_proxy_header(header.error());
      return Next::Again;
    }
    client_.drop_early(header->length);
    if (header->source) {
      announced_ = std::make_unique<Announced>(Announced{*header->source, *header->destination, client_address_});
      client_address_ = header->source->is_unix() ? "unix" : header->source->to_string();
      if (!count_for(*header->source)) return Next::Again;
    }
    enter(Phase::AwaitingFirstBytes);
    if (entrance_->is_plain() || !client_.early().empty()) first_bytes_are_there();
    return Next::Again;
  }
  return phase_ == Phase::AwaitingProxyHeader ? Next::Wait : Next::Again;
}

/// It was let in as the proxy's, and is the client's from here on. False: the client may have no more.
bool Connection::count_for(const Address& client) {
  if (!is_inside()) return true;
  leave();
  Admission::Answer answer = entrance_->admission.enter(*this, client, host_.loop().now());
  if (answer == Admission::Answer::Welcome) return true;
  evict(word(answer), std::string(explain(answer)));
  return false;
}

void Connection::refuse_proxy_header(const NoProxyHeader& no) {
  bool missing = no.why == NoProxyHeader::Why::Missing;
  refuse("client", missing ? "proxy-header-missing" : "proxy-header-malformed", std::string(no.detail), nullptr);
}

Connection::Next Connection::await_first_bytes() {
  while (read_early("handshake")) {
    Next next = first_bytes_are_there();
    if (next == Next::Again) return next;
  }
  return phase_ == Phase::AwaitingFirstBytes ? Next::Wait : Next::Again;
}

/// Wait: they are not enough.
Connection::Next Connection::first_bytes_are_there() {
  // Where the entrance leads now, not where it led when the client was accepted.
  if (entrance_->channels().empty()) {
    refuse("client", "no-channel", "the address left the config before the client said anything", nullptr);
    return Next::Again;
  }
  if (entrance_->is_plain()) return enter_channel(entrance_->channels().front());
  if (auto channel = choose_channel()) return enter_channel(entrance_->channels()[*channel]);
  return phase_ == Phase::AwaitingFirstBytes ? Next::Wait : Next::Again;
}

/// Nothing: read on, or the client was refused.
std::optional<std::size_t> Connection::choose_channel() {
  if (!entrance_->needs_hello()) {
    switch (tls::classify_first_bytes(client_.early())) {
      case tls::FirstBytes::Tls: return 0;
      case tls::FirstBytes::Incomplete: return std::nullopt;
      case tls::FirstBytes::NotTls: refuse_hello({tls::NoHello::Why::NotTls, {}, {}}); return std::nullopt;
    }
  }
  auto hello = tls::read_client_hello(client_.early(), host_.scratch().hello);
  if (!hello) {
    if (hello.error().why != tls::NoHello::Why::Incomplete) refuse_hello(hello.error());
    return std::nullopt;
  }
  auto chosen = entrance_->routes().choose(hello->server_name, hello->alpn);
  // Who terminates TLS knows these things from its session.
  if (chosen && entrance_->channels()[*chosen]->from) return *chosen;
  said_ = std::make_unique<Said>(Said{std::string(hello->server_name), hello->alpn.to_string()});
  if (chosen) return *chosen;
  refuse_route(chosen.error());
  return std::nullopt;
}

void Connection::refuse_hello(const tls::NoHello& no) {
  switch (no.why) {
    case tls::NoHello::Why::Incomplete: return;
    case tls::NoHello::Why::NotTls:
      if (ProxySignature().completed_by(client_.early()))
        return refuse("client", "proxy-header-unexpected",
                      "a PROXY header, from an address that proxy_from does not list", nullptr);
      return refuse("client", tls::word(tls::Reason::NotTls),
                    "the first bytes are " + std::string(tls::describe_plaintext(client_.early())), nullptr);
    case tls::NoHello::Why::GaveUp:
      return refuse("client", tls::word(tls::Reason::PeerAlert), std::string(no.detail), nullptr);
    case tls::NoHello::Why::Malformed:
      client_.push(tls::alert_record(no.alert));
      return refuse("client", "malformed-hello", std::string(no.detail), nullptr);
  }
}

void Connection::refuse_route(Routes::Miss miss) {
  switch (miss) {
    case Routes::Miss::NoName:
      client_.push(tls::alert_record(tls::Alert::UnrecognizedName));
      return refuse("client", "no-name", "the client names no server, and the address has no default channel", nullptr);
    case Routes::Miss::UnknownName:
      client_.push(tls::alert_record(tls::Alert::UnrecognizedName));
      return refuse("client", "unknown-name", "no channel of the address has this name", nullptr);
    case Routes::Miss::NoSharedAlpn:
      client_.push(tls::alert_record(tls::Alert::NoApplicationProtocol));
      return refuse("client", tls::word(tls::Reason::NoSharedAlpn),
                    "no channel of this name has one of these protocols", nullptr);
  }
}

/// The channel is known: the connection counts as its own from here on.
Connection::Next Connection::enter_channel(std::shared_ptr<Channel> channel) {
  Traffic& traffic = *channel->traffic;
  const config::Limits& limits = channel->config.limits;
  channel_ = std::move(channel);
  ++traffic.open;
  ++traffic.total;
  if (traffic.open > limits.connections) {
    refuse("client", "limit", "as many connections are open as the channel may have", nullptr);
    return Next::Again;
  }
  // Who is slow with the handshake makes room for who is not.
  if (traffic.half_open.size() >= limits.handshakes) {
    client_.keep_early();
    traffic.half_open.front()->evict("limit", "the oldest of too many handshakes");
  }
  become_half_open(traffic.half_open);
  if (!channel_->from) {
    client_.keep_early();
    return seek_target();
  }
  timer_.set_at(began_ + channel_->config.timeouts.handshake);
  if (!entrance_->admission.may_begin_handshake(*this, host_.loop().now())) {
    evict("source-rate", "its source begins as many handshakes a second as it may");
    return Next::Again;
  }
  enter(Phase::AwaitingTurn);
  return Next::Again;
}

/// Beginning a handshake is what costs: when there are many, sources take turns.
Connection::Next Connection::await_turn() {
  if (is_waiting()) return Next::Wait;
  if (host_.turns().may_start(*this)) return begin_handshake();
  client_.keep_early();
  return Next::Wait;
}

void Connection::turn_came() {
  if (client_.hung_up()) {
    refuse("client", tls::word(tls::Reason::ProtocolError), "the peer closed the connection during the handshake",
           nullptr);
  } else {
    begin_handshake();
  }
  advance();
}

Connection::Next Connection::begin_handshake() {
  auto session = tls::Session::make(channel_->from, *this);
  if (!session) {
    refuse("client", "internal", session.error().what, nullptr);
    return Next::Again;
  }
  if (!channel_->traffic->ticket_demand.wants_one(source_hash())) (*session)->spare_ticket();
  client_.start_tls(std::move(*session), false);
  enter(Phase::AwaitingClientHandshake);
  return Next::Again;
}

/// On a plaintext entrance nobody waits for the client's first bytes: they are looked at when they pass.
bool Connection::begins_as_proxy_header() {
  if (forbidden_header_->completed_by(client_.pulled())) {
    target_->reset_on_close();
    refuse("client", "proxy-header-unexpected", "a PROXY header, from an address that proxy_from does not list",
           nullptr);
    return true;
  }
  if (forbidden_header_->excluded()) forbidden_header_.reset();
  return false;
}

/// The first thing that a target hears, also before TLS.
void Connection::introduce_client() {
  const auto& version = channel_->config.to.proxy_protocol;
  if (!version) return;
  ProxyFacts facts;
  if (announced_) {
    facts.source = announced_->source;
    facts.destination = announced_->destination;
  } else {
    facts.source = client_.peer_address();
    facts.destination = client_.own_address();
  }
  if (*version == config::ProxyVersion::V1) {
    target_->push(proxy_header_v1(facts));
    return;
  }
  if (said_) facts.server_name = said_->server_name;  // the protocol is agreed on behind us
  if (client_.has_tls()) {
    tls::Negotiated with = client_.tls().negotiated();
    facts.server_name = std::move(with.server_name);
    facts.alpn = std::move(with.alpn);
    ProxyTls& ends_here = facts.tls.emplace();
    ends_here.protocol = std::move(with.protocol);
    ends_here.cipher = std::move(with.cipher);
    ends_here.verified = channel_->from->settings().peer.has_value();
    ends_here.resumed = with.resumed;
    ends_here.common_name = client_.tls().peer_common_name();
    for (identity::Name& name : with.peer_names) ends_here.names.push_back({type_of(name.kind), std::move(name.text)});
  }
  target_->push(proxy_header_v2(facts));
}

}  // namespace cipherway::gateway
