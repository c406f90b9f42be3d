#include "config/listen_rules.h"

#include "config/words.h"

#include <algorithm>
#include <map>
#include <set>

namespace cipherway::config {

namespace {

/// Port 0: the kernel picks one for each channel. It also stands for an address that could not be read.
bool has_a_port(const Listen& listen) {
  return listen.is_systemd() || listen.address.is_unix() || !listen.address.to_string().ends_with(":0");
}

std::string label(const Channel& channel) {
  return channel.name.value.empty() ? "channel" : "channel " + quoted(channel.name.value);
}

std::set<std::string> networks(const From& from) {
  std::set<std::string> out;
  for (const auto& network : from.proxy_from) out.insert(network.value.to_string());
  return out;
}

class Listener {
 public:
  explicit Listener(Report& report) : report_(report) {}

  void add(const Channel& channel) {
    if (channels_.empty() || fits(channel, *channels_.front())) {
      if (channel.from.server_names.empty()) claim("", channel.from.listen.at, channel);
      for (const auto& name : channel.from.server_names) claim(name.value, name.at, channel);
    }
    channels_.push_back(&channel);
  }

 private:
  /// Who answers to a name, so far.
  struct Claim {
    std::set<std::string, std::less<>> protocols;
    const Place* all = nullptr;  // of the channel that takes whoever shares no protocol
    const Place* first = nullptr;
  };

  bool fits(const Channel& channel, const Channel& first) {
    for (const Channel* each : {&channel, &first}) {
      if (each->from.protect.at.line == 0) return false;  // it could not be read
      if (each->from.protect.value != Protect::None) continue;
      report_.add(channel.from.listen.at,
                  label(channel) + ": from.listen: another channel already listens on " +
                      quoted(channel.from.listen.value.to_string()) +
                      ", and without TLS nothing tells them apart; give one of them another address",
                  first.from.listen.at);
      return false;
    }
    if (networks(channel.from) != networks(first.from))
      report_.add(channel.from.proxy_from.empty() ? channel.from.listen.at : channel.from.proxy_from.front().at,
                  label(channel) + ": from.proxy_from differs from that of " + label(first) +
                      ", which listens on the same address; the header comes before TLS, so say the same in both",
                  first.from.proxy_from.empty() ? first.from.listen.at : first.from.proxy_from.front().at);
    return true;
  }

  /// `name` is empty for whatever nobody else answers to. A channel that no client could reach is a mistake.
  void claim(const std::string& name, const Place& at, const Channel& channel) {
    Claim& claim = claims_[name];
    const auto& alpn = channel.from.alpn;
    bool taken = alpn.empty() ? claim.all != nullptr : std::ranges::all_of(alpn, [&](const auto& protocol) {
      return claim.protocols.contains(protocol.value);
    });
    if (taken) {
      std::string who =
          name.empty() ? std::string("takes whoever asks for any other name") : "answers to " + quoted(name) + " there";
      report_.add(at,
                  label(channel) + ": from.listen: another channel already listens on " +
                      quoted(channel.from.listen.value.to_string()) + " and " + who +
                      "; tell them apart by server_names, or by alpn",
                  alpn.empty() ? *claim.all : *claim.first);
      return;
    }
    if (alpn.empty()) claim.all = &at;
    if (claim.first == nullptr || (!alpn.empty() && claim.protocols.empty())) claim.first = &at;
    for (const auto& protocol : alpn) claim.protocols.insert(protocol.value);
  }

  Report& report_;
  std::vector<const Channel*> channels_;
  std::map<std::string, Claim, std::less<>> claims_;
};

/// "0.0.0.0:443" next to "10.0.0.1:443": the kernel refuses the second.
bool covers(const Address& wide, const Address& narrow) {
  if (wide.family() != narrow.family() || wide.is_unix() || wide == narrow) return false;
  std::string host = wide.host(), port = wide.to_string().substr(wide.to_string().rfind(':'));
  return (host == "0.0.0.0" || host == "::") && narrow.to_string().ends_with(port);
}

}  // namespace

void check_listeners(const Node& node, Report& report) {
  std::map<std::string, Listener, std::less<>> listeners;
  std::map<std::string, const Channel*, std::less<>> firsts;
  for (const Channel& channel : node.channels) {
    const Listen& listen = channel.from.listen.value;
    if (!has_a_port(listen)) continue;
    listeners.try_emplace(listen.to_string(), report).first->second.add(channel);
    auto [first, is_new] = firsts.emplace(listen.to_string(), &channel);
    if (!is_new || listen.is_systemd()) continue;
    for (const auto& [text, other] : firsts) {
      const Listen& there = other->from.listen.value;
      if (there.is_systemd() || !(covers(there.address, listen.address) || covers(listen.address, there.address)))
        continue;
      report.add(channel.from.listen.at,
                 label(channel) + ": from.listen is " + quoted(listen.to_string()) + ", but " + label(*other) +
                     " listens on " + quoted(text) + ", and one covers the other; give both the same address",
                 other->from.listen.at);
    }
    if (node.status && node.status->value == listen.address)
      report.add(channel.from.listen.at,
                 label(channel) + ": from.listen is where the status of the node is; give one of them another address",
                 node.status->at);
  }
}

}  // namespace cipherway::config
