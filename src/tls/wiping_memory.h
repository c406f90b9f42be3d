#pragma once

namespace cipherway::tls {

/// From now on whatever OpenSSL frees in this process is wiped first. OpenSSL wipes most keys by itself, but not those
/// inside an SSL (the traffic and exporter secrets of RFC 8446, section 7.1), and neither its record buffers, in which
/// plaintext was. Must come before any other call into OpenSSL; false if it came too late.
bool wipe_freed_memory();

}  // namespace cipherway::tls
