// Linked into a second build of the program `cipherway` that only the benchmark runs: an identity's private key is in
// the gateway worker, as it is in other relays, so that the cost of keeping it out can be measured. The product cannot
// be configured to do this, because it does not contain this file.
//
// The key is read from key-inside.pem in the current folder before the worker enters its sandbox; all identities have
// it.

#include "tls/keys.h"

#include <openssl/pem.h>

#include <cstdio>
#include <memory>

namespace cipherway::tls {

namespace {

/// OpenSSL's memory functions are set at its first use, which is later than static initialisation: only the text of the
/// key is kept until then.
std::string read_text() {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("key-inside.pem", "r"), &std::fclose);
  if (!file) return {};
  std::string text(8192, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

const std::string text = read_text();

}  // namespace

Result<crypto::KeyHandle> Keys::key_for(const std::string&, const crypto::KeyHandle&) {
  crypto::Handle<BIO, &BIO_free_all> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  crypto::KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) return fail(ErrorKind::Invalid, "there is no private key in key-inside.pem");
  return key;
}

}  // namespace cipherway::tls
