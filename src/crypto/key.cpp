#include "crypto/key.h"

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstring>

namespace cipherway::crypto {

std::string_view to_string(KeyType type) {
  switch (type) {
    case KeyType::P256: return "p256";
    case KeyType::P384: return "p384";
    case KeyType::Ed25519: return "ed25519";
    case KeyType::Rsa: return "rsa";
  }
  broken("KeyType out of range");
}

Result<KeyHandle> generate_key(KeyType type, unsigned rsa_bits) {
  EVP_PKEY* key = nullptr;
  switch (type) {
    case KeyType::P256: key = EVP_EC_gen("P-256"); break;
    case KeyType::P384: key = EVP_EC_gen("P-384"); break;
    case KeyType::Ed25519: key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); break;
    case KeyType::Rsa:
      if (rsa_bits < 2048 || rsa_bits > 8192)
        return fail(ErrorKind::Invalid, "an RSA key has 2048 to 8192 bits, not " + std::to_string(rsa_bits));
      key = EVP_RSA_gen(rsa_bits);
      break;
  }
  if (key == nullptr) return fail_openssl("generate a " + std::string(to_string(type)) + " key");
  return KeyHandle(key);
}

Result<KeyType> type_of(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519")) return KeyType::Ed25519;
  if (EVP_PKEY_is_a(key, "RSA")) return KeyType::Rsa;
  if (EVP_PKEY_is_a(key, "EC")) {
    char group[64] = "";
    std::size_t length = 0;
    EVP_PKEY_get_group_name(key, group, sizeof group, &length);
    int nid = OBJ_txt2nid(group);
    if (nid == NID_X9_62_prime256v1) return KeyType::P256;
    if (nid == NID_secp384r1) return KeyType::P384;
    return fail(ErrorKind::Invalid, "the key is on the curve " + std::string(group) + "; use P-256 or P-384");
  }
  return fail(ErrorKind::Invalid, "the key is neither ECDSA (P-256, P-384) nor Ed25519 nor RSA");
}

namespace {
/// Refuses to ask anybody for a pass phrase: a daemon has nobody to ask.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}
}  // namespace

Result<KeyHandle> private_key_from(const SecretBytes& pem) {
  BioHandle bio = reading(as_text(pem.view()));
  KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_pass_phrase, nullptr));
  if (!key) return fail_openssl("read a private key from PEM");
  KeyHandle second(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_pass_phrase, nullptr));
  openssl_errors();  // "no start line" is the expected end
  if (second) return fail(ErrorKind::Invalid, "there is more than one private key in the file");
  return key;
}

Result<SecretBytes> private_key_to_pem(const KeyHandle& key) {
  BioHandle bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail_openssl("write a private key as PEM");
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  SecretBytes pem = SecretBytes::copy_of({reinterpret_cast<std::uint8_t*>(data), static_cast<std::size_t>(size)});
  wipe(data, static_cast<std::size_t>(size));
  return pem;
}

Result<Bytes> public_key_der(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return fail_openssl("encode a public key");
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

Result<KeyHandle> public_key_from_der(BytesView der) {
  const unsigned char* at = der.data();
  KeyHandle key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key) return fail_openssl("decode a public key");
  if (at != der.data() + der.size()) return fail(ErrorKind::Invalid, "bytes follow the public key");
  return key;
}

}  // namespace cipherway::crypto
