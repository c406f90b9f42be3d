#include "authority/profile.h"

#include "crypto/kdf.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <array>
#include <optional>

namespace cipherway::authority {

using crypto::CertificateHandle;
using crypto::Handle;
using identity::Certificate;
using identity::Name;
using identity::NameKind;

std::string_view to_string(Usage usage) {
  switch (usage) {
    case Usage::Server: return "server";
    case Usage::Client: return "client";
    case Usage::Both: return "both";
  }
  broken("Usage out of range");
}

Result<Usage> usage_from(std::string_view text) {
  for (Usage usage : {Usage::Server, Usage::Client, Usage::Both})
    if (text == to_string(usage)) return usage;
  return fail(ErrorKind::Invalid,
              "\"" + std::string(text.substr(0, 64)) + "\" is not a usage; write server, client or both");
}

Result<KeyChoice> KeyChoice::parse(std::string_view text) {
  if (text == "p256") return KeyChoice{crypto::KeyType::P256};
  if (text == "p384") return KeyChoice{crypto::KeyType::P384};
  if (text == "ed25519") return KeyChoice{crypto::KeyType::Ed25519};
  if (text == "rsa-3072") return KeyChoice{crypto::KeyType::Rsa, 3072};
  if (text == "rsa-4096") return KeyChoice{crypto::KeyType::Rsa, 4096};
  return fail(ErrorKind::Invalid, "\"" + std::string(text.substr(0, 64)) +
                                      "\" is not a kind of key; write p256, p384, ed25519, rsa-3072 or rsa-4096");
}

namespace {

using SerialHandle = Handle<ASN1_INTEGER, &ASN1_INTEGER_free>;
using NumberHandle = Handle<BIGNUM, &BN_free>;
using BitsHandle = Handle<ASN1_BIT_STRING, &ASN1_BIT_STRING_free>;
using OctetsHandle = Handle<ASN1_OCTET_STRING, &ASN1_OCTET_STRING_free>;
using StringHandle = Handle<ASN1_STRING, &ASN1_STRING_free>;
using BasicHandle = Handle<BASIC_CONSTRAINTS, &BASIC_CONSTRAINTS_free>;
using UsageHandle = Handle<EXTENDED_KEY_USAGE, &EXTENDED_KEY_USAGE_free>;
using KeyIdHandle = Handle<AUTHORITY_KEYID, &AUTHORITY_KEYID_free>;
using NamesHandle = Handle<GENERAL_NAMES, &GENERAL_NAMES_free>;
using NameHandle = Handle<GENERAL_NAME, &GENERAL_NAME_free>;
using SubjectHandle = Handle<X509_NAME, &X509_NAME_free>;

constexpr std::size_t kSerialBytes = 16;
constexpr std::size_t kMostOrganisation = 64;  // RFC 5280, appendix A.1: ub-organization-name

// RFC 5280, section 4.2.1.3: positions in keyUsage.
constexpr int kDigitalSignature = 0;
constexpr int kKeyCertSign = 5;
constexpr int kCrlSign = 6;

bool add(X509* x509, int nid, void* value, bool critical) {
  return value != nullptr && X509_add1_ext_i2d(x509, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

bool add_serial(X509* x509, BytesView serial) {
  NumberHandle number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  SerialHandle integer(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
  return integer && X509_set_serialNumber(x509, integer.get()) == 1;
}

bool add_validity(X509* x509, const Validity& validity) {
  return ASN1_TIME_set(X509_getm_notBefore(x509), WallClock::to_time_t(validity.not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(x509), WallClock::to_time_t(validity.not_after)) != nullptr;
}

bool add_basic_constraints(X509* x509, std::optional<long> path_length) {
  BasicHandle basic(BASIC_CONSTRAINTS_new());
  if (!basic) return false;
  basic->ca = path_length ? 0xff : 0;
  if (path_length) {
    basic->pathlen = ASN1_INTEGER_new();
    if (basic->pathlen == nullptr || ASN1_INTEGER_set(basic->pathlen, *path_length) != 1) return false;
  }
  return add(x509, NID_basic_constraints, basic.get(), true);
}

bool add_key_usage(X509* x509, std::initializer_list<int> positions) {
  BitsHandle bits(ASN1_BIT_STRING_new());
  if (!bits) return false;
  for (int position : positions)
    if (ASN1_BIT_STRING_set_bit(bits.get(), position, 1) != 1) return false;
  return add(x509, NID_key_usage, bits.get(), true);
}

bool add_extended_usage(X509* x509, Usage usage) {
  UsageHandle list(EXTENDED_KEY_USAGE_new());
  if (!list) return false;
  if (usage != Usage::Client) sk_ASN1_OBJECT_push(list.get(), OBJ_nid2obj(NID_server_auth));
  if (usage != Usage::Server) sk_ASN1_OBJECT_push(list.get(), OBJ_nid2obj(NID_client_auth));
  return add(x509, NID_ext_key_usage, list.get(), false);
}

/// RFC 7093, section 2, method 1: the first 160 bits of the SHA-256 of the public key.
bool add_subject_key_id(X509* x509) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  OctetsHandle id(ASN1_OCTET_STRING_new());
  return id && X509_pubkey_digest(x509, EVP_sha256(), digest.data(), &size) == 1 &&
         ASN1_OCTET_STRING_set(id.get(), digest.data(), 20) == 1 &&
         add(x509, NID_subject_key_identifier, id.get(), false);
}

/// `issuer` may be the certificate that is being built: its extensions are read one by one, because OpenSSL's own
/// accessor wants a certificate that is signed.
bool add_authority_key_id(X509* x509, const X509* issuer) {
  KeyIdHandle authority(AUTHORITY_KEYID_new());
  if (!authority) return false;
  authority->keyid =
      static_cast<ASN1_OCTET_STRING*>(X509_get_ext_d2i(issuer, NID_subject_key_identifier, nullptr, nullptr));
  return authority->keyid != nullptr && add(x509, NID_authority_key_identifier, authority.get(), false);
}

NameHandle to_general(const Name& name) {
  std::array<std::uint8_t, 16> address{};
  BytesView value = as_bytes(name.text);
  int type = name.kind == NameKind::Spiffe ? GEN_URI : GEN_DNS;
  if (name.kind == NameKind::Ip) {
    bool six = ::inet_pton(AF_INET6, name.text.c_str(), address.data()) == 1;
    if (!six && ::inet_pton(AF_INET, name.text.c_str(), address.data()) != 1) return nullptr;
    type = GEN_IPADD;
    value = BytesView(address).first(six ? 16 : 4);
  }
  NameHandle general(GENERAL_NAME_new());
  StringHandle text(ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (!general || !text || ASN1_STRING_set(text.get(), value.data(), static_cast<int>(value.size())) != 1)
    return nullptr;
  GENERAL_NAME_set0_value(general.get(), type, text.release());
  return general;
}

bool add_names(X509* x509, const std::vector<Name>& names, bool critical) {
  NamesHandle list(GENERAL_NAMES_new());
  if (!list) return false;
  for (const Name& name : names) {
    NameHandle general = to_general(name);
    if (!general || sk_GENERAL_NAME_push(list.get(), general.get()) <= 0 || general.release() == nullptr) return false;
  }
  return add(x509, NID_subject_alt_name, list.get(), critical);
}

bool add_to_subject(X509_NAME* name, const char* field, std::string_view value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

/// O=trust domain, where it fits, and the common name if there is one.
bool add_subject(X509* x509, std::string_view trust_domain, const std::string& common_name) {
  SubjectHandle subject(X509_NAME_new());
  if (!subject) return false;
  if (trust_domain.size() <= kMostOrganisation && !add_to_subject(subject.get(), "O", trust_domain)) return false;
  if (!common_name.empty() && !add_to_subject(subject.get(), "CN", common_name)) return false;
  return X509_set_subject_name(x509, subject.get()) == 1;
}

const EVP_MD* digest_for(EVP_PKEY* key) {
  auto type = crypto::type_of(key);
  if (type && *type == crypto::KeyType::Ed25519) return nullptr;  // it hashes by itself
  return type && *type == crypto::KeyType::P384 ? EVP_sha384() : EVP_sha256();
}

Bytes new_serial() {
  Bytes serial(kSerialBytes);
  crypto::random_bytes(serial);
  return serial;
}

/// Signs, and reads back what was signed: nothing leaves that our own parser would not take.
Result<Certificate> sign(CertificateHandle x509, EVP_PKEY* key) {
  if (X509_sign(x509.get(), key, digest_for(key)) <= 0) return crypto::fail_openssl("sign a certificate");
  return Certificate::from_der(Certificate(std::move(x509)).to_der());
}

CertificateHandle start(EVP_PKEY* public_key, BytesView serial, const Validity& validity) {
  CertificateHandle x509(X509_new());
  if (x509 && X509_set_version(x509.get(), X509_VERSION_3) == 1 && add_serial(x509.get(), serial) &&
      add_validity(x509.get(), validity) && X509_set_pubkey(x509.get(), public_key) == 1)
    return x509;
  return nullptr;
}

/// What root and intermediate have in common. The subject ends in four bytes of the serial number, so that two
/// authorities of one trust domain are not mistaken for each other when chains are built by name.
Result<CertificateHandle> start_authority(EVP_PKEY* public_key, std::string_view title, long path_length,
                                          const Constraints& constraints, const Validity& validity) {
  Bytes serial = new_serial();
  CertificateHandle x509 = start(public_key, serial, validity);
  if (!x509 ||
      !add_subject(x509.get(), constraints.trust_domain(),
                   "Cipherway " + std::string(title) + " " + to_hex(BytesView(serial).first(4))) ||
      !add_basic_constraints(x509.get(), path_length) || !add_key_usage(x509.get(), {kKeyCertSign, kCrlSign}) ||
      !add_subject_key_id(x509.get()) ||
      !add_names(x509.get(), {Name{NameKind::Spiffe, "spiffe://" + constraints.trust_domain()}}, false))
    return crypto::fail_openssl("build the " + std::string(title) + " certificate");
  TRY(constraints.add_to(x509.get()));
  return x509;
}

}  // namespace

Result<Certificate> make_root(EVP_PKEY* key, const Constraints& constraints, Validity validity) {
  CertificateHandle x509 = TRY(start_authority(key, "root", 1, constraints, validity));
  if (X509_set_issuer_name(x509.get(), X509_get_subject_name(x509.get())) != 1 ||
      !add_authority_key_id(x509.get(), x509.get()))
    return crypto::fail_openssl("build the root certificate");
  return sign(std::move(x509), key);
}

Result<Certificate> make_intermediate(EVP_PKEY* public_key, const Constraints& constraints, Validity validity,
                                      const Issuer& issuer) {
  CertificateHandle x509 = TRY(start_authority(public_key, "intermediate", 0, constraints, validity));
  if (X509_set_issuer_name(x509.get(), X509_get_subject_name(issuer.certificate.get())) != 1 ||
      !add_extended_usage(x509.get(), Usage::Both) || !add_authority_key_id(x509.get(), issuer.certificate.get()))
    return crypto::fail_openssl("build the intermediate certificate");
  return sign(std::move(x509), issuer.key);
}

Result<Certificate> make_leaf(EVP_PKEY* public_key, const std::vector<Name>& names, Usage usage, Validity validity,
                              std::string_view trust_domain, const Issuer& issuer) {
  CertificateHandle x509 = start(public_key, new_serial(), validity);
  bool subject_is_empty = trust_domain.size() > kMostOrganisation;
  if (!x509 || !add_subject(x509.get(), trust_domain, "") ||
      X509_set_issuer_name(x509.get(), X509_get_subject_name(issuer.certificate.get())) != 1 ||
      !add_basic_constraints(x509.get(), std::nullopt) || !add_key_usage(x509.get(), {kDigitalSignature}) ||
      !add_extended_usage(x509.get(), usage) || !add_subject_key_id(x509.get()) ||
      !add_authority_key_id(x509.get(), issuer.certificate.get()) || !add_names(x509.get(), names, subject_is_empty))
    return crypto::fail_openssl("build a certificate");
  return sign(std::move(x509), issuer.key);
}

}  // namespace cipherway::authority
