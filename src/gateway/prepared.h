#pragma once

#include "base/clock.h"
#include "config/config.h"
#include "config/snapshot.h"
#include "identity/certificate.h"
#include "identity/name.h"

#include <expected>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// What a config means, with the public files that it names read and checked. Private keys take no part in it. The
/// supervisor prepares a config to know whether it can run, a gateway worker to run it: both from the same bytes
/// (config::Snapshot), so both come to the same answer.
namespace cipherway::gateway {

struct PreparedIdentity {
  config::Identity config;
  identity::Chain chain;
  std::optional<identity::TrustBundle> trust;  ///< there whenever config.trust is
};

struct PreparedChannel {
  config::Channel config;
  identity::AccessPolicy allow;                   ///< of `from`; accepts nobody unless it is mutual-tls
  identity::AccessPolicy expect;                  ///< of `to`; accepts nobody when it is not protected
  std::optional<identity::TrustBundle> to_trust;  ///< whom `to` believes: its own bundle or its identity's
  std::string server_name;                        ///< SNI for targets; empty: none is sent
};

struct Prepared {
  config::Node config;
  std::map<std::string, PreparedIdentity, std::less<>> identities;  ///< by name
  std::vector<PreparedChannel> channels;                            ///< in the order of config.channels
};

/// Why a config cannot run. Files that are not there are kept apart, because whoever checks a config elsewhere than on
/// its node does not have them. Both in the order of the file.
struct Unprepared {
  std::vector<config::Problem> problems;
  std::vector<config::Problem> missing;

  bool empty() const { return problems.empty() && missing.empty(); }
  /// Missing files are problems too, for whoever runs the config.
  std::vector<config::Problem> all() const;
};

/// The content of a file; ErrorKind::NotFound when there is none. Paths are those of config::Node.
using FileSource = std::function<Result<std::string>(const std::string& path)>;

/// Reads what the config names and checks that it fits together: chains and bundles parse, certificates have the names
/// that the config lists, patterns are patterns. Pure but for `read`. Whether certificates are valid is asked only when
/// there is a `now` to ask it for: that is the supervisor's question, and a worker that restarts with one expired
/// identity still carries the channels of the others.
std::expected<Prepared, Unprepared> prepare(const config::Node& node, const FileSource& read,
                                            std::optional<WallClock::time_point> now = std::nullopt);

/// What a gateway worker does with the snapshot that it got: decodes and prepares it without a file system.
std::expected<Prepared, Unprepared> prepare(const config::Snapshot& snapshot);

}  // namespace cipherway::gateway
