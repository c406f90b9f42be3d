#include "gateway/entrance.h"

#include <algorithm>

namespace cipherway::gateway {

namespace {

/// What holds for channels that share an address: 0 is no limit.
unsigned loosest(const std::vector<unsigned>& limits) {
  if (std::ranges::find(limits, 0u) != limits.end()) return 0;
  return limits.empty() ? 0 : std::ranges::max(limits);
}

}  // namespace

void Entrance::lead_into(std::vector<std::shared_ptr<Channel>> channels) {
  channels_ = std::move(channels);
  plain_ = false;
  bool passes_through = false;
  patience_ = {};
  Admission::Limits limits{.connections = 0, .half_open = 0};
  std::vector<Routes::Answers> answers;
  std::vector<unsigned> source_connections, source_handshakes;
  for (const auto& channel : channels_) {
    const config::Channel& config = channel->config;
    plain_ = plain_ || config.from.protect.value == config::Protect::None;
    passes_through = passes_through || config.from.protect.value == config::Protect::Passthrough;
    patience_ = std::max(patience_, config.timeouts.handshake);
    limits.connections += config.limits.connections;
    limits.half_open = std::max(limits.half_open, config.limits.handshakes);
    source_connections.push_back(config.limits.source_connections);
    source_handshakes.push_back(config.limits.source_handshakes_per_second);
    Routes::Answers& answer = answers.emplace_back();
    for (const auto& name : config.from.server_names) answer.server_names.push_back(name.value);
    for (const auto& protocol : config.from.alpn) answer.alpn.push_back(protocol.value);
  }
  proxy_from_.clear();  // the same in all channels of an address
  if (!channels_.empty())
    for (const auto& network : channels_.front()->config.from.proxy_from) proxy_from_.push_back(network.value);
  routes_ = Routes(answers);
  needs_hello_ = passes_through || !routes_.trivial();
  limits.source_connections = loosest(source_connections);
  limits.source_handshakes_per_second = loosest(source_handshakes);
  if (!channels_.empty()) admission.set_limits(limits);
}

bool Entrance::expects_proxy_header(const Address& peer) const {
  return std::ranges::any_of(proxy_from_, [&](const Network& network) { return network.contains(peer); });
}

}  // namespace cipherway::gateway
