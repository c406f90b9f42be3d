#pragma once

#include "base/error.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

namespace cipherway::crypto {

template <auto Free>
struct Releases {
  template <class T>
  void operator()(T* owned) const noexcept {
    Free(owned);
  }
};

/// Owns one OpenSSL object. The type says which function releases it.
template <class T, auto Free>
using Handle = std::unique_ptr<T, Releases<Free>>;

using KeyHandle = Handle<EVP_PKEY, &EVP_PKEY_free>;
using KeyContextHandle = Handle<EVP_PKEY_CTX, &EVP_PKEY_CTX_free>;
using DigestContextHandle = Handle<EVP_MD_CTX, &EVP_MD_CTX_free>;
using CertificateHandle = Handle<X509, &X509_free>;
using StoreHandle = Handle<X509_STORE, &X509_STORE_free>;
using BioHandle = Handle<BIO, &BIO_free_all>;

/// Another reference to the same object: the only way to copy.
CertificateHandle share(const CertificateHandle& certificate);
KeyHandle share(const KeyHandle& key);
StoreHandle share(const StoreHandle& store);

/// The failure of an OpenSSL call: `doing` and what the error queue says, which is emptied. The only function in the
/// project that reads the queue.
std::unexpected<Error> fail_openssl(std::string_view doing);
/// The same text, for those who only log it. "unknown reason" when the queue is empty.
std::string openssl_errors();

/// A read-only memory BIO over `bytes`, which must outlive it.
BioHandle reading(std::string_view bytes);
/// A growing memory BIO to write to, and what was written.
BioHandle writing();
std::string written(const BioHandle& bio);

}  // namespace cipherway::crypto
