#include "node/listeners.h"

#include <unistd.h>

namespace cipherway::node {

namespace {

/// The kernel cuts it to net.core.somaxconn. A burst of connections waits here while workers are busy.
constexpr int kBacklog = 4096;

}  // namespace

Listeners::Socket::~Socket() {
  if (address_.is_unix()) ::unlink(address_.to_string().substr(5).c_str());
}

std::expected<Listeners, std::vector<config::Problem>> Listeners::open(const config::Node& node,
                                                                       const Listeners& existing) {
  Listeners out;
  std::vector<config::Problem> problems;
  for (const config::Channel& channel : node.channels) {
    const config::Listen& listen = channel.from.listen.value;
    auto [place, is_new] = out.by_address_.try_emplace(listen.to_string());
    if (!is_new) continue;
    if (listen.is_systemd()) {
      problems.push_back({channel.from.listen.at,
                          "channel \"" + channel.name.value + "\": systemd did not hand over a socket named \"" +
                              listen.systemd + "\"",
                          std::nullopt});
      continue;
    }
    if (auto same = existing.by_address_.find(place->first); same != existing.by_address_.end()) {
      place->second = same->second;
      continue;
    }
    Result<Fd> fd = listen_on(listen.address, kBacklog);
    if (fd)
      place->second = std::make_shared<const Socket>(listen.address, std::move(*fd));
    else
      problems.push_back(
          {channel.from.listen.at, "channel \"" + channel.name.value + "\": " + fd.error().what, std::nullopt});
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return out;
}

}  // namespace cipherway::node
