#pragma once

#include "base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace cipherway {

/// RFC 6066, section 3: a fully qualified DNS host name, without a trailing dot; addresses are not permitted, nor is
/// what could be taken for one (a last label without a letter).
bool is_host_name(std::string_view name);

/// A service by name: `app.internal:8080`. Not an address yet; somebody has to resolve it, again and again.
struct HostPort {
  std::string host;  ///< a host name in lower case
  std::uint16_t port = 0;

  /// Port 0 is an error, and so is whatever Address::parse takes.
  static Result<HostPort> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const HostPort&) const = default;
};

}  // namespace cipherway
