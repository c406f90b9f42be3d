#include "tls/refusal.h"

#include "base/error.h"
#include "crypto/handle.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace cipherway::tls {

std::string_view word(Reason reason) {
  switch (reason) {
    case Reason::UnknownAuthority: return "unknown-authority";
    case Reason::SelfSigned: return "self-signed";
    case Reason::Expired: return "expired";
    case Reason::NotYetValid: return "not-yet-valid";
    case Reason::WrongPurpose: return "wrong-purpose";
    case Reason::ChainTooLong: return "chain-too-long";
    case Reason::NameConstraint: return "name-constraint";
    case Reason::CertificateInvalid: return "certificate-invalid";
    case Reason::NoCertificate: return "no-certificate";
    case Reason::NameNotAllowed: return "name-not-allowed";
    case Reason::BadSignature: return "bad-signature";
    case Reason::ProtocolVersion: return "protocol-version";
    case Reason::NoSharedCipher: return "no-shared-cipher";
    case Reason::NoSharedGroup: return "no-shared-group";
    case Reason::NoSharedSignature: return "no-shared-signature";
    case Reason::NoSharedAlpn: return "no-shared-alpn";
    case Reason::NotTls: return "not-tls";
    case Reason::BadRecord: return "bad-record";
    case Reason::PeerAlert: return "peer-alert";
    case Reason::KeyUnavailable: return "key-unavailable";
    case Reason::ProtocolError: return "protocol-error";
  }
  broken("Reason out of range");
}

Reason reason_for_verification(int x509_error) {
  switch (x509_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return Reason::Expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return Reason::NotYetValid;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return Reason::SelfSigned;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED: return Reason::UnknownAuthority;
    case X509_V_ERR_INVALID_PURPOSE: return Reason::WrongPurpose;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED: return Reason::ChainTooLong;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION: return Reason::NameConstraint;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return Reason::BadSignature;
    case X509_V_ERR_APPLICATION_VERIFICATION: return Reason::NameNotAllowed;
    default: return Reason::CertificateInvalid;
  }
}

namespace {

/// SSL_R_* reasons of OpenSSL, in our words. Alerts of the peer are numbered from SSL_AD_REASON_OFFSET on.
Reason reason_for(int code, int x509_error) {
  switch (code) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return reason_for_verification(x509_error);
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return Reason::NoCertificate;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_INAPPROPRIATE_FALLBACK: return Reason::ProtocolVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_CIPHERS_SPECIFIED:
    case SSL_R_WRONG_CIPHER_RETURNED:
    case SSL_R_UNKNOWN_CIPHER_RETURNED: return Reason::NoSharedCipher;
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_BAD_KEY_SHARE:
    case SSL_R_WRONG_CURVE: return Reason::NoSharedGroup;
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_WRONG_SIGNATURE_TYPE: return Reason::NoSharedSignature;
    case SSL_R_NO_APPLICATION_PROTOCOL: return Reason::NoSharedAlpn;
    case SSL_R_BAD_SIGNATURE: return Reason::BadSignature;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER: return Reason::NotTls;
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_DECRYPTION_FAILED:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_BAD_PACKET_LENGTH:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH: return Reason::BadRecord;
    default: return code >= SSL_AD_REASON_OFFSET ? Reason::PeerAlert : Reason::ProtocolError;
  }
}

}  // namespace

Refusal refusal_from_queue(int x509_error) {
  // The first entry that libssl made says what happened; entries of libcrypto below it say how.
  Refusal refusal;
  int code = 0;
  const char* data = nullptr;
  int flags = 0;
  unsigned long first = ERR_peek_error();
  while (unsigned long entry = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    if (code == 0 && ERR_GET_LIB(entry) == ERR_LIB_SSL) {
      code = ERR_GET_REASON(entry);
      first = entry;
    }
  }
  refusal.reason = reason_for(code, x509_error);
  const char* text = first != 0 ? ERR_reason_error_string(first) : nullptr;
  refusal.detail = text != nullptr ? text : "no reason given";
  if (code == SSL_R_CERTIFICATE_VERIFY_FAILED) refusal.detail = X509_verify_cert_error_string(x509_error);
  if (refusal.reason == Reason::PeerAlert) refusal.detail = SSL_alert_desc_string_long(code - SSL_AD_REASON_OFFSET);
  return refusal;
}

}  // namespace cipherway::tls
