#pragma once

#include "keyholder/protocol.h"
#include "node/prepared.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace cipherway::node {

/// One config that was found good, and what follows from it for the processes of the node. Never changes; the next
/// reload makes another.
struct Generation {
  std::uint32_t number = 0;
  Loaded loaded;
  WallClock::time_point made = WallClock::now();

  const config::Node& config() const { return loaded.prepared.config; }
  /// How many gateway workers: what the config says, or one a core that this process may use.
  unsigned workers() const;
  /// How long connections may go on when the node stops: as long as the most patient channel allows.
  std::chrono::milliseconds drain() const;
  /// The public files it was made of: certificates and trust bundles, and the keys, whose content it does not know.
  std::vector<std::string> files() const;
  /// Every key, named by its public half, for the keyholder to load.
  Result<std::vector<keyholder::LoadIdentity>> keys() const;
  /// What a gateway worker may ask of the keyholder: to sign for the identities that its channels use, and the ticket
  /// keys of those that a channel serves with. The ticket service of a channel has the name of its `from` identity.
  keyholder::Admit admission() const;
};

/// What a running node cannot change by reloading: where its state is and who its processes are.
std::vector<config::Problem> unchangeable(const Generation& now, const Loaded& next);

}  // namespace cipherway::node
