#pragma once

#include <string>
#include <string_view>

namespace cipherway::tls {

/// Why a peer was refused: one stable word for logs and metrics (`word`), listed in docs/guide/refusals.md.
enum class Reason {
  UnknownAuthority,
  SelfSigned,
  Expired,
  NotYetValid,
  WrongPurpose,
  ChainTooLong,
  NameConstraint,
  CertificateInvalid,
  NoCertificate,
  NameNotAllowed,
  BadSignature,
  ProtocolVersion,
  NoSharedCipher,
  NoSharedGroup,
  NoSharedSignature,
  NoSharedAlpn,
  NotTls,
  BadRecord,
  PeerAlert,
  KeyUnavailable,
  ProtocolError,
};

std::string_view word(Reason reason);  // "unknown-authority", ...

struct Refusal {
  Reason reason = Reason::ProtocolError;
  std::string detail;  ///< for people: what the library or the policy said
};

/// The reason for an X.509 verification result (X509_V_ERR_*).
Reason reason_for_verification(int x509_error);

/// Empties OpenSSL's error queue and says what it means for a handshake or a record; `x509_error` is the verification
/// result of the connection, for the case that the certificate was the cause.
Refusal refusal_from_queue(int x509_error);

}  // namespace cipherway::tls
