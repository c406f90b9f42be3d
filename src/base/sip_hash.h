#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <string_view>

namespace cipherway {

struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

/// SipHash-2-4 (Aumasson, Bernstein, 2012): 64 bits that nobody without the key can steer. The same on every machine.
std::uint64_t sip_hash(SipKey key, BytesView bytes);
std::uint64_t sip_hash(SipKey key, std::string_view text);

}  // namespace cipherway
