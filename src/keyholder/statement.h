#pragma once

#include "base/bytes.h"

namespace cipherway::keyholder {

/// The statements that a keyholder signs: those that a TLS handshake needs, and nothing that could be mistaken for
/// anything else. It gets the bytes and not their digest, so it knows what it signs.
enum class StatementKind {
  Tls13ServerCertificateVerify,  ///< RFC 8446, section 4.4.3
  Tls13ClientCertificateVerify,  ///< RFC 8446, section 4.4.3
  Tls12ServerKeyExchange,        ///< RFC 8422, section 5.4
  Tls12ClientCertificateVerify,  ///< RFC 5246, section 7.4.8
};

std::string_view to_string(StatementKind kind);

/// What `statement` is, or a Denied error that says why it is not something to sign. Pure.
///
/// TLS 1.3 statements begin with 64 spaces and name their purpose, so no other protocol's statement looks like one.
/// TLS 1.2 has no such separation: a ServerKeyExchange begins with 64 bytes of the peers' choice. It is accepted in its
/// exact form alone (named curve, exact length), not if it reads as the body of a certificate or a certificate request,
/// and only for peers that were admitted with `tls12`.
Result<StatementKind> recognise(BytesView statement);

/// Whether this kind needs a peer that may use TLS 1.2.
constexpr bool is_tls12(StatementKind kind) {
  return kind == StatementKind::Tls12ServerKeyExchange || kind == StatementKind::Tls12ClientCertificateVerify;
}

}  // namespace cipherway::keyholder
