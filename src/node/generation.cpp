#include "node/generation.h"

#include "crypto/key.h"

#include <sched.h>

#include <algorithm>
#include <set>

namespace cipherway::node {

unsigned Generation::workers() const {
  if (config().workers != 0) return config().workers;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&cores)));
}

std::chrono::milliseconds Generation::drain() const {
  std::chrono::milliseconds most{0};
  for (const config::Channel& channel : config().channels) most = std::max(most, channel.timeouts.drain);
  return most;
}

std::vector<std::string> Generation::files() const {
  std::vector<std::string> out;
  for (const auto& [path, content] : loaded.snapshot.files) out.push_back(path);
  for (const config::Identity& identity : config().identities) out.push_back(identity.key.value);
  return out;
}

Result<std::vector<keyholder::LoadIdentity>> Generation::keys() const {
  std::vector<keyholder::LoadIdentity> out;
  for (const auto& [name, identity] : loaded.prepared.identities) {
    auto key = TRY_IN("identity \"" + name + "\"", identity.chain.leaf().public_key());
    out.push_back({.name = name,
                   .key_path = identity.config.key.value,
                   .public_key = TRY_IN("identity \"" + name + "\"", crypto::public_key_der(key.get()))});
  }
  return out;
}

keyholder::Admit Generation::admission() const {
  std::set<std::string> identities, services;
  bool tls12 = false;
  for (const config::Channel& channel : config().channels) {
    for (const config::Side* side :
         {static_cast<const config::Side*>(&channel.from), static_cast<const config::Side*>(&channel.to)}) {
      if (!side->identity) continue;
      identities.insert(side->identity->value);
      tls12 |= side->minimum_version == config::TlsVersion::Tls12;
    }
    if (channel.from.identity && config::has_tls(channel.from.protect.value))
      services.insert(channel.from.identity->value);
  }
  keyholder::Admit out;
  out.role = keyholder::Role::Gateway;
  out.tls12 = tls12;
  out.identities.assign(identities.begin(), identities.end());
  out.services.assign(services.begin(), services.end());
  return out;
}

std::vector<config::Problem> unchangeable(const Generation& now, const Loaded& next) {
  std::vector<config::Problem> problems;
  auto same = [&](const config::Located<std::string>& was, const config::Located<std::string>& is, const char* what) {
    if (was.value != is.value)
      problems.push_back({is.at,
                          std::string(what) + " is \"" + was.value +
                              "\" in the running node and cannot change by a reload: restart the node",
                          std::nullopt});
  };
  same(now.config().state, next.prepared.config.state, "state");
  same(now.config().user, next.prepared.config.user, "user");
  return problems;
}

}  // namespace cipherway::node
