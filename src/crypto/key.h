#pragma once

#include "base/secret_bytes.h"
#include "crypto/handle.h"

#include <string>
#include <string_view>

namespace cipherway::crypto {

/// The kinds of key an identity or an authority may have.
enum class KeyType { P256, P384, Ed25519, Rsa };

std::string_view to_string(KeyType type);  // "p256", "p384", "ed25519", "rsa"

/// A new key pair. `rsa_bits` (2048 to 8192) counts for KeyType::Rsa alone.
Result<KeyHandle> generate_key(KeyType type, unsigned rsa_bits = 3072);

/// The type of a key, public or private. Other curves and algorithms are an Invalid error.
Result<KeyType> type_of(const EVP_PKEY* key);

/// A private key from PEM (PKCS#8, SEC 1 or PKCS#1, not encrypted); more than one key in the text is an error.
Result<KeyHandle> private_key_from(const SecretBytes& pem);
/// PKCS#8 PEM, not encrypted: for a key file that an operator asked for, never for a daemon.
Result<SecretBytes> private_key_to_pem(const KeyHandle& key);

/// DER of SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7): how a key is named between processes.
Result<Bytes> public_key_der(const EVP_PKEY* key);
Result<KeyHandle> public_key_from_der(BytesView der);

}  // namespace cipherway::crypto
