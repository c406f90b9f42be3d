#pragma once

#include "base/clock.h"
#include "gateway/prepared.h"
#include "keyholder/protocol.h"
#include "node/counters.h"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cipherway::node {

/// A process of the node as the supervisor sees it from outside.
struct ProcessFacts {
  std::string name;  ///< "supervisor", "keyholder", "gateway-0"
  pid_t pid = 0;
  std::string user;
  WallClock::time_point since;
  std::uint64_t restarts = 0;      ///< how often the process in this place was replaced because it had ended
  std::uint64_t cpu_ms = 0;        ///< of all processes that were in this place
  std::uint64_t memory_bytes = 0;  ///< resident
};

/// What the supervisor knows by itself when somebody asks how the node is.
struct NodeFacts {
  struct Reloads {
    std::uint64_t succeeded = 0;
    std::uint64_t failed = 0;
    std::optional<WallClock::time_point> last;
    bool last_succeeded = false;
  };
  std::string config;
  std::string phase;  ///< "starting", "serving", "reloading", "stopping"
  std::uint32_t generation = 0;
  WallClock::time_point configured;
  const gateway::Prepared* prepared = nullptr;
  ProcessFacts supervisor;
  std::optional<ProcessFacts> keyholder;
  std::map<unsigned, ProcessFacts> workers;  ///< by index; those that run
  std::optional<ProcessFacts> status_server;
  Reloads reloads;
  const Counters* counters = nullptr;  ///< with what the workers say now; there when `prepared` is
};

/// The answer to `cipherway status --json` (docs/guide/status.md): what the supervisor knows, what every worker said
/// (its JSON, by index) and what the keyholder said. Who did not answer in time is left out of the sums and named in
/// "silent". Pure.
std::string status_report(const NodeFacts& facts, const std::map<unsigned, std::string>& workers,
                          const std::optional<keyholder::Status>& keyholder);

}  // namespace cipherway::node
