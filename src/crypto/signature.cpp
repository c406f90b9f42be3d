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
