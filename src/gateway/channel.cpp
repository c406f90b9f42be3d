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

Result<std::shared_ptr<tls::Context>> to_context(const Prepared& prepared, const PreparedChannel& channel,
                                                 tls::Keys& keys) {
  const config::To& side = channel.config.to;
  if (!config::has_tls(side.protect.value)) return nullptr;
  tls::Settings settings = settings_of(prepared, side);
  settings.role = tls::Role::Client;
  settings.scope = "to " + channel.config.name.value;
  settings.server_name = channel.server_name;
  if (side.protect.value == config::Protect::Tls) settings.shown.reset();  // its identity says whom to believe
  settings.peer = tls::Settings::Peer{*channel.to_trust, channel.expect};
  return tls::Context::make(std::move(settings), keys);
}

}  // namespace

Result<std::shared_ptr<Channel>> make_channel(const Prepared& prepared, const PreparedChannel& channel, tls::Keys& keys,
                                              std::shared_ptr<Traffic> traffic) {
  std::string doing = "channel \"" + channel.config.name.value + "\"";
  auto from = TRY_IN(doing, from_context(prepared, channel, keys));
  auto to = TRY_IN(doing, to_context(prepared, channel, keys));
  return std::make_shared<Channel>(Channel{channel.config, std::move(from), std::move(to), std::move(traffic)});
}

}  // namespace cipherway::gateway
