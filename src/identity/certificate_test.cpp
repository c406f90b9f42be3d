#include "identity/certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace cipherway::identity {
namespace {

using crypto::KeyHandle;

struct Wanted {
  std::string common_name = "test";
  std::string issuer = "";             ///< common name; its own when empty
  std::string alternative_names = "";  ///< as openssl.cnf writes them
  std::string constraints = "";
  std::string not_before = "20260101000000Z";
  std::string not_after = "20260102000000Z";
};

void add_extension(X509* x509, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, x509, x509, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
}

void set_name(X509_NAME* name, const std::string& common_name) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                             -1, 0);
}

Bytes make_der(const Wanted& wanted) {
  static const KeyHandle key = *crypto::generate_key(crypto::KeyType::P256);
  crypto::CertificateHandle x509(X509_new());
  X509_set_version(x509.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509.get()), 0xabcdef0123);
  set_name(X509_get_subject_name(x509.get()), wanted.common_name);
  set_name(X509_get_issuer_name(x509.get()), wanted.issuer.empty() ? wanted.common_name : wanted.issuer);
  EXPECT_EQ(ASN1_TIME_set_string_X509(X509_getm_notBefore(x509.get()), wanted.not_before.c_str()), 1);
  EXPECT_EQ(ASN1_TIME_set_string_X509(X509_getm_notAfter(x509.get()), wanted.not_after.c_str()), 1);
  X509_set_pubkey(x509.get(), key.get());
  add_extension(x509.get(), NID_basic_constraints, wanted.constraints);
  add_extension(x509.get(), NID_subject_alt_name, wanted.alternative_names);
  X509_sign(x509.get(), key.get(), EVP_sha256());
  unsigned char* der = nullptr;
  int size = i2d_X509(x509.get(), &der);
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

Certificate make(const Wanted& wanted) {
  return *Certificate::from_der(make_der(wanted));
}

std::string why_not(const auto& result) {
  return result ? "no error" : result.error().what;
}

TEST(Certificate, ReadsNamesInTheirOrder) {
  auto names = make({.alternative_names = "DNS:Shop.Example.org,URI:spiffe://example.org/shop,IP:10.0.0.1,"
                                          "IP:2001:db8::1,email:a@example.org,DNS:*.example.org"})
                   .names();
  std::vector<Name> expected{{NameKind::Dns, "shop.example.org"},
                             {NameKind::Spiffe, "spiffe://example.org/shop"},
                             {NameKind::Ip, "10.0.0.1"},
                             {NameKind::Ip, "2001:db8::1"},
                             {NameKind::Dns, "*.example.org"}};
  EXPECT_EQ(names, expected);
}

TEST(Certificate, LeavesOutWhatIsNotAName) {
  EXPECT_TRUE(make({.common_name = "shop.example.org"}).names().empty());
  EXPECT_TRUE(make({.alternative_names = "DNS:10.0.0.1"}).names().empty());
  EXPECT_TRUE(make({.alternative_names = "DNS:spiffe://example.org/a"}).names().empty());
  EXPECT_TRUE(make({.alternative_names = "URI:shop.example.org"}).names().empty());
  EXPECT_TRUE(make({.alternative_names = "URI:spiffe://example.org/%61,DNS:a_b,DNS:*.org"}).names().empty());
}

TEST(Certificate, ASpiffeIdBesideAnotherUriIsNoIdentity) {
  EXPECT_TRUE(make({.alternative_names = "URI:spiffe://example.org/a,URI:spiffe://example.org/b"}).names().empty());
  EXPECT_TRUE(make({.alternative_names = "URI:https://example.org/,URI:spiffe://example.org/b"}).names().empty());
  auto names = make({.alternative_names = "URI:spiffe://a.example/a,DNS:a.example,URI:spiffe://a.example/b"}).names();
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names[0].text, "a.example");
}

TEST(Certificate, ReadsAtMostAHundredNames) {
  std::string some = "DNS:n0.example";
  for (int i = 1; i < 100; ++i) some += ",DNS:n" + std::to_string(i) + ".example";
  EXPECT_EQ(make({.alternative_names = some}).names().size(), 100U);
  EXPECT_TRUE(make({.alternative_names = some + ",DNS:one-more.example"}).names().empty());
}

TEST(Certificate, ReadsValidity) {
  Certificate certificate = make({});
  EXPECT_EQ(to_rfc3339(certificate.not_before()), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(certificate.not_after()), "2026-01-02T00:00:00.000Z");
  // "Never" does not wrap around to the past.
  EXPECT_GT(make({.not_after = "99991231235959Z"}).not_after(), WallClock::now() + std::chrono::years(100));
}

TEST(Certificate, TellsWhatItIs) {
  Certificate certificate = make({.common_name = "leaf", .issuer = "root"});
  EXPECT_EQ(certificate.subject(), "CN=leaf");
  EXPECT_EQ(certificate.issuer(), "CN=root");
  EXPECT_EQ(certificate.serial(), "abcdef0123");
  EXPECT_EQ(certificate.fingerprint().size(), 64U);
  EXPECT_FALSE(certificate.is_authority());
  EXPECT_TRUE(make({.constraints = "critical,CA:TRUE"}).is_authority());
  EXPECT_EQ(*crypto::type_of(certificate.public_key()->get()), crypto::KeyType::P256);
  Certificate copy = make({.common_name = "other"});
  copy = certificate;
  EXPECT_EQ(copy.get(), certificate.get());
}

TEST(Certificate, SubjectsAreBoundedAndEscaped) {
  Bytes der = make_der({.common_name = "a\x1b[2J\n"});
  std::string subject = Certificate::from_der(der)->subject();
  EXPECT_EQ(subject.find('\x1b'), std::string::npos);
  EXPECT_EQ(subject.find('\n'), std::string::npos);
  EXPECT_LE(make({.common_name = std::string(64, 'x')}).subject().size(), 256U);
}

TEST(Certificate, RefusesDamagedDer) {
  Bytes der = make_der({.alternative_names = "DNS:a.example"});
  Bytes longer = der;
  longer.push_back(0);
  EXPECT_EQ(why_not(Certificate::from_der(longer)), "bytes follow the certificate");
  EXPECT_FALSE(Certificate::from_der(BytesView(der).first(der.size() - 1)).has_value());
  EXPECT_FALSE(Certificate::from_der({}).has_value());
  EXPECT_EQ(Certificate::from_der(Bytes(100'000)).error().kind, ErrorKind::Limit);
}

TEST(CertificatesFromPem, ReadsAllInOrderAndIgnoresTheRest) {
  std::string text = "subject=CN = a\n" + make({.common_name = "a"}).to_pem() + "\n# between\n" +
                     "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n" + make({.common_name = "b"}).to_pem();
  auto certificates = certificates_from_pem(text, 2);
  ASSERT_TRUE(certificates.has_value()) << certificates.error().what;
  ASSERT_EQ(certificates->size(), 2U);
  EXPECT_EQ((*certificates)[0].subject(), "CN=a");
  EXPECT_EQ((*certificates)[1].subject(), "CN=b");
}

TEST(CertificatesFromPem, RefusesTooFewAndTooMany) {
  EXPECT_EQ(why_not(certificates_from_pem("", 1)), "there is no certificate in the file");
  EXPECT_FALSE(certificates_from_pem("hello", 1).has_value());
  std::string one = make({}).to_pem();
  EXPECT_TRUE(certificates_from_pem(one, 1).has_value());
  EXPECT_EQ(certificates_from_pem(one + one, 1).error().kind, ErrorKind::Limit);
}

TEST(CertificatesFromPem, RefusesPrivateKeysOfEveryForm) {
  std::string one = make({}).to_pem();
  for (std::string label :
       {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"}) {
    std::string block = "-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n";
    EXPECT_EQ(certificates_from_pem(one + block, 10).error().kind, ErrorKind::Denied) << label;
    EXPECT_EQ(certificates_from_pem(block + one, 10).error().kind, ErrorKind::Denied) << label;
  }
}

TEST(CertificatesFromPem, RefusesDamagedBlocks) {
  std::string one = make({}).to_pem();
  EXPECT_NE(why_not(certificates_from_pem(one + one.substr(0, one.size() / 2), 10)).find("cut off"), std::string::npos);
  std::string damaged = one;
  damaged[damaged.size() / 2] = '!';
  EXPECT_TRUE(why_not(certificates_from_pem(one + damaged, 10)).starts_with("certificate 2: "));
  std::string flipped = one;
  flipped[30] = flipped[30] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(certificates_from_pem(flipped, 10).has_value());
  EXPECT_FALSE(certificates_from_pem("-----BEGIN CERTIFICATE", 10).has_value());
  EXPECT_FALSE(
      certificates_from_pem("-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n", 10)
          .has_value());
}

TEST(Chain, IsOrderedLeafFirst) {
  std::string leaf = make({.common_name = "leaf", .issuer = "intermediate"}).to_pem();
  std::string intermediate = make({.common_name = "intermediate", .issuer = "root"}).to_pem();
  ASSERT_TRUE(chain_from_pem(leaf + intermediate).has_value());
  EXPECT_EQ(chain_from_pem(leaf + intermediate)->leaf().subject(), "CN=leaf");
  EXPECT_NE(why_not(chain_from_pem(intermediate + leaf)).find("order them leaf first"), std::string::npos);
  std::string many;
  for (int i = 0; i < 11; ++i) many += make({}).to_pem();
  EXPECT_EQ(chain_from_pem(many).error().kind, ErrorKind::Limit);
}

TEST(TrustBundle, TakesAuthoritiesAlone) {
  std::string root = make({.common_name = "root", .constraints = "critical,CA:TRUE"}).to_pem();
  auto bundle = TrustBundle::from_pem(root + root);
  ASSERT_TRUE(bundle.has_value()) << bundle.error().what;
  EXPECT_EQ(bundle->certificates().size(), 2U);
  EXPECT_NE(why_not(TrustBundle::from_pem(root + make({.common_name = "leaf"}).to_pem()))
                .find("certificate 2 (\"CN=leaf\") is not an authority's"),
            std::string::npos);
  EXPECT_FALSE(TrustBundle::from_pem(make({.constraints = "critical,CA:FALSE"}).to_pem()).has_value());
}

TEST(TrustBundle, MakesAStrictStore) {
  auto bundle = TrustBundle::from_pem(make({.constraints = "critical,CA:TRUE"}).to_pem());
  auto store = bundle->to_store();
  ASSERT_TRUE(store.has_value()) << store.error().what;
  unsigned long flags = X509_VERIFY_PARAM_get_flags(X509_STORE_get0_param(store->get()));
  EXPECT_NE(flags & X509_V_FLAG_X509_STRICT, 0U);
  EXPECT_EQ(flags & X509_V_FLAG_PARTIAL_CHAIN, 0U);
}

TEST(Certificate, IsAdmittedByItsNamesOrByItsKey) {
  Certificate certificate = make({.alternative_names = "URI:spiffe://example.org/a,DNS:a.example.org"});
  Certificate nameless = make({});  // with the same key
  auto policy = [](std::initializer_list<std::string_view> texts) {
    std::vector<NamePattern> patterns;
    for (std::string_view text : texts) patterns.push_back(*NamePattern::parse(text));
    return AccessPolicy(std::move(patterns));
  };
  std::string pin = certificate.pin().to_string();
  EXPECT_EQ(certificate.pin(), nameless.pin());
  EXPECT_EQ(certificate.pin(), KeyPin::of(*crypto::public_key_der(certificate.public_key()->get())));

  EXPECT_TRUE(admits(policy({"a.example.org"}), certificate));
  EXPECT_FALSE(admits(policy({"a.example.org"}), nameless));
  EXPECT_TRUE(admits(policy({pin}), certificate));
  EXPECT_TRUE(admits(policy({pin}), nameless));
  EXPECT_TRUE(admits(policy({"b.example.org", pin}), nameless));
  EXPECT_FALSE(admits(policy({"any"}), nameless));
  std::string other = KeyPin::of(as_bytes("another key")).to_string();
  EXPECT_FALSE(admits(policy({other}), certificate));
  EXPECT_FALSE(admits(policy({other, "b.example.org"}), certificate));
  EXPECT_FALSE(admits(policy({}), certificate));
}

}  // namespace
}  // namespace cipherway::identity
