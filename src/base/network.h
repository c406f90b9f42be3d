#pragma once

#include "base/address.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace cipherway {

/// Where connections may come from: `10.0.0.0/8`, `2001:db8::/32`, one address (`10.0.0.1`), or `unix`: whoever can
/// open the UNIX socket.
class Network {
 public:
  /// An error when bits beyond the prefix are set: "10.0.0.1/8" is probably not what was meant.
  static Result<Network> parse(std::string_view text);

  /// The port does not count. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is in the IPv4 networks that it maps to.
  bool contains(const Address& address) const;
  /// Whether all of `other` is in this one.
  bool contains(const Network& other) const;
  /// The text that parses to the same network: "10.0.0.0/8", "10.0.0.1/32", "unix".
  std::string to_string() const;
  bool operator==(const Network&) const = default;

 private:
  int family_ = 0;  // AF_INET, AF_INET6, AF_UNIX
  std::array<std::uint8_t, 16> bytes_{};
  unsigned prefix_ = 0;
};

}  // namespace cipherway
