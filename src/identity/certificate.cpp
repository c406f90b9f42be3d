#include "identity/certificate.h"

#include "crypto/kdf.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

namespace cipherway::identity {

namespace {

using NamesHandle = crypto::Handle<GENERAL_NAMES, &GENERAL_NAMES_free>;
using NumberHandle = crypto::Handle<BIGNUM, &BN_free>;

constexpr std::size_t kMostSubjectBytes = 256;
constexpr std::size_t kMostDerBytes = 64 << 10;

/// Civil time that system_clock can hold: dates behind its end (year 9999, "never", RFC 5280, section 4.1.2.5) are its
/// end.
WallClock::time_point to_time(const ASN1_TIME* time) {
  std::tm civil{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &civil) != 1) return WallClock::time_point::min();
  std::chrono::seconds since_1970{::timegm(&civil)};
  constexpr auto kLatest = std::chrono::floor<std::chrono::seconds>(WallClock::time_point::max().time_since_epoch());
  constexpr auto kEarliest = std::chrono::ceil<std::chrono::seconds>(WallClock::time_point::min().time_since_epoch());
  return WallClock::time_point(std::clamp(since_1970, kEarliest, kLatest));
}

std::string to_text(const X509_NAME* name) {
  crypto::BioHandle bio = crypto::writing();
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  std::string text = crypto::written(bio);
  if (text.size() > kMostSubjectBytes) text.resize(kMostSubjectBytes);
  return text;
}

std::string_view to_text(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::optional<Name> to_name(const GENERAL_NAME* general) {
  int type = 0;
  auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(general, &type));
  std::optional<Name> name;
  auto take = [&](std::string_view text, NameKind kind) {
    // The name must be of the kind that the certificate says: a dNSName that spells an address is not an address.
    if (auto parsed = Name::parse(text); parsed && parsed->kind == kind) name = *std::move(parsed);
  };
  if (type == GEN_URI) take(to_text(value), NameKind::Spiffe);
  if (type == GEN_DNS) take(to_text(value), NameKind::Dns);
  if (type == GEN_IPADD) {
    int length = ASN1_STRING_length(value);
    std::array<char, INET6_ADDRSTRLEN> text{};
    if ((length == 4 || length == 16) &&
        ::inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text.data(), text.size()))
      take(text.data(), NameKind::Ip);
  }
  return name;
}

}  // namespace

Result<Certificate> Certificate::from_der(BytesView der) {
  if (der.size() > kMostDerBytes) return fail(ErrorKind::Limit, "a certificate is larger than 64 KiB");
  const unsigned char* at = der.data();
  crypto::CertificateHandle x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!x509) return crypto::fail_openssl("decode a certificate");
  if (at != der.data() + der.size()) return fail(ErrorKind::Invalid, "bytes follow the certificate");
  // Decodes every extension that verification uses; left to itself, OpenSSL does so at the first verification.
  if (X509_check_purpose(x509.get(), -1, 0) != 1) return crypto::fail_openssl("decode a certificate's extensions");
  return Certificate(std::move(x509));
}

std::vector<Name> Certificate::names() const {
  NamesHandle general(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<Name> names;
  int count = general ? sk_GENERAL_NAME_num(general.get()) : 0;
  if (static_cast<std::size_t>(count) > kMostNames) return names;
  int uris = 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(general.get(), i);
    if (one->type == GEN_URI) ++uris;
    if (auto name = to_name(one)) names.push_back(*std::move(name));
  }
  if (uris > 1) std::erase_if(names, [](const Name& name) { return name.kind == NameKind::Spiffe; });
  return names;
}

WallClock::time_point Certificate::not_before() const {
  return to_time(X509_get0_notBefore(get()));
}

WallClock::time_point Certificate::not_after() const {
  return to_time(X509_get0_notAfter(get()));
}

std::string Certificate::subject() const {
  return to_text(X509_get_subject_name(get()));
}

std::string Certificate::issuer() const {
  return to_text(X509_get_issuer_name(get()));
}

std::string Certificate::serial() const {
  NumberHandle number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(get()), nullptr));
  if (!number) return {};
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  return to_hex(bytes);
}

std::string Certificate::fingerprint() const {
  return to_hex(crypto::sha256(to_der()));
}

bool Certificate::is_authority() const {
  return X509_check_ca(get()) == 1;
}

Result<crypto::KeyHandle> Certificate::public_key() const {
  crypto::KeyHandle key(X509_get_pubkey(get()));
  if (!key) return crypto::fail_openssl("read the public key of a certificate");
  return key;
}

KeyPin Certificate::pin() const {
  unsigned char* der = nullptr;
  int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(get()), &der);
  if (size <= 0) broken("the public key of a certificate that was decoded does not encode");
  KeyPin pin = KeyPin::of({der, static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return pin;
}

bool admits(const AccessPolicy& policy, const Certificate& certificate) {
  return policy.accepts(certificate.names()) != nullptr || (policy.has_pins() && policy.accepts_key(certificate.pin()));
}

Bytes Certificate::to_der() const {
  unsigned char* der = nullptr;
  int size = i2d_X509(get(), &der);
  if (size <= 0) broken("a certificate that was decoded does not encode");
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

std::string Certificate::to_pem() const {
  crypto::BioHandle bio = crypto::writing();
  PEM_write_bio_X509(bio.get(), get());
  return crypto::written(bio);
}

namespace {

/// One block of a PEM text (RFC 7468): its label, and all of it from BEGIN to END.
struct Block {
  std::string_view label;
  std::string_view text;
};

/// The next block, which is taken off `rest`; nothing when there is none left.
Result<std::optional<Block>> next_block(std::string_view& rest) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kDashes = "-----";
  std::size_t begin = rest.find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(begin);
  std::size_t label_end = rest.find(kDashes, kBegin.size());
  if (label_end == std::string_view::npos) return fail(ErrorKind::Invalid, "a PEM block begins without a label");
  Block block{rest.substr(kBegin.size(), label_end - kBegin.size()), {}};
  std::string end = "-----END " + std::string(block.label.substr(0, 64)) + "-----";
  std::size_t end_at = rest.find(end, label_end);
  if (end_at == std::string_view::npos)
    return fail(ErrorKind::Invalid, "a PEM block does not end: the file is cut off");
  block.text = rest.substr(0, end_at + end.size());
  rest.remove_prefix(block.text.size());
  return block;
}

Result<Certificate> certificate_from(const Block& block) {
  crypto::BioHandle bio = crypto::reading(block.text);
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;
  if (PEM_read_bio(bio.get(), &label, &header, &der, &size) != 1) return crypto::fail_openssl("decode PEM");
  auto certificate = Certificate::from_der({der, static_cast<std::size_t>(size)});
  OPENSSL_free(label);
  OPENSSL_free(header);
  OPENSSL_free(der);
  return certificate;
}

std::string nth(std::size_t index) {
  return "certificate " + std::to_string(index + 1);
}

}  // namespace

Result<std::vector<Certificate>> certificates_from_pem(std::string_view pem, std::size_t most) {
  // Before anything is decoded: also a key in a form that we would not read is a key in the wrong file.
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
    return fail(ErrorKind::Denied,
                "there is a private key in the file; keep certificates and keys in files of their own");
  std::vector<Certificate> certificates;
  while (auto block = TRY(next_block(pem))) {
    if (block->label == "TRUSTED CERTIFICATE")
      return fail(ErrorKind::Invalid,
                  "TRUSTED CERTIFICATE is a form of OpenSSL's own; write it with `openssl x509` again");
    if (block->label != "CERTIFICATE" && block->label != "X509 CERTIFICATE") continue;
    if (certificates.size() == most)
      return fail(ErrorKind::Limit, "there are more than " + std::to_string(most) + " certificates in the file");
    certificates.push_back(TRY_IN(nth(certificates.size()), certificate_from(*block)));
  }
  if (certificates.empty()) return fail(ErrorKind::Invalid, "there is no certificate in the file");
  return certificates;
}

Result<Chain> chain_from_pem(std::string_view pem) {
  Chain chain{TRY(certificates_from_pem(pem, kMostChain))};
  for (std::size_t i = 0; i + 1 < chain.certificates.size(); ++i)
    if (X509_NAME_cmp(X509_get_issuer_name(chain.certificates[i].get()),
                      X509_get_subject_name(chain.certificates[i + 1].get())) != 0)
      return fail(ErrorKind::Invalid, nth(i) + " was issued by \"" + chain.certificates[i].issuer() + "\", but " +
                                          nth(i + 1) + " is \"" + chain.certificates[i + 1].subject() +
                                          "\"; order them leaf first");
  return chain;
}

Result<TrustBundle> TrustBundle::from_pem(std::string_view pem) {
  TrustBundle bundle;
  bundle.certificates_ = TRY(certificates_from_pem(pem, kMostBundle));
  for (std::size_t i = 0; i < bundle.certificates_.size(); ++i)
    if (!bundle.certificates_[i].is_authority())
      return fail(ErrorKind::Invalid, nth(i) + " (\"" + bundle.certificates_[i].subject() +
                                          "\") is not an authority's; a trust bundle holds the certificates of "
                                          "authorities, not of their clients and servers");
  return bundle;
}

Result<crypto::StoreHandle> TrustBundle::to_store() const {
  crypto::StoreHandle store(X509_STORE_new());
  if (!store) return crypto::fail_openssl("make a trust store");
  for (const Certificate& certificate : certificates_)
    if (X509_STORE_add_cert(store.get(), certificate.get()) != 1)
      return crypto::fail_openssl("add a certificate to a trust store");
  if (X509_STORE_set_flags(store.get(), X509_V_FLAG_X509_STRICT) != 1)
    return crypto::fail_openssl("set the flags of a trust store");
  return store;
}

}  // namespace cipherway::identity
