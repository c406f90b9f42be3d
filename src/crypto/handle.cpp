#include "crypto/handle.h"

#include <openssl/err.h>

namespace cipherway::crypto {

CertificateHandle share(const CertificateHandle& certificate) {
  if (certificate) X509_up_ref(certificate.get());
  return CertificateHandle(certificate.get());
}

KeyHandle share(const KeyHandle& key) {
  if (key) EVP_PKEY_up_ref(key.get());
  return KeyHandle(key.get());
}

StoreHandle share(const StoreHandle& store) {
  if (store) X509_STORE_up_ref(store.get());
  return StoreHandle(store.get());
}

std::string openssl_errors() {
  std::string text;
  const char* data = nullptr;
  int flags = 0;
  while (unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    const char* reason = ERR_reason_error_string(code);
    if (!text.empty()) text += "; ";
    text += reason != nullptr ? reason : "error " + std::to_string(code);
    if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') text += std::string(" (") + data + ")";
  }
  return text.empty() ? "unknown reason" : text;
}

std::unexpected<Error> fail_openssl(std::string_view doing) {
  return fail(ErrorKind::Crypto, std::string(doing) + ": " + openssl_errors());
}

BioHandle reading(std::string_view bytes) {
  return BioHandle(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

BioHandle writing() {
  return BioHandle(BIO_new(BIO_s_mem()));
}

std::string written(const BioHandle& bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace cipherway::crypto
