#include "tls/session.h"

#include "tls/first_bytes.h"
#include "tls/session_callbacks.h"
#include "tls/ticket_keys.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>

namespace cipherway::tls {

namespace {

/// What is left in the library's queue from before must not be taken for what comes next. Looking is cheaper than
/// clearing, and there is hardly ever anything.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

void Output::append(BytesView bytes) {
  if (size_ + bytes.size() > bytes_.size())
    bytes_.resize(std::max(bytes_.size() * 2, size_ + bytes.size() + 16 * 1024));
  std::memcpy(bytes_.data() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

Result<std::unique_ptr<Session>> Session::make(std::shared_ptr<Context> context, Resumable& owner, std::string target) {
  std::unique_ptr<Session> session(new Session(std::move(context), owner, std::move(target)));
  if (!session->ssl_) return crypto::fail_openssl("make a TLS session");
  return session;
}

Session::Session(std::shared_ptr<Context> context, Resumable& owner, std::string target)
    : context_(std::move(context)), owner_(owner), target_(std::move(target)), ssl_(SSL_new(context_->get())) {
  SSL* ssl = ssl_.get();
  if (ssl == nullptr) return;
  BIO* bio = BIO_new(SessionCallbacks::bio_method());
  BIO_set_data(bio, &wire_);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, this);
  SSL_set_max_send_fragment(ssl, kFewRecordBytes);
  SSL_set_split_send_fragment(ssl, kFewRecordBytes);
  const Settings& settings = context_->settings();
  if (settings.shown) SSL_set_mode(ssl, SSL_MODE_ASYNC);
  if (settings.role == Role::Server) {
    SSL_set_accept_state(ssl);
    // "If the server has no fresh key, it issues no ticket": an empty one would be malformed in TLS 1.3.
    if (context_->tickets()->fresh() == nullptr) {
      SSL_set_num_tickets(ssl, 0);
      SSL_set_options(ssl, SSL_OP_NO_TICKET);
    }
    return;
  }
  SSL_set_connect_state(ssl);
  if (!settings.server_name.empty()) {
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(settings.server_name.c_str()));
  }
  if (SslSessionHandle remembered = context_->recall(target_)) SSL_set_session(ssl, remembered.get());
}

Session::~Session() {
  if (parked_) broken("a TLS session was destroyed while its key operation is pending");
}

Session::Step Session::handshake(Output& output) {
  wire_.out = &output;
  forget_errors();
  if (spares_ticket_ && resumed()) SSL_set_num_tickets(ssl_.get(), 1);
  keyholder::Client::Waiting waiting(context_->keys().client(), *this);
  int done = SSL_do_handshake(ssl_.get());
  int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
  parked_ = error == SSL_ERROR_WANT_ASYNC;
  if (parked_) return Step::NeedsKey;
  if (error == SSL_ERROR_WANT_READ) return Step::NeedsInput;
  if (error == SSL_ERROR_NONE) {
    SSL_clear_mode(ssl_.get(), SSL_MODE_ASYNC);
    return Step::Done;
  }
  refuse();
  return Step::Failed;
}

// The library wipes what it frees (set_up_library). In the middle of a record the buffers are needed, which libraries
// before 3.0.14 do not notice (CVE-2024-4741).
void Session::rest() {
  if (parked_) return;
  bool between_records = SSL_has_pending(ssl_.get()) == 0 && std::strcmp(SSL_rstate_string(ssl_.get()), "RH") == 0;
  if (between_records) SSL_free_buffers(ssl_.get());
}

void Session::refuse() {
  refusal_ = refusal_from_queue(static_cast<int>(SSL_get_verify_result(ssl_.get())));
  if (!policy_detail_.empty() && (refusal_.reason == Reason::NameNotAllowed || refusal_.reason == Reason::NoSharedAlpn))
    refusal_.detail = policy_detail_;
  if (key_failed_) refusal_ = {Reason::KeyUnavailable, "the keyholder did not sign"};
}

void Session::abandon() {
  if (!parked_) return;
  key_failed_ = true;
  context_->keys().client().abandon(*this);
  owner_.key_operation_done();
}

Session::Read Session::read(std::span<std::uint8_t> plain, Output& output) {
  if (read_ended_) return {*read_ended_};
  wire_.out = &output;
  forget_errors();
  std::size_t filled = 0;
  while (filled < plain.size()) {
    std::size_t got = 0;
    if (SSL_read_ex(ssl_.get(), plain.data() + filled, plain.size() - filled, &got) == 1) {
      filled += got;
      if (wire_.in.empty() && SSL_has_pending(ssl_.get()) == 0) break;  // the next call could only say so
      continue;
    }
    int error = SSL_get_error(ssl_.get(), 0);
    if (messages_ > kMostMessages) {
      read_ended_ = ReadStep::Failed;
      refusal_ = {Reason::ProtocolError, "too many KeyUpdates or NewSessionTickets without data"};
    } else if (error != SSL_ERROR_WANT_READ) {
      read_ended_ = error == SSL_ERROR_ZERO_RETURN ? ReadStep::Closed : ReadStep::Failed;
      if (read_ended_ == ReadStep::Failed) refuse();
    }
    break;
  }
  if (filled == 0) return {read_ended_.value_or(ReadStep::NeedsInput)};
  messages_ = 0;
  return {ReadStep::Data, filled};
}

/// The library takes a buffer for the largest record that may be written: a small one for little data. One that it has
/// already it would go on using, whatever the size, unless it is told to set its buffers up.
bool Session::write_records_of(std::size_t most) {
  SSL_set_max_send_fragment(ssl_.get(), most);
  SSL_set_split_send_fragment(ssl_.get(), most);
  record_bytes_ = most;
  return SSL_alloc_buffers(ssl_.get()) == 1;
}

bool Session::write(BytesView plain, Output& output) {
  wire_.out = &output;
  forget_errors();
  records_ += plain.size() / SSL3_RT_MAX_PLAIN_LENGTH + 1;
  if (records_ > kRecordsOfAKey) {
    records_ = 0;
    if (SSL_version(ssl_.get()) == TLS1_3_VERSION) SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
  }
  std::size_t record = plain.size() <= kFewRecordBytes ? kFewRecordBytes : kMostRecordBytes;
  if (record != record_bytes_ && !write_records_of(record)) {
    refuse();
    return false;
  }
  while (!plain.empty()) {
    std::size_t put = 0;
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &put) != 1) {
      refuse();
      return false;
    }
    plain = plain.subspan(put);
  }
  return true;
}

void Session::close(Output& output) {
  if (close_sent_) return;
  close_sent_ = true;
  wire_.out = &output;
  forget_errors();
  SSL_shutdown(ssl_.get());
}

void Session::spare_ticket() {
  spares_ticket_ = SSL_get_num_tickets(ssl_.get()) > 0;
  SSL_set_num_tickets(ssl_.get(), 0);
}

bool Session::last_step_left_a_ticket() const {
  return SSL_is_server(ssl_.get()) == 1 && SSL_version(ssl_.get()) == TLS1_3_VERSION;
}

bool Session::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

Negotiated Session::negotiated() const {
  SSL* ssl = ssl_.get();
  Negotiated facts;
  facts.protocol = SSL_get_version(ssl);
  facts.cipher = SSL_get_cipher_name(ssl);
  if (const char* group = SSL_group_to_name(ssl, static_cast<int>(SSL_get_negotiated_group(ssl)))) facts.group = group;
  facts.server_name = server_name();
  const unsigned char* alpn = nullptr;
  unsigned alpn_length = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
  facts.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_length);
  facts.resumed = resumed();
  if (context_->settings().peer) facts.peer_names = presented_names();
  return facts;
}

std::string Session::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : "";
}

std::string Session::peer_common_name() const {
  constexpr int kMostBytes = 256;  // ub-common-name is 64 characters (RFC 5280, appendix A.1)
  crypto::CertificateHandle peer(SSL_get1_peer_certificate(ssl_.get()));
  if (!peer) return {};
  const X509_NAME* subject = X509_get_subject_name(peer.get());
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(std::min(size, kMostBytes)));
  OPENSSL_free(text);
  return name;
}

std::optional<identity::Certificate> Session::presented() const {
  crypto::CertificateHandle peer(SSL_get1_peer_certificate(ssl_.get()));
  if (!peer) return refused_;
  return identity::Certificate(std::move(peer));
}

std::vector<identity::Name> Session::presented_names() const {
  auto certificate = presented();
  return certificate ? certificate->names() : std::vector<identity::Name>();
}

std::string Session::presented_pin() const {
  auto certificate = presented();
  return certificate ? certificate->pin().to_string() : std::string();
}

}  // namespace cipherway::tls
