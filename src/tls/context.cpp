#include "tls/context.h"

#include "crypto/kdf.h"
#include "tls/session_callbacks.h"
#include "tls/ticket_keys.h"
#include "tls/wiping_memory.h"

#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace cipherway::tls {

void ReleasesTls::operator()(ssl_ctx_st* context) const noexcept {
  SSL_CTX_free(context);
}
void ReleasesTls::operator()(ssl_st* ssl) const noexcept {
  SSL_free(ssl);
}
void ReleasesTls::operator()(ssl_session_st* session) const noexcept {
  SSL_SESSION_free(session);
}

namespace {

// AES-128 first: its HKDF runs over SHA-256, which makes a handshake cheaper than SHA-384, and 128 bits are enough.
constexpr const char* kTls13Suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// TLS 1.2, where it is asked for: ephemeral key agreement and AEAD only (RFC 9325, section 4.2).
constexpr const char* kTls12Suites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// Hybrid first where the library has it: recorded traffic is what a future quantum computer would be used on.
constexpr const char* kHybridGroups = "X25519MLKEM768:X25519:P-256";
constexpr const char* kGroups = "X25519:P-256";
// PKCS#1 is there for signatures inside certificates; the keyholder makes none, and TLS 1.3 allows none in a handshake.
constexpr const char* kSignatures =
    "ecdsa_secp256r1_sha256:ed25519:ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
    "rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";
constexpr long kMostCertificateBytes = 64 * 1024;
constexpr std::size_t kMostSessionsPerTarget = 8;

/// Asked once: libraries before 3.5 do not know the hybrid group and refuse the whole list.
const char* groups(SSL_CTX* context) {
  static const bool hybrid = [&] {
    bool known = SSL_CTX_set1_groups_list(context, kHybridGroups) == 1;
    ERR_clear_error();
    return known;
  }();
  return hybrid ? kHybridGroups : kGroups;
}

void add_field(Bytes& to, BytesView field) {
  ByteWriter writer(to);
  writer.u32(static_cast<std::uint32_t>(field.size()));
  writer.bytes(field);
}

/// RFC 7301: each protocol with its length before it.
Bytes alpn_wire(const std::vector<std::string>& protocols) {
  Bytes wire;
  for (const std::string& protocol : protocols) {
    wire.push_back(static_cast<std::uint8_t>(protocol.size()));
    wire.insert(wire.end(), protocol.begin(), protocol.end());
  }
  return wire;
}

/// What a session was authorised under. OpenSSL resumes a session only in the context with the same identifier, so a
/// change of trust, policy, scope or shown certificate's key makes every older ticket decide nothing.
Bytes session_scope(const Settings& settings) {
  Bytes all;
  add_field(all, as_bytes(settings.scope));
  if (settings.shown) add_field(all, as_bytes(settings.shown->identity));
  if (settings.peer) {
    for (const auto& pattern : settings.peer->policy.allowed()) add_field(all, as_bytes(pattern.text()));
    for (const auto& trusted : settings.peer->trust.certificates()) add_field(all, as_bytes(trusted.fingerprint()));
  }
  return crypto::sha256(all);
}

}  // namespace

Result<void> set_up_library() {
  if (!wipe_freed_memory())
    return fail(ErrorKind::Crypto, "OpenSSL was in use before its memory could be wiped when it is freed");
  constexpr std::uint64_t kWhat =
      OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_LOAD_CONFIG;
  if (OPENSSL_init_ssl(kWhat, nullptr) != 1 || ASYNC_init_thread(0, 0) != 1)
    return crypto::fail_openssl("set up the TLS library");
  return {};
}

Result<std::shared_ptr<Context>> Context::make(Settings settings, Keys& keys) {
  if (settings.role == Role::Server && !settings.shown) broken("a TLS server without an identity");
  if (settings.role == Role::Client && !settings.peer) broken("a TLS client that believes anybody");
  std::shared_ptr<Context> context(new Context(std::move(settings), keys));
  TRY(context->set_up());
  return context;
}

Result<void> Context::set_up() {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(settings_.role == Role::Server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* context = context_.get();
  if (context == nullptr) return crypto::fail_openssl("make a TLS context");
  SSL_CTX_set_app_data(context, this);

  int minimum = settings_.minimum_version == Version::Tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  const char* chosen_groups = groups(context);
  SSL_CTX_set_security_level(context, 2);
  if (SSL_CTX_set_min_proto_version(context, minimum) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, kTls13Suites) != 1 || SSL_CTX_set_cipher_list(context, kTls12Suites) != 1 ||
      SSL_CTX_set1_groups_list(context, chosen_groups) != 1 || SSL_CTX_set1_sigalgs_list(context, kSignatures) != 1)
    return crypto::fail_openssl("set the protocol versions, ciphers and groups");
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  // The chain that is shown is the one that the identity's file has: nobody builds another one for each handshake. A
  // session returns its buffers when it is told to (Session::rest) and not, with SSL_MODE_RELEASE_BUFFERS, each record.
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_quiet_shutdown(context, 0);
  SSL_CTX_set_max_cert_list(context, kMostCertificateBytes);
  SSL_CTX_set_max_early_data(context, 0);  // 0-RTT data can be replayed: never
  SSL_CTX_set_recv_max_early_data(context, 0);
  SSL_CTX_set_keylog_callback(context, nullptr);
  SSL_CTX_set_info_callback(context, &SessionCallbacks::progress);

  TRY(set_up_identity());
  TRY(set_up_peer());
  set_up_tickets();

  Bytes alpn = alpn_wire(settings_.alpn);
  if (settings_.role == Role::Client && !alpn.empty() &&
      SSL_CTX_set_alpn_protos(context, alpn.data(), static_cast<unsigned>(alpn.size())) != 0)
    return crypto::fail_openssl("set ALPN");
  if (settings_.role == Role::Server && !alpn.empty())
    SSL_CTX_set_alpn_select_cb(context, &SessionCallbacks::select_alpn, this);
  return {};
}

Result<void> Context::set_up_identity() {
  if (!settings_.shown) return {};
  const auto& [identity, chain] = *settings_.shown;
  std::string doing = "use identity \"" + identity + "\"";
  if (SSL_CTX_use_certificate(context_.get(), chain.leaf().get()) != 1) return crypto::fail_openssl(doing);
  for (std::size_t i = 1; i < chain.certificates.size(); ++i)
    if (SSL_CTX_add1_chain_cert(context_.get(), chain.certificates[i].get()) != 1) return crypto::fail_openssl(doing);
  crypto::KeyHandle public_key = TRY_IN(doing, chain.leaf().public_key());
  crypto::KeyHandle held = TRY_IN(doing, keys_.key_for(identity, public_key));
  if (SSL_CTX_use_PrivateKey(context_.get(), held.get()) != 1) return crypto::fail_openssl(doing);
  return {};
}

Result<void> Context::set_up_peer() {
  SSL_CTX* context = context_.get();
  if (!settings_.peer) return {};
  crypto::StoreHandle store = TRY(settings_.peer->trust.to_store());
  SSL_CTX_set1_verify_cert_store(context, store.get());
  SSL_CTX_set_verify_depth(context, kMostIntermediates);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &SessionCallbacks::verify, this);
  if (settings_.role == Role::Server)
    for (const auto& trusted : settings_.peer->trust.certificates())
      if (SSL_CTX_add_client_CA(context, trusted.get()) != 1)
        return crypto::fail_openssl("name the client authorities");
  return {};
}

void Context::set_up_tickets() {
  SSL_CTX* context = context_.get();
  // Resumption is by ticket alone: no cache to share between processes, nothing to look up.
  SSL_CTX_set_session_cache_mode(context, settings_.role == Role::Client
                                              ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                              : SSL_SESS_CACHE_OFF);
  Bytes scope = session_scope(settings_);
  SSL_CTX_set_session_id_context(context, scope.data(), static_cast<unsigned>(scope.size()));
  SSL_CTX_set_timeout(context, std::chrono::seconds(kTicketEpoch).count());
  if (settings_.role == Role::Client) {
    SSL_CTX_sess_set_new_cb(context, &SessionCallbacks::new_session);
    return;
  }
  tickets_ = keys_.tickets_of(settings_.shown->identity);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &SessionCallbacks::ticket_key);
  SSL_CTX_set_session_ticket_cb(context, nullptr, &SessionCallbacks::ticket_decrypted, this);
}

void Context::remember(const std::string& target, SslSessionHandle session) {
  auto& sessions = sessions_[target];
  if (sessions.size() >= kMostSessionsPerTarget) sessions.erase(sessions.begin());
  sessions.push_back(std::move(session));
}

SslSessionHandle Context::recall(const std::string& target) {
  auto place = sessions_.find(target);
  if (place == sessions_.end()) return nullptr;
  auto& sessions = place->second;
  while (!sessions.empty()) {
    SslSessionHandle session = std::move(sessions.back());
    sessions.pop_back();
    if (SSL_SESSION_is_resumable(session.get()) == 1 && SessionCallbacks::still_authorised(*this, session.get()))
      return session;
  }
  return nullptr;
}

}  // namespace cipherway::tls
