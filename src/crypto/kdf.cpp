#include "crypto/kdf.h"

#include "crypto/handle.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace cipherway::crypto {

void random_bytes(std::span<std::uint8_t> bytes) {
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) broken("no randomness");
}

Result<SecretBytes> hkdf_sha256(const SecretBytes& secret, BytesView salt, BytesView info, std::size_t size) {
  Handle<EVP_KDF, &EVP_KDF_free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  Handle<EVP_KDF_CTX, &EVP_KDF_CTX_free> context(EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  // OpenSSL refuses an empty octet string without an address; RFC 5869, section 2.2: no salt is a string of zeros.
  static constexpr std::uint8_t kNothing = 0;
  auto octets = [](const char* name, BytesView value) {
    const std::uint8_t* data = value.empty() ? &kNothing : value.data();
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(data), value.size());
  };
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                         octets(OSSL_KDF_PARAM_KEY, secret.view()), octets(OSSL_KDF_PARAM_SALT, salt),
                         octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  SecretBytes derived(size);
  if (!context || EVP_KDF_derive(context.get(), derived.data(), size, params) != 1)
    return fail_openssl("derive a key with HKDF");
  return derived;
}

Bytes sha256(BytesView bytes) {
  Bytes digest(32);
  if (EVP_Q_digest(nullptr, "SHA256", nullptr, bytes.data(), bytes.size(), digest.data(), nullptr) != 1)
    broken("SHA-256 failed");
  return digest;
}

}  // namespace cipherway::crypto
