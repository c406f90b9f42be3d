#include "node/listeners.h"

#include <unistd.h>

#include <algorithm>

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
    if (channel.from.listen.value.is_systemd()) {
      problems.push_back({channel.from.listen.at,
                          "channel \"" + channel.name.value + "\": systemd did not hand over a socket named \"" +
                              channel.from.listen.value.systemd + "\"",
                          std::nullopt});
      continue;
    }
    const Address& address = channel.from.listen.value.address;
    auto same =
        std::ranges::find_if(existing.by_channel_, [&](const auto& each) { return each.second->address() == address; });
    if (same != existing.by_channel_.end()) {
      out.by_channel_[channel.name.value] = same->second;
      continue;
    }
    Result<Fd> fd = listen_on(address, kBacklog);
    if (fd)
      out.by_channel_[channel.name.value] = std::make_shared<const Socket>(address, std::move(*fd));
    else
      problems.push_back(
          {channel.from.listen.at, "channel \"" + channel.name.value + "\": " + fd.error().what, std::nullopt});
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return out;
}

}  // namespace cipherway::node
