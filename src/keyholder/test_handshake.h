#pragma once

#include "event/event_loop.h"
#include "keyholder/client.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/// For tests: TLS handshakes over memory BIOs with keys of a keyholder.
namespace cipherway::keyholder {

using SslContext = crypto::Handle<SSL_CTX, &SSL_CTX_free>;
using Ssl = crypto::Handle<SSL, &SSL_free>;

inline crypto::CertificateHandle self_signed(const crypto::KeyHandle& key, crypto::KeyType type) {
  crypto::CertificateHandle certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.get());
  const EVP_MD* digest = type == crypto::KeyType::Ed25519 ? nullptr : EVP_sha256();
  EXPECT_GT(X509_sign(certificate.get(), key.get(), digest), 0);
  return certificate;
}

inline int accept_any(int, X509_STORE_CTX*) {
  return 1;
}

/// One end of a connection: parks on WANT_ASYNC and goes on when the signature is there.
class End final : public SignatureWaiter {
 public:
  enum class State { Going, Parked, Done, Failed };

  End(Client& client, SSL_CTX* context, bool server) : client_(client), ssl_(SSL_new(context)) {
    SSL_set_mode(ssl_.get(), SSL_MODE_ASYNC);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  }

  void advance() {
    if (state == State::Done || state == State::Failed || state == State::Parked) return;
    Client::Waiting waiting(client_, *this);
    ERR_clear_error();
    int result = SSL_do_handshake(ssl_.get());
    int error = SSL_get_error(ssl_.get(), result);
    if (result == 1) {
      state = State::Done;
    } else if (error == SSL_ERROR_WANT_ASYNC) {
      ++parked;
      state = State::Parked;
    } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      state = State::Failed;
      reason = crypto::openssl_errors();
    }
  }

  void signature_ready() override {
    ++woken;
    if (state == State::Parked) state = State::Going;
  }

  void give_up() {
    client_.abandon(*this);
    state = State::Going;
    advance();
  }

  void pass_output_to(End& other) {
    char buffer[32768];
    for (int got; (got = BIO_read(SSL_get_wbio(ssl_.get()), buffer, sizeof buffer)) > 0;)
      BIO_write(SSL_get_rbio(other.ssl_.get()), buffer, got);
  }

  SSL* ssl() { return ssl_.get(); }

  State state = State::Going;
  int parked = 0;
  int woken = 0;
  std::string reason;

 private:
  Client& client_;
  Ssl ssl_;
};

inline SslContext context(Client& client, const std::string& identity, const crypto::CertificateHandle& certificate,
                          bool server, int version, const char* signature_algorithms) {
  SslContext made(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX_set_min_proto_version(made.get(), version);
  SSL_CTX_set_max_proto_version(made.get(), version);
  EXPECT_EQ(SSL_CTX_set1_sigalgs_list(made.get(), signature_algorithms), 1);
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, &accept_any);
  crypto::KeyHandle public_key(X509_get_pubkey(certificate.get()));
  auto key = client.key_for(identity, public_key);
  EXPECT_TRUE(key) << key.error().what;
  if (!key) return made;
  EXPECT_EQ(SSL_CTX_use_certificate(made.get(), certificate.get()), 1) << crypto::openssl_errors();
  EXPECT_EQ(SSL_CTX_use_PrivateKey(made.get(), key->get()), 1) << crypto::openssl_errors();
  EXPECT_EQ(SSL_CTX_check_private_key(made.get()), 1) << crypto::openssl_errors();
  return made;
}

inline void shake(event::EventLoop& loop, End& a, End& b, int turns = 60) {
  auto settled = [](const End& end) { return end.state == End::State::Done || end.state == End::State::Failed; };
  for (int i = 0; i < turns && !(settled(a) && settled(b)); ++i) {
    a.advance();
    a.pass_output_to(b);
    b.advance();
    b.pass_output_to(a);
    loop.turn(std::chrono::milliseconds(1));
  }
}

}  // namespace cipherway::keyholder
