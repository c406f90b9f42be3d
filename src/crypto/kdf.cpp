#include "crypto/kdf.h"

#include "crypto/handle.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <vector>

namespace cipherway::crypto {

void random_bytes(std::span<std::uint8_t> bytes) {
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) broken("no randomness");
}

Result<SecretBytes> hkdf_sha256(const SecretBytes& secret, BytesView salt, BytesView info, std::size_t size) {
  Handle<EVP_KDF, &EVP_KDF_free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  Handle<EVP_KDF_CTX, &EVP_KDF_CTX_free> context(EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  std::vector<OSSL_PARAM> params{OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0)};
  auto add = [&](const char* name, BytesView value) {
    if (value.empty()) return;  // absent is empty (RFC 5869, sections 2.2 and 2.3); OpenSSL 3.0 refuses a null pointer
    params.push_back(OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(value.data()), value.size()));
  };
  add(OSSL_KDF_PARAM_KEY, secret.view());
  add(OSSL_KDF_PARAM_SALT, salt);
  add(OSSL_KDF_PARAM_INFO, info);
  params.push_back(OSSL_PARAM_construct_end());
  SecretBytes derived(size);
  if (!context || EVP_KDF_derive(context.get(), derived.data(), size, params.data()) != 1)
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
