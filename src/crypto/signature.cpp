#include "crypto/signature.h"

#include <openssl/rsa.h>

namespace cipherway::crypto {

Result<SignatureScheme> scheme_from(std::uint16_t wire) {
  switch (static_cast<SignatureScheme>(wire)) {
    case SignatureScheme::EcdsaP256Sha256:
    case SignatureScheme::EcdsaP384Sha384:
    case SignatureScheme::Ed25519:
    case SignatureScheme::RsaPssSha256:
    case SignatureScheme::RsaPssSha384:
    case SignatureScheme::RsaPssSha512: return static_cast<SignatureScheme>(wire);
  }
  return fail(ErrorKind::Invalid, "signature scheme " + std::to_string(wire) + " is not one we use");
}

bool fits(SignatureScheme scheme, KeyType type) {
  switch (scheme) {
    case SignatureScheme::EcdsaP256Sha256: return type == KeyType::P256;
    case SignatureScheme::EcdsaP384Sha384: return type == KeyType::P384;
    case SignatureScheme::Ed25519: return type == KeyType::Ed25519;
    case SignatureScheme::RsaPssSha256:
    case SignatureScheme::RsaPssSha384:
    case SignatureScheme::RsaPssSha512: return type == KeyType::Rsa;
  }
  broken("SignatureScheme out of range");
}

namespace {

const char* digest_of(SignatureScheme scheme) {
  switch (scheme) {
    case SignatureScheme::EcdsaP256Sha256:
    case SignatureScheme::RsaPssSha256: return "SHA256";
    case SignatureScheme::EcdsaP384Sha384:
    case SignatureScheme::RsaPssSha384: return "SHA384";
    case SignatureScheme::RsaPssSha512: return "SHA512";
    case SignatureScheme::Ed25519: return nullptr;
  }
  broken("SignatureScheme out of range");
}

bool set_padding(EVP_PKEY_CTX* context, SignatureScheme scheme) {
  bool pss = scheme == SignatureScheme::RsaPssSha256 || scheme == SignatureScheme::RsaPssSha384 ||
             scheme == SignatureScheme::RsaPssSha512;
  if (!pss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

}  // namespace

Result<Bytes> sign(EVP_PKEY* key, SignatureScheme scheme, BytesView message) {
  DigestContextHandle context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), &padding, digest_of(scheme), nullptr, nullptr, key, nullptr) != 1 ||
      !set_padding(padding, scheme))
    return fail_openssl("prepare a signature");
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
  Bytes signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return fail_openssl("sign");
  signature.resize(size);
  return signature;
}

namespace {

/// Looked up once for the process. Null for a scheme that hashes for itself.
const EVP_MD* prepared_digest(SignatureScheme scheme) {
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static EVP_MD* const sha384 = EVP_MD_fetch(nullptr, "SHA384", nullptr);
  static EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  switch (scheme) {
    case SignatureScheme::EcdsaP256Sha256:
    case SignatureScheme::RsaPssSha256: return sha256;
    case SignatureScheme::EcdsaP384Sha384:
    case SignatureScheme::RsaPssSha384: return sha384;
    case SignatureScheme::RsaPssSha512: return sha512;
    case SignatureScheme::Ed25519: return nullptr;
  }
  broken("SignatureScheme out of range");
}

}  // namespace

Signer::Signer(EVP_PKEY* key) {
  EVP_PKEY_up_ref(key);
  key_.reset(key);
}

Result<EVP_PKEY_CTX*> Signer::prepared(SignatureScheme scheme) {
  for (const Prepared& each : prepared_)
    if (each.scheme == scheme) return each.context.get();
  KeyContextHandle context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  if (!context || EVP_PKEY_sign_init(context.get()) != 1 || !set_padding(context.get(), scheme) ||
      EVP_PKEY_CTX_set_signature_md(context.get(), prepared_digest(scheme)) != 1)
    return fail_openssl("prepare a signature");
  prepared_.push_back({scheme, std::move(context)});
  return prepared_.back().context.get();
}

Result<Bytes> Signer::sign(SignatureScheme scheme, BytesView message) {
  const EVP_MD* digest = prepared_digest(scheme);
  if (digest == nullptr) return crypto::sign(key_.get(), scheme, message);
  EVP_PKEY_CTX* context = TRY(prepared(scheme));
  std::uint8_t hash[EVP_MAX_MD_SIZE];
  unsigned hash_size = 0;
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  Bytes signature(size);
  if (EVP_Digest(message.data(), message.size(), hash, &hash_size, digest, nullptr) != 1 ||
      EVP_PKEY_sign(context, signature.data(), &size, hash, hash_size) != 1)
    return fail_openssl("sign");
  signature.resize(size);
  return signature;
}

Result<void> verify(EVP_PKEY* key, SignatureScheme scheme, BytesView message, BytesView signature) {
  DigestContextHandle context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;
  if (!context ||
      EVP_DigestVerifyInit_ex(context.get(), &padding, digest_of(scheme), nullptr, nullptr, key, nullptr) != 1 ||
      !set_padding(padding, scheme))
    return fail_openssl("prepare to verify a signature");
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) != 1)
    return fail_openssl("verify a signature");
  return {};
}

}  // namespace cipherway::crypto
