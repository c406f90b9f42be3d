#include "gateway/entrance.h"

#include <algorithm>

namespace cipherway::gateway {

void Entrance::lead_into(std::vector<std::shared_ptr<Channel>> channels) {
  channels_ = std::move(channels);
  plain_ = false;
  bool passes_through = false;
  patience_ = {};
  most_open_ = most_waiting_ = 0;
  std::vector<Routes::Answers> answers;
  for (const auto& channel : channels_) {
    const config::Channel& config = channel->config;
    plain_ = plain_ || config.from.protect.value == config::Protect::None;
    passes_through = passes_through || config.from.protect.value == config::Protect::Passthrough;
    patience_ = std::max(patience_, config.timeouts.handshake);
    most_open_ += config.limits.connections;
    most_waiting_ = std::max<std::size_t>(most_waiting_, config.limits.handshakes);
    Routes::Answers& answer = answers.emplace_back();
    for (const auto& name : config.from.server_names) answer.server_names.push_back(name.value);
    for (const auto& protocol : config.from.alpn) answer.alpn.push_back(protocol.value);
  }
  proxy_from_.clear();  // the same in all channels of an address
  if (!channels_.empty())
    for (const auto& network : channels_.front()->config.from.proxy_from) proxy_from_.push_back(network.value);
  routes_ = Routes(answers);
  needs_hello_ = passes_through || !routes_.trivial();
}

bool Entrance::expects_proxy_header(const Address& peer) const {
  return std::ranges::any_of(proxy_from_, [&](const Network& network) { return network.contains(peer); });
}

bool Entrance::is_full() const {
  std::size_t open = waiting.size();
  for (const auto& channel : channels_) open += channel->traffic->open;
  return open >= most_open_;
}

}  // namespace cipherway::gateway
