#pragma once

#include "base/address.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway::gateway {

inline constexpr const char* kResolvConf = "/etc/resolv.conf";
inline constexpr const char* kHosts = "/etc/hosts";

/// How this machine turns names into addresses, as /etc/resolv.conf and /etc/hosts say. The supervisor reads the files;
/// workers, which can open none, get their text with the snapshot of the config and parse it here.
struct NameService {
  static constexpr std::size_t kMostServers = 3;  // as glibc
  static constexpr std::size_t kMostSearch = 6;
  static constexpr std::size_t kMostHosts = 10'000;
  static constexpr std::size_t kMostAddresses = 64;  ///< of one name

  std::vector<Address> servers;     ///< never empty: without a file it is 127.0.0.1:53
  std::vector<std::string> search;  ///< domains to try for short names
  unsigned ndots = 1;
  std::map<std::string, std::vector<std::string>, std::less<>> hosts;  ///< lower-case name -> IP addresses

  /// Never fails: what makes no sense is left out, as the system's own resolver does.
  static NameService parse(std::string_view resolv_conf, std::string_view hosts);

  /// What needs no question: names in /etc/hosts, and `localhost` and what ends in it (RFC 6761, section 6.3).
  std::vector<Address> local(std::string_view host, std::uint16_t port) const;
  /// The full names to ask for, in this order, until one has an answer.
  std::vector<std::string> questions(std::string_view host) const;

  bool operator==(const NameService&) const = default;
};

/// When to ask again for a name: when its time to live is over, but neither all the time nor once in a day.
std::chrono::milliseconds after_answer(std::chrono::seconds time_to_live);
/// After so many failures in a row: soon at first, then less often.
std::chrono::milliseconds after_failure(unsigned failures);

}  // namespace cipherway::gateway
