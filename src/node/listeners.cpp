#include "node/listeners.h"

#include <unistd.h>

namespace cipherway::node {

namespace {

/// The kernel cuts it to net.core.somaxconn. A burst of connections waits here while workers are busy.
constexpr int kBacklog = 4096;

}  // namespace

std::expected<std::shared_ptr<const Listeners::Socket>, config::Problem> Listeners::passed_socket(
    const config::Channel& channel, const PassedSockets& passed) {
  const auto& listen = channel.from.listen;
  auto problem = [&](const std::string& what) {
    return std::unexpected(config::Problem{listen.at, "channel \"" + channel.name.value + "\": " + what, {}});
  };
  auto found = passed.find(listen.value.systemd);
  if (!found) return problem(found.error().what);
  const Address& address = (*found)->address;
  // What the config cannot tell: where the socket really is.
  if (channel.from.protect.value == config::Protect::None && !address.is_local() && !channel.from.allow_plaintext)
    return problem("from.protect is \"none\", but its socket is at " + address.to_string() +
                   ", where the network could read everything; protect it, or say allow_plaintext = true");
  Result<Fd> fd = duplicate((*found)->fd);
  if (!fd) return problem(fd.error().what);
  return std::make_shared<const Socket>(address, std::move(*fd), Socket::Name::ServiceManagers);
}

Listeners::Socket::~Socket() {
  if (name_ == Name::Ours && address_.is_unix()) ::unlink(address_.to_string().substr(5).c_str());
}

std::expected<Listeners, std::vector<config::Problem>> Listeners::open(const config::Node& node,
                                                                       const Listeners& existing,
                                                                       const PassedSockets& passed) {
  Listeners out;
  std::vector<config::Problem> problems;
  for (const config::Channel& channel : node.channels) {
    const config::Listen& listen = channel.from.listen.value;
    auto [place, is_new] = out.by_address_.try_emplace(listen.to_string());
    if (!is_new) continue;
    auto same = existing.by_address_.find(place->first);
    if (listen.is_systemd()) {
      auto socket = passed_socket(channel, passed);
      if (!socket)
        problems.push_back(std::move(socket.error()));
      else
        place->second = same != existing.by_address_.end() ? same->second : *socket;
      continue;
    }
    if (same != existing.by_address_.end()) {
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
