#pragma once

#include "base/error.h"

namespace cipherway::tls {

/// The key schedule of TLS 1.3 (RFC 8446, section 7.1) as an OpenSSL provider with this one algorithm, TLS13-KDF. A
/// handshake derives some twenty secrets of two or four hash blocks each; OpenSSL's own looks up digests and allocates
/// contexts for every one of them, which costs several times the hashing. The hashing itself is OpenSSL's here too.
///
/// Contexts that are made with `kPreferKeySchedule` as their property query use it, and everything else of theirs is as
/// without it.
inline constexpr const char* kPreferKeySchedule = "?provider=cipherway-tls";

/// Once per process; again does nothing.
Result<void> load_key_schedule();

}  // namespace cipherway::tls
