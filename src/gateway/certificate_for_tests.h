#pragma once

#include "identity/certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>

/// Self-made certificates for tests of this module and of those to its right; included by tests alone.
namespace cipherway::gateway {

struct TestCertificate {
  std::string common_name = "test";
  std::string alternative_names = "";  ///< as openssl.cnf writes them: "DNS:a.example.org,URI:spiffe://example.org/a"
  bool authority = false;
  std::string not_before = "20260101000000Z";
  std::string not_after = "20960101000000Z";
};

/// PEM, signed by its own key, which nobody keeps.
inline std::string to_pem(const TestCertificate& wanted) {
  crypto::KeyHandle key = *crypto::generate_key(crypto::KeyType::P256);
  crypto::CertificateHandle x509(X509_new());
  X509_set_version(x509.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509.get()), 7);
  for (X509_NAME* name : {X509_get_subject_name(x509.get()), X509_get_issuer_name(x509.get())})
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1, -1, 0);
  EXPECT_EQ(ASN1_TIME_set_string_X509(X509_getm_notBefore(x509.get()), wanted.not_before.c_str()), 1);
  EXPECT_EQ(ASN1_TIME_set_string_X509(X509_getm_notAfter(x509.get()), wanted.not_after.c_str()), 1);
  X509_set_pubkey(x509.get(), key.get());
  auto extend = [&](int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, x509.get(), x509.get(), nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    ASSERT_NE(extension, nullptr) << value;
    X509_add_ext(x509.get(), extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, wanted.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!wanted.alternative_names.empty()) extend(NID_subject_alt_name, wanted.alternative_names);
  X509_sign(x509.get(), key.get(), EVP_sha256());
  return identity::Certificate(std::move(x509)).to_pem();
}

}  // namespace cipherway::gateway
