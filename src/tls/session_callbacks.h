#pragma once

#include "tls/context.h"

#include <openssl/ssl.h>

namespace cipherway::tls {

/// What libssl calls back, for all sessions of a context. Included by this module's .cpp files alone.
struct SessionCallbacks {
  /// Chain, time, purpose (by OpenSSL) and then the names: a peer that is not let in is refused in the handshake, with
  /// an alert, before it can send or receive a byte of application data.
  static int verify(X509_STORE_CTX* store_context, void* context);

  /// RFC 7301: the server's preference decides; no overlap is a fatal alert, no_application_protocol.
  static int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                         unsigned in_length, void* context);

  /// The key for a ticket that is issued (`encrypt` 1) or was presented (0).
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        int encrypt);

  /// A presented ticket was genuine: is its holder still authorised?
  static SSL_TICKET_RETURN ticket_decrypted(SSL* ssl, SSL_SESSION* session, const unsigned char* key_name,
                                            std::size_t key_name_length, SSL_TICKET_STATUS status, void* context);

  /// Counts what a peer sends after the handshake that is no data; when it is too much the session gets no more input.
  static void progress(const SSL* ssl, int where, int result);

  static int new_session(SSL* ssl, SSL_SESSION* session);

  /// The certificate that the session was authorised with is valid now, and the policy lets its names in.
  static bool still_authorised(const Context& context, const SSL_SESSION* session);

  // The session's BIO: bytes are taken from, and collected in, what the session was given.
  static int bio_read(BIO* bio, char* into, std::size_t most, std::size_t* got);
  static int bio_write(BIO* bio, const char* from, std::size_t count, std::size_t* put);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  static BIO_METHOD* bio_method();
};

}  // namespace cipherway::tls
