#pragma once

#include "crypto/key.h"
#include "identity/certificate.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <string>

namespace cipherway::tls {

/// A certificate and its private key, made on the spot. Tests alone.
struct Made {
  identity::Certificate certificate;
  crypto::KeyHandle key;
};

/// An authority for tests: signs whatever it is asked to.
class AuthorityForTests {
 public:
  AuthorityForTests() : root_(make({.name = "root", .authority = true}, nullptr)) {}

  struct Wanted {
    std::string name = "leaf";
    std::string alternative_names = {};  ///< as openssl.cnf writes them
    bool authority = false;
    std::string usage = "serverAuth,clientAuth";
    long not_before = -3600;  ///< seconds from now
    long not_after = 3600;
    crypto::KeyType key = crypto::KeyType::P256;
  };

  Made issue(const Wanted& wanted) const { return make(wanted, &root_); }
  identity::TrustBundle bundle() const { return *identity::TrustBundle::from_pem(root_.certificate.to_pem()); }

 private:
  static Made make(const Wanted& wanted, const Made* issuer) {
    crypto::KeyHandle key = *crypto::generate_key(wanted.key);
    crypto::CertificateHandle x509(X509_new());
    X509_set_version(x509.get(), X509_VERSION_3);
    static long serial = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), ++serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1, -1, 0);
    X509* signer = issuer != nullptr ? issuer->certificate.get() : x509.get();
    X509_set_issuer_name(x509.get(), X509_get_subject_name(signer));
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), wanted.not_before);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), wanted.not_after);
    X509_set_pubkey(x509.get(), key.get());
    auto extend = [&](int nid, const std::string& value) {
      X509V3_CTX context;
      X509V3_set_ctx(&context, signer, x509.get(), nullptr, nullptr, 0);
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
      ASSERT_NE(extension, nullptr) << value;
      X509_add_ext(x509.get(), extension, -1);
      X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(NID_key_usage, wanted.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    extend(NID_subject_key_identifier, "hash");
    if (issuer != nullptr) extend(NID_authority_key_identifier, "keyid:always");
    if (!wanted.authority) extend(NID_ext_key_usage, wanted.usage);
    if (!wanted.alternative_names.empty()) extend(NID_subject_alt_name, wanted.alternative_names);
    EVP_PKEY* signing = issuer != nullptr ? issuer->key.get() : key.get();
    EXPECT_GT(X509_sign(x509.get(), signing, EVP_PKEY_is_a(signing, "ED25519") ? nullptr : EVP_sha256()), 0);
    return {identity::Certificate(std::move(x509)), std::move(key)};
  }

  Made root_;
};

}  // namespace cipherway::tls
