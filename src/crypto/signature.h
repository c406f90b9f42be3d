#pragma once

#include "crypto/key.h"

#include <cstdint>
#include <vector>

namespace cipherway::crypto {

/// TLS SignatureScheme (RFC 8446, section 4.2.3): the ones we use. Values are the wire's.
enum class SignatureScheme : std::uint16_t {
  EcdsaP256Sha256 = 0x0403,
  EcdsaP384Sha384 = 0x0503,
  Ed25519 = 0x0807,
  RsaPssSha256 = 0x0804,
  RsaPssSha384 = 0x0805,
  RsaPssSha512 = 0x0806,
};

Result<SignatureScheme> scheme_from(std::uint16_t wire);
/// Whether a key of this type makes signatures of this scheme.
bool fits(SignatureScheme scheme, KeyType type);

/// Signs `message` (hashed as the scheme says; RSA-PSS with a salt as long as the digest).
Result<Bytes> sign(EVP_PKEY* key, SignatureScheme scheme, BytesView message);
/// Signs with one key again and again: what OpenSSL looks up for a signature is looked up once.
class Signer {
 public:
  /// Keeps a reference to the key.
  explicit Signer(EVP_PKEY* key);
  Result<Bytes> sign(SignatureScheme scheme, BytesView message);

 private:
  struct Prepared {
    SignatureScheme scheme;
    KeyContextHandle context;
  };
  Result<EVP_PKEY_CTX*> prepared(SignatureScheme scheme);

  KeyHandle key_;
  std::vector<Prepared> prepared_;  // few: the schemes of one type of key
};

/// An error unless `signature` is the key's over `message`.
Result<void> verify(EVP_PKEY* key, SignatureScheme scheme, BytesView message, BytesView signature);

}  // namespace cipherway::crypto
