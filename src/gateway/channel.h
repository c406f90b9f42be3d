#pragma once

#include "base/histogram.h"
#include "gateway/prepared.h"
#include "gateway/targets.h"
#include "gateway/ticket_demand.h"
#include "tls/context.h"

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway::gateway {

class Connection;

/// Connections that ended before a byte was carried, by the words of docs/guide/refusals.md.
struct Refusals {
  std::uint64_t total = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_reason;

  void count(std::string_view reason) {
    ++total;
    if (auto known = by_reason.find(reason); known != by_reason.end())
      ++known->second;
    else
      by_reason.emplace(reason, 1);
  }
};

/// What goes on in a channel, and what has since this worker began; survives reloads.
struct Traffic {
  std::list<Connection*> half_open;  ///< connections that do not relay yet, the oldest first
  std::uint64_t open = 0;            ///< connections now, half-open ones included
  std::uint64_t total = 0;           ///< accepted
  std::uint64_t relayed = 0;         ///< that reached the target
  std::uint64_t full = 0;            ///< handshakes with clients
  std::uint64_t resumed = 0;
  TicketDemand ticket_demand;
  Refusals refusals;
  std::uint64_t target_full = 0;  ///< handshakes with targets
  std::uint64_t target_resumed = 0;
  std::uint64_t bytes_in = 0;  ///< from clients, plaintext
  std::uint64_t bytes_out = 0;
  Histogram handshake_time;  ///< from accepting a client to its handshake's end
  Histogram target_handshake_time;
  Histogram connect_time;  ///< from trying a target to being connected to it
};

/// A channel in force: its config, the TLS of both sides, and its traffic. Immutable but for the traffic; a reload
/// makes new ones, and connections keep the one they began under.
struct Channel {
  config::Channel config;
  std::shared_ptr<tls::Context> from;  ///< null: plaintext
  std::shared_ptr<tls::Context> to;    ///< null: plaintext
  std::shared_ptr<Traffic> traffic;
  std::shared_ptr<Targets> targets;
  std::shared_ptr<tls::Context> checks;  ///< of active checks; null: they need no TLS

  const std::string& name() const { return config.name.value; }
};

/// The channel that `prepared` describes, in force in this worker.
Result<std::shared_ptr<Channel>> make_channel(const Prepared& prepared, const PreparedChannel& channel, tls::Keys& keys,
                                              std::shared_ptr<Traffic> traffic, const TargetSources& sources);

}  // namespace cipherway::gateway
