#pragma once

#include "authority/constraints.h"
#include "base/clock.h"
#include "identity/certificate.h"

#include <string_view>
#include <vector>

/// What the certificates of an authority look like: the X.509 profile (RFC 5280), in one place. Pure apart from random
/// serial numbers. Who calls these has already decided that the certificate may be issued.
namespace cipherway::authority {

/// What a leaf is for (extendedKeyUsage).
enum class Usage { Server, Client, Both };
std::string_view to_string(Usage usage);  // "server", "client", "both"
Result<Usage> usage_from(std::string_view text);

/// An algorithm and a size that an authority makes keys of.
struct KeyChoice {
  crypto::KeyType type = crypto::KeyType::P256;
  unsigned rsa_bits = 3072;
  /// "p256", "p384", "ed25519", "rsa-3072" or "rsa-4096".
  static Result<KeyChoice> parse(std::string_view text);
};

struct Validity {
  WallClock::time_point not_before;
  WallClock::time_point not_after;
};

/// Whose name and key a certificate is signed with.
struct Issuer {
  const identity::Certificate& certificate;
  EVP_PKEY* key;
};

/// Self-signed: CA:TRUE, path length 1, keyCertSign and cRLSign, name constraints, the trust domain as its SPIFFE ID.
Result<identity::Certificate> make_root(EVP_PKEY* key, const Constraints& constraints, Validity validity);

/// CA:TRUE, path length 0, keyCertSign and cRLSign, the same name constraints, and good for TLS servers and clients
/// alone (extendedKeyUsage), so that nothing below it signs code or mail.
Result<identity::Certificate> make_intermediate(EVP_PKEY* public_key, const Constraints& constraints, Validity validity,
                                                const Issuer& issuer);

/// CA:FALSE, digitalSignature (no key encipherment: every session has a key agreement of its own), the usage, and the
/// names. The subject is the trust domain as organisation and has no common name: where DNS names are constrained,
/// GnuTLS reads a common name as one and refuses the chain, and nobody else reads it (RFC 9525, section 2). A trust
/// domain that is too long for it (64) leaves the subject empty and the names critical (RFC 5280, section 4.1.2.6).
Result<identity::Certificate> make_leaf(EVP_PKEY* public_key, const std::vector<identity::Name>& names, Usage usage,
                                        Validity validity, std::string_view trust_domain, const Issuer& issuer);

}  // namespace cipherway::authority
