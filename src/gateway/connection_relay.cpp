// The second half of a connection: from the moment that client and target are there to the end.
#include "base/log.h"
#include "gateway/connection.h"

#include <algorithm>
#include <system_error>

namespace cipherway::gateway {

namespace {
constexpr int kBatchesPerTurn = 8;  // then others get their turn
}

void Connection::begin_relaying() {
  enter(Phase::Relaying);
  no_longer_half_open();
  settle();
  journey_.reset();
  visit_->worked(host_.loop().now());
  ++channel_->traffic->relayed;
  moved_ = host_.loop().now();
  timer_.set_after(channel_->config.timeouts.idle);

  if (!log::enabled(log::Level::Info)) return;
  tls::Negotiated client, target;
  if (client_.has_tls()) client = client_.tls().negotiated();
  if (target_->has_tls()) target = target_->tls().negotiated();
  if (said_) client.server_name = said_->server_name;
  if (said_) client.alpn = said_->alpn;
  const tls::Negotiated& shown = client_.has_tls() || said_ ? client : target;
  log::info("connection.open", {{"channel", channel_->name()},
                                {"from", client_address_},
                                {"via", announced_ ? announced_->via : std::string()},
                                {"to", visit_->text()},
                                {"client", identity::in_words(client.peer_names)},
                                {"server", identity::in_words(target.peer_names)},
                                {"protocol", shown.protocol},
                                {"group", shown.group},
                                {"cipher", shown.cipher},
                                {"resumed", shown.resumed},
                                {"target_resumed", target.resumed},
                                {"sni", client.server_name},
                                {"alpn", shown.alpn}});
}

Connection::Facts Connection::facts() const {
  Facts facts{.channel = channel_->name(),
              .client_address = client_address_,
              .target_address = visit_ ? visit_->text() : std::string(),
              .began = began_,
              .bytes_in = bytes_in_,
              .bytes_out = bytes_out_};
  if (client_.has_tls()) facts.client = client_.tls().negotiated();
  if (target_ && target_->has_tls()) facts.target = target_->tls().negotiated();
  if (said_) facts.server_name = said_->server_name;
  return facts;
}

Connection::Next Connection::relay() {
  if (!client_.flush()) {
    broke(client_);
    return Next::Again;
  }
  if (!target_->flush()) {
    broke(*target_);
    return Next::Again;
  }
  for (int batch = 0; batch < kBatchesPerTurn; ++batch) {
    bool moved = pump(client_, *target_, bytes_in_);
    if (phase_ != Phase::Relaying) return Next::Again;
    moved = pump(*target_, client_, bytes_out_) || moved;
    if (phase_ != Phase::Relaying) return Next::Again;
    if (client_.read_ended() && target_->read_ended() && client_.finished() && target_->finished()) {
      end("closed");
      return Next::Again;
    }
    if (!moved) {
      if (client_.has_unsent() || target_->has_unsent()) timer_.set_at(relay_deadline());
      return Next::Wait;
    }
  }
  host_.loop().again(client_);
  return Next::Wait;
}

/// When it is over unless something happens: nothing comes and nothing is taken (idle), or a side takes nothing of what
/// there is for it, whatever else goes on (stall).
Clock::time_point Connection::relay_deadline() const {
  const config::Timeouts& timeouts = channel_->config.timeouts;
  auto until = std::max({moved_, client_.took_at(), target_->took_at()}) + timeouts.idle;
  for (const Endpoint* side : {&client_, &*target_})
    if (side->has_unsent()) until = std::min(until, side->took_at() + timeouts.stall);
  return until;
}

bool Connection::has_stalled(const Endpoint& side) const {
  return side.has_unsent() && host_.loop().now() >= side.took_at() + channel_->config.timeouts.stall;
}

/// Moves one batch, if there is one and the other side has taken everything before it. False: nothing moved.
bool Connection::pump(Endpoint& from, Endpoint& to, std::uint64_t& counter) {
  if (to.has_unsent()) return false;
  std::size_t most = host_.scratch().budget.most_batch(client_.unsent_room() + target_->unsent_room());
  if (most == 0) return false;  // until what it holds is delivered
  switch (from.pull(most)) {
    case Endpoint::Pull::Nothing: return false;
    case Endpoint::Pull::NotYet: return true;
    case Endpoint::Pull::Failed: broke(from); return false;
    case Endpoint::Pull::Truncated:
      end(&from == &client_ ? "truncated by client" : "truncated by target");
      return false;
    case Endpoint::Pull::Closed:
      if (!to.finish(to.read_ended() && from.finished())) broke(to);
      return true;
    case Endpoint::Pull::Data: break;
  }
  if (&from == &client_ && forbidden_header_ && begins_as_proxy_header()) return false;
  counter += from.pulled().size();
  (&from == &client_ ? channel_->traffic->bytes_in : channel_->traffic->bytes_out) += from.pulled().size();
  moved_ = host_.loop().now();
  timer_.set_after(channel_->config.timeouts.idle);
  if (!to.push(from.pulled())) {
    broke(to);
    return false;
  }
  return from.may_have_more() && !to.has_unsent();
}

/// An endpoint failed in the middle of relaying.
void Connection::broke(Endpoint& at) {
  std::string side = &at == &client_ ? "client" : "target";
  if (at.socket_error() != 0) return end("reset by " + side, std::generic_category().message(at.socket_error()));
  end(std::string(tls::word(at.failure().reason)) + " from " + side, at.failure().detail);
}

void Connection::end(std::string_view how, const std::string& detail) {
  bool proper = how == "closed";
  double seconds = std::chrono::duration<double>(host_.loop().now() - began_).count();
  log::event(proper ? log::Level::Info : log::Level::Warn, "connection.closed",
             {{"channel", channel_->name()},
              {"from", client_address_},
              {"client", client_.has_tls() ? identity::in_words(client_.tls().negotiated().peer_names) : std::string()},
              {"bytes_in", bytes_in_},
              {"bytes_out", bytes_out_},
              {"seconds", seconds},
              {"how", how},
              {"detail", detail}});
  if (!proper) {
    // Whoever is at the other end must not take what it got for the whole.
    if (target_ && (!target_->has_tls() || !target_->read_ended())) target_->reset_on_close();
    if (!client_.has_tls()) client_.reset_on_close();
  }
  close_now();
}

}  // namespace cipherway::gateway
