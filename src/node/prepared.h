#pragma once

#include "base/clock.h"
#include "config/snapshot.h"
#include "gateway/prepared.h"

#include <expected>
#include <string>

namespace cipherway::node {

using gateway::Prepared;
using gateway::Unprepared;

/// A config that can run on this machine: what the supervisor sends to workers, and what it means.
struct Loaded {
  config::Snapshot snapshot;
  Prepared prepared;
};

/// Reads the config file at `path` and every public file that it names, and checks all of it: the config itself, what
/// gateway::prepare checks, that certificates are valid at `now`, and that key files are there and nobody but their
/// owner can read them. Key files are examined, never opened: only the keyholder does that. The same function answers
/// `cipherway check` and `cipherway run`.
std::expected<Loaded, Unprepared> load(const std::string& path, WallClock::time_point now = WallClock::now());

/// The same for a config that is in no file. `file` is how problems name it; relative paths start from `directory`.
std::expected<Loaded, Unprepared> load_text(std::string text, const std::string& file, const std::string& directory,
                                            WallClock::time_point now = WallClock::now());

}  // namespace cipherway::node
