#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cipherway::cli {

/// What `cipherway quickstart` found out: every value comes from what the nodes log and report, from the files that
/// were moved, or from the recorder between the nodes.
struct QuickstartReport {
  /// One line of a node's exposure report.
  struct Holding {
    std::string key, process;
    std::int64_t pid = 0;
    std::string lifetime;
  };

  std::string listen_a, listen_b, server;  ///< addresses on the path
  std::string protect;
  std::string protocol, group, cipher;
  std::string client;       ///< the identity of A as B verified it
  std::string server_name;  ///< the identity of B as A verified it
  std::uint64_t bytes = 0;  ///< application data through the channel, both directions
  std::uint64_t file_bytes = 0;
  std::string sha256_sent, sha256_received;
  std::uint64_t requests = 0;  ///< the small ones, a connection each
  std::uint64_t full = 0, resumed = 0;
  std::string marker;
  std::uint64_t recorded_protected = 0, recorded_clear = 0;  ///< bytes that the recorder saw
  bool marker_seen_protected = false;
  bool marker_seen_clear = false;
  std::vector<Holding> exposure;
  double seconds = 0;

  bool sha256_match() const { return !sha256_sent.empty() && sha256_sent == sha256_received; }
  /// What is not as it should be; empty when the channel did what it promises.
  std::vector<std::string> shortcomings() const;
  std::string to_json() const;  ///< one object, as docs/man/cipherway-quickstart.1 describes
  /// For people: explains itself.
  std::string to_text() const;
};

}  // namespace cipherway::cli
