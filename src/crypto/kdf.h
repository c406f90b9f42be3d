#pragma once

#include "base/secret_bytes.h"

#include <string_view>

namespace cipherway::crypto {

/// Fills `bytes` from the library's random generator; a generator that fails is a broken invariant.
void random_bytes(std::span<std::uint8_t> bytes);

/// HKDF with SHA-256 (RFC 5869), extract and expand: `size` bytes (at most 8,160) for the purpose named by `info`.
Result<SecretBytes> hkdf_sha256(const SecretBytes& secret, BytesView salt, BytesView info, std::size_t size);

/// SHA-256 (FIPS 180-4): 32 bytes.
Bytes sha256(BytesView bytes);

}  // namespace cipherway::crypto
