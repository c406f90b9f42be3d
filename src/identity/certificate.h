#pragma once

#include "base/clock.h"
#include "crypto/key.h"
#include "identity/name.h"

#include <string>
#include <string_view>
#include <vector>

namespace cipherway::identity {

inline constexpr std::size_t kMostNames = 100;         ///< that are read from one certificate
inline constexpr std::size_t kMostChain = 10;          ///< certificates in a presented chain
inline constexpr std::size_t kMostBundle = 1'000;      ///< certificates in a trust bundle
inline constexpr std::size_t kMostPemFile = 16 << 20;  ///< bytes of a PEM file, for those who read one

/// One X.509 certificate, read. Cheap to copy (shares the parsed object).
class Certificate {
 public:
  explicit Certificate(crypto::CertificateHandle x509) : x509_(std::move(x509)) {}
  /// One certificate in DER and nothing behind it; one whose extensions do not decode is an error.
  static Result<Certificate> from_der(BytesView der);
  Certificate(const Certificate& other) : x509_(crypto::share(other.x509_)) {}
  Certificate& operator=(const Certificate& other) { return *this = Certificate(other); }
  Certificate(Certificate&&) = default;
  Certificate& operator=(Certificate&&) = default;

  /// SPIFFE, DNS and IP names of subjectAltName, in the order they stand; names that do not parse are left out, and
  /// the common name does not count (RFC 9525, section 2). A SPIFFE ID is left out when it is not the only URI
  /// (X509-SVID, section 2). At most 100 are read; a certificate with more has none.
  std::vector<Name> names() const;
  WallClock::time_point not_before() const;
  WallClock::time_point not_after() const;
  std::string subject() const;  ///< RFC 2253 form, for people; at most 256 bytes
  std::string issuer() const;
  std::string serial() const;       ///< lower-case hexadecimal
  std::string fingerprint() const;  ///< SHA-256 of the DER, lower-case hexadecimal
  /// basicConstraints says CA:TRUE (and keyUsage, where there is one, lets it sign certificates).
  bool is_authority() const;
  Result<crypto::KeyHandle> public_key() const;
  KeyPin pin() const;  ///< names the public key
  Bytes to_der() const;
  std::string to_pem() const;
  X509* get() const { return x509_.get(); }

 private:
  crypto::CertificateHandle x509_;
};

/// Whether the policy lets in whoever proved to have this certificate, by one of its names or by its key. The same for
/// full and resumed sessions.
bool admits(const AccessPolicy& policy, const Certificate& certificate);

/// A certificate chain as it is presented: the leaf first, then intermediates.
struct Chain {
  std::vector<Certificate> certificates;
  const Certificate& leaf() const { return certificates.front(); }
};

/// All certificates of a PEM text, in order: 1 to `most`, else an error. Text between them is ignored; a private key
/// in the text is an error, because certificate files are read by processes that must never see one.
Result<std::vector<Certificate>> certificates_from_pem(std::string_view pem, std::size_t most);

/// A presented chain (at most 10 certificates): each is issued by the next, by name.
Result<Chain> chain_from_pem(std::string_view pem);

/// The roots (and, if the operator puts them there, intermediates) that a side trusts: at most 1,000, all of them
/// authorities, so that nobody trusts a leaf by putting it into the wrong file.
class TrustBundle {
 public:
  static Result<TrustBundle> from_pem(std::string_view pem);
  /// A store for OpenSSL to verify against, with X509_V_FLAG_X509_STRICT and partial chains off.
  Result<crypto::StoreHandle> to_store() const;
  const std::vector<Certificate>& certificates() const { return certificates_; }

 private:
  std::vector<Certificate> certificates_;
};

}  // namespace cipherway::identity
