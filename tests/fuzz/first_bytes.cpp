// The first bytes of a connection: what decides, before OpenSSL sees any of it, whether a peer speaks TLS.
#include "tls/first_bytes.h"

#include <cstdlib>

using namespace cipherway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  BytesView bytes(data, size);
  auto whole = tls::classify_first_bytes(bytes);
  if (tls::describe_plaintext(bytes).empty()) std::abort();
  // Bytes that arrive one by one come to the same answer, and an answer once given stays.
  auto before = tls::FirstBytes::Incomplete;
  for (std::size_t n = 0; n <= size && n <= 8; ++n) {
    auto now = tls::classify_first_bytes(bytes.first(n));
    if (before != tls::FirstBytes::Incomplete && now != before) std::abort();
    before = now;
  }
  if (size <= 8 && before != whole) std::abort();
  // Five bytes are always enough.
  if (size >= 5 && whole == tls::FirstBytes::Incomplete) std::abort();
  return 0;
}
