#pragma once

#include "base/clock.h"
#include "crypto/key.h"
#include "identity/name.h"

#include <string>
#include <string_view>
#include <vector>

namespace cipherway::identity {

/// One X.509 certificate, read. Cheap to copy (shares the parsed object).
class Certificate {
 public:
  explicit Certificate(crypto::CertificateHandle x509) : x509_(std::move(x509)) {}
  Certificate(const Certificate& other) : x509_(crypto::share(other.x509_)) {}
  Certificate& operator=(const Certificate& other) { return *this = Certificate(other); }
  Certificate(Certificate&&) = default;
  Certificate& operator=(Certificate&&) = default;

  /// SPIFFE, DNS and IP names of subjectAltName, in the order they stand; names that do not parse are left out, and
  /// the common name does not count (RFC 9525, section 2). At most 100 are read.
  std::vector<Name> names() const;
  WallClock::time_point not_before() const;
  WallClock::time_point not_after() const;
  std::string subject() const;  ///< RFC 2253 form, for people; at most 256 bytes
  std::string issuer() const;
  std::string serial() const;       ///< lower-case hexadecimal
  std::string fingerprint() const;  ///< SHA-256 of the DER, lower-case hexadecimal
  Result<crypto::KeyHandle> public_key() const;
  std::string to_pem() const;
  X509* get() const { return x509_.get(); }

 private:
  crypto::CertificateHandle x509_;
};

/// A certificate chain as it is presented: the leaf first, then intermediates.
struct Chain {
  std::vector<Certificate> certificates;
  const Certificate& leaf() const { return certificates.front(); }
};

/// All certificates of a PEM text, in order: 1 to `most`, else an error. Text between them is ignored; a private key
/// in the text is an error, because certificate files are read by processes that must never see one.
Result<std::vector<Certificate>> certificates_from_pem(std::string_view pem, std::size_t most);

/// A presented chain (at most 10 certificates).
Result<Chain> chain_from_pem(std::string_view pem);

/// The roots (and, if the operator puts them there, intermediates) that a side trusts: at most 1,000.
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
