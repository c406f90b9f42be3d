#pragma once

#include "base/histogram.h"
#include "config/config.h"
#include "node/counters.h"
#include "node/json_fields.h"

#include <string>

/// What a worker says about itself, taken for what it is: the word of a process that talks to strangers. A worker that
/// was taken over may say anything; what is taken from it has a known shape and a bounded size.
namespace cipherway::node {

/// Nothing but an object is a report: null otherwise.
Json parse_worker_report(const std::string& text);

/// All that it has counted of the channels in this config, and as a process. Histograms count each bucket, as
/// "handshake_time/3", and "handshake_time/sum_us".
Counters::Counts counts_of(const Json& report, const config::Node& node);

/// Under which name `Counters` has what is counted of a listening address: no channel has such a name.
std::string of_listener(const std::string& listen);

/// A histogram from the counts of `counts_of`: `bounds` and `sum` in seconds, `counts` a bucket; null when empty.
Json histogram_of(const Counters& counters, const std::string& channel, const std::string& what);

/// Adds what it knows about a channel's targets, from its row of the channel. Workers know it together: one row a
/// target.
void add_targets(Json& targets, const Json& said_channel);

/// Its live sessions, each field in its form or absent; at most as many as a worker may report.
Json live_sessions_of(const Json& report);

}  // namespace cipherway::node
