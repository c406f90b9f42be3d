#include "tls/session_callbacks.h"

#include "crypto/kdf.h"
#include "tls/client_hello.h"
#include "tls/session.h"
#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/x509_vfy.h>

#include <cstring>

namespace cipherway::tls {

namespace {

std::string joined(const std::vector<identity::Name>& names) {
  std::string text;
  for (const auto& name : names) {
    if (!text.empty()) text += ", ";
    text += name.text;
  }
  return text.empty() ? "no names" : text;
}

std::string joined(const std::vector<identity::NamePattern>& patterns) {
  std::string text;
  for (const auto& pattern : patterns) {
    if (!text.empty()) text += ", ";
    text += pattern.text();
  }
  return text;
}

Session& session_of(const SSL* ssl) {
  return *static_cast<Session*>(SSL_get_app_data(ssl));
}

identity::Certificate shared_certificate(X509* x509) {
  X509_up_ref(x509);
  return identity::Certificate(crypto::CertificateHandle(x509));
}

}  // namespace

int SessionCallbacks::verify(X509_STORE_CTX* store_context, void* argument) {
  const auto& context = *static_cast<const Context*>(argument);
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  bool genuine = X509_verify_cert(store_context) == 1;
  identity::Certificate leaf = shared_certificate(X509_STORE_CTX_get0_cert(store_context));
  const auto& policy = context.settings().peer->policy;
  if (genuine && admits(policy, leaf)) return 1;
  Session& session = session_of(ssl);
  session.refused_ = std::move(leaf);
  if (!genuine) return 0;
  session.policy_detail_ = "presented " + joined(session.refused_->names()) + " with the key " +
                           session.refused_->pin().to_string() + "; accepted are " + joined(policy.allowed());
  X509_STORE_CTX_set_error(store_context, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

int SessionCallbacks::select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                                  const unsigned char* in, unsigned in_length, void* argument) {
  const auto& context = *static_cast<const Context*>(argument);
  for (const std::string& wanted : context.settings().alpn) {
    for (unsigned at = 0; at < in_length && at + 1 + in[at] <= in_length; at += 1u + in[at]) {
      if (as_text({in + at + 1, in[at]}) != wanted) continue;
      *out = in + at + 1;
      *out_length = in[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  std::string accepted;
  for (const std::string& wanted : context.settings().alpn) accepted += " " + wanted;
  session_of(ssl).policy_detail_ =
      "the client offers " + ProtocolNames({in, in_length}).to_string() + "; accepted are" + accepted;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

namespace {

/// Looked up once: by its old name it would be for every ticket.
const EVP_CIPHER* ticket_cipher() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  return cipher;
}

}  // namespace

int SessionCallbacks::ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                                 EVP_MAC_CTX* mac, int encrypt) {
  const TicketKeys& keys = *static_cast<Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->tickets();
  const TicketKey* key = encrypt == 1 ? keys.fresh() : keys.named({name, TicketKey::kNameBytes});
  if (key == nullptr) return 0;
  if (encrypt == 1) {
    std::memcpy(name, key->name().data(), TicketKey::kNameBytes);
    crypto::random_bytes({iv, 16});
  }
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key->mac_key().data()),
                                        TicketKey::kKeyBytes),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
      OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, params) != 1 ||
      EVP_CipherInit_ex2(cipher, ticket_cipher(), key->cipher_key().data(), iv, encrypt, nullptr) != 1)
    return -1;
  bool renew = encrypt == 0 && key != keys.fresh();
  return renew ? 2 : 1;
}

bool SessionCallbacks::still_authorised(const Context& context, const SSL_SESSION* session) {
  if (!context.settings().peer) return true;
  X509* peer = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
  if (peer == nullptr) return false;
  identity::Certificate certificate = shared_certificate(peer);
  auto now = WallClock::now();
  return certificate.not_before() <= now && now < certificate.not_after() &&
         admits(context.settings().peer->policy, certificate);
}

SSL_TICKET_RETURN SessionCallbacks::ticket_decrypted(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t,
                                                     SSL_TICKET_STATUS status, void* argument) {
  bool genuine = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!genuine) return SSL_TICKET_RETURN_IGNORE_RENEW;
  if (!still_authorised(*static_cast<const Context*>(argument), session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return SSL_TICKET_RETURN_USE_RENEW;
}

void SessionCallbacks::progress(const SSL* ssl, int where, int) {
  if ((where & SSL_CB_LOOP) == 0) return;
  OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);
  if (state != TLS_ST_SR_KEY_UPDATE && state != TLS_ST_CR_KEY_UPDATE && state != TLS_ST_CR_SESSION_TICKET) return;
  Session& session = session_of(ssl);
  if (++session.messages_ > Session::kMostMessages) session.wire_.in = {};
}

int SessionCallbacks::new_session(SSL* ssl, SSL_SESSION* session) {
  auto& context = *static_cast<Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (session_of(ssl).target_.empty()) return 0;  // nobody will resume it
  context.remember(session_of(ssl).target_, SslSessionHandle(session));
  return 1;  // the reference is ours now
}

int SessionCallbacks::bio_read(BIO* bio, char* into, std::size_t most, std::size_t* got) {
  auto& wire = *static_cast<Session::Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire.in.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::size_t count = std::min(most, wire.in.size());
  std::memcpy(into, wire.in.data(), count);
  wire.in = wire.in.subspan(count);
  *got = count;
  return 1;
}

int SessionCallbacks::bio_write(BIO* bio, const char* from, std::size_t count, std::size_t* put) {
  auto& wire = *static_cast<Session::Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  wire.out->append({reinterpret_cast<const std::uint8_t*>(from), count});
  *put = count;
  return 1;
}

long SessionCallbacks::bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* SessionCallbacks::bio_method() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cipherway session");
    BIO_meth_set_read_ex(made, &SessionCallbacks::bio_read);
    BIO_meth_set_write_ex(made, &SessionCallbacks::bio_write);
    BIO_meth_set_ctrl(made, &SessionCallbacks::bio_control);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return made;
  }();
  return method;
}

}  // namespace cipherway::tls
