#pragma once

#include "base/bytes.h"

#include <string_view>

namespace cipherway::tls {

/// What the first bytes of a connection are, before OpenSSL sees any of them.
enum class FirstBytes {
  Incomplete,  ///< fewer than 5 bytes, and TLS so far
  Tls,         ///< the header of a handshake record with a possible length (RFC 8446, section 5.1)
  NotTls,
};

/// Pure; looks at the first 5 bytes at most.
FirstBytes classify_first_bytes(BytesView bytes);

/// What a plaintext peer seems to speak, for the log: "an HTTP request", "an SSH banner", ..., "something else".
std::string_view describe_plaintext(BytesView bytes);

}  // namespace cipherway::tls
