#include "gateway/channel.h"

namespace cipherway::gateway {

namespace {

tls::Settings settings_of(const Prepared& prepared, const config::Side& side) {
  tls::Settings settings;
  settings.minimum_version =
      side.minimum_version == config::TlsVersion::Tls12 ? tls::Version::Tls12 : tls::Version::Tls13;
  for (const auto& protocol : side.alpn) settings.alpn.push_back(protocol.value);
  if (side.identity) {
    const PreparedIdentity& identity = prepared.identities.find(side.identity->value)->second;
    settings.shown = tls::Settings::Shown{side.identity->value, identity.chain};
  }
  return settings;
}

Result<std::shared_ptr<tls::Context>> from_context(const Prepared& prepared, const PreparedChannel& channel,
                                                   tls::Keys& keys) {
  const config::From& side = channel.config.from;
  if (!config::has_tls(side.protect.value)) return nullptr;
  tls::Settings settings = settings_of(prepared, side);
  settings.role = tls::Role::Server;
  settings.scope = "from " + channel.config.name.value;
  if (side.protect.value == config::Protect::MutualTls)
    settings.peer = tls::Settings::Peer{*prepared.identities.find(side.identity->value)->second.trust, channel.allow};
  return tls::Context::make(std::move(settings), keys);
}

tls::Settings to_settings(const Prepared& prepared, const PreparedChannel& channel) {
  const config::To& side = channel.config.to;
  tls::Settings settings = settings_of(prepared, side);
  settings.role = tls::Role::Client;
  settings.scope = "to " + channel.config.name.value;
  settings.server_name = channel.server_name;
  if (side.protect.value == config::Protect::Tls) settings.shown.reset();  // its identity says whom to believe
  settings.peer = tls::Settings::Peer{*channel.to_trust, channel.expect};
  return settings;
}

Result<std::shared_ptr<tls::Context>> to_context(const Prepared& prepared, const PreparedChannel& channel,
                                                 tls::Keys& keys) {
  if (!config::has_tls(channel.config.to.protect.value)) return nullptr;
  return tls::Context::make(to_settings(prepared, channel), keys);
}

/// As connections have it, but for ALPN where the check speaks HTTP/1 whatever the clients speak.
Result<std::shared_ptr<tls::Context>> checks_context(const Prepared& prepared, const PreparedChannel& channel,
                                                     tls::Keys& keys) {
  const auto& health = channel.config.health;
  if (!health || health->check == config::Health::Check::Tcp) return nullptr;
  if (!config::has_tls(channel.config.to.protect.value)) return nullptr;
  tls::Settings settings = to_settings(prepared, channel);
  settings.scope = "check " + channel.config.name.value;
  if (health->check == config::Health::Check::Http && !settings.alpn.empty()) settings.alpn = {"http/1.1"};
  return tls::Context::make(std::move(settings), keys);
}

}  // namespace

Result<std::shared_ptr<Channel>> make_channel(const Prepared& prepared, const PreparedChannel& channel, tls::Keys& keys,
                                              std::shared_ptr<Traffic> traffic, const TargetSources& sources) {
  std::string doing = "channel \"" + channel.config.name.value + "\"";
  auto from = TRY_IN(doing, from_context(prepared, channel, keys));
  auto to = TRY_IN(doing, to_context(prepared, channel, keys));
  auto checks = TRY_IN(doing, checks_context(prepared, channel, keys));
  auto targets = std::make_shared<Targets>(channel.config, sources);
  return std::make_shared<Channel>(Channel{.config = channel.config,
                                           .from = std::move(from),
                                           .to = std::move(to),
                                           .traffic = std::move(traffic),
                                           .targets = std::move(targets),
                                           .checks = std::move(checks)});
}

}  // namespace cipherway::gateway
