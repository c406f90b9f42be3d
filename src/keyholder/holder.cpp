#include "keyholder/holder.h"

#include "base/log.h"
#include "crypto/kdf.h"
#include "crypto/signature.h"
#include "keyholder/secret_arena.h"
#include "keyholder/statement.h"
#include "keyholder/ticket_epoch.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace cipherway::keyholder {

struct Holder::Identity {
  explicit Identity(const crypto::KeyHandle& key) : signer(key.get()) {}

  crypto::Signer signer;
  crypto::KeyType type = crypto::KeyType::P256;
  std::array<std::uint8_t, 32> public_key_sha256{};
  std::uint64_t signatures = 0;
  std::uint64_t refused = 0;
};

/// One socket and what may be asked on it.
struct Holder::Peer {
  From from = From::Gateway;
  pid_t pid = 0;
  uid_t uid = 0;
  Role role = Role::Gateway;
  bool tls12 = false;
  std::map<std::string, Identity*, std::less<>> identities;
  std::set<std::string, std::less<>> services;
  std::uint64_t signatures = 0;
  std::uint64_t refused = 0;
  std::unique_ptr<event::FrameSocket> socket;

  void done(std::uint32_t id, BytesView payload = {}) {
    socket->send(static_cast<std::uint8_t>(Reply::Done), id, payload);
  }
};

// Who may ask what, and when. Everything else ends the peer.
const Holder::Rule Holder::kRules[] = {
    // request, from, phase, most bytes, descriptor, handler, purpose
    {Request::LoadIdentity, From::Supervisor, Phase::Loading, 8 * 1024, false, &Holder::load_identity,
     "read a key file and keep the key, if it belongs to the given public key"},
    {Request::Seal, From::Supervisor, Phase::Loading, 9, false, &Holder::seal,
     "drop privileges, switch the sandbox on, start to serve; no way back"},
    {Request::Admit, From::Supervisor, Phase::Serving, event::FrameSocket::kMostPayload, true, &Holder::admit,
     "serve one more peer, for the listed identities and ticket services"},
    {Request::Status, From::Supervisor, Phase::Serving, 0, false, &Holder::report_status,
     "say which keys are held and who uses them"},
    {Request::Sign, From::Gateway, Phase::Serving, kMostStatementBytes + kMostNameBytes + 6, false,
     &Holder::sign_statement, "sign a TLS handshake statement"},
    {Request::TicketKey, From::Gateway, Phase::Serving, kMostNameBytes + 10, false, &Holder::derive_ticket_key,
     "derive the key of a ticket epoch that is near"},
};

std::string Holder::rules_as_markdown() {
  std::string out =
      "| request | from | phase | most bytes | descriptor | what it does |\n| --- | --- | --- | --- | --- | --- |\n";
  for (const Rule& rule : kRules) {
    out += "| " + std::string(to_string(rule.request));
    out += rule.from == From::Supervisor ? " | supervisor" : " | gateway";
    out += rule.phase == Phase::Loading ? " | loading" : " | serving";
    out += " | " + std::to_string(rule.most_bytes);
    out += rule.with_descriptor ? " | one" : " | none";
    out += " | " + std::string(rule.purpose) + " |\n";
  }
  return out;
}

const Holder::Rule* Holder::rule_for(std::uint8_t type, From from) {
  for (const Rule& rule : kRules)
    if (static_cast<std::uint8_t>(rule.request) == type && rule.from == from) return &rule;
  return nullptr;
}

Holder::Holder(event::EventLoop& loop, Fd supervisor, Surroundings surroundings)
    : loop_(loop), surroundings_(std::move(surroundings)), ticket_root_(32) {
  crypto::random_bytes({ticket_root_.data(), ticket_root_.size()});
  supervisor_ = make_peer(From::Supervisor, std::move(supervisor));
}

Holder::~Holder() = default;

std::unique_ptr<Holder::Peer> Holder::make_peer(From from, Fd socket) {
  auto peer = std::make_unique<Peer>();
  Peer* p = peer.get();
  p->from = from;
  p->socket = std::make_unique<event::FrameSocket>(
      loop_, std::move(socket),
      event::FrameSocket::Callbacks{.most_payload = [this, p](std::uint8_t type) { return most_payload(*p, type); },
                                    .received = [this, p](event::Frame frame) { received(*p, std::move(frame)); },
                                    .closed = [this, p](Error error) { drop(*p, error); }});
  return peer;
}

Result<std::size_t> Holder::most_payload(const Peer& peer, std::uint8_t type) const {
  if (ended_) return fail(ErrorKind::Closed, "this keyholder has ended");
  const Rule* rule = rule_for(type, peer.from);
  if (rule == nullptr)
    return fail(ErrorKind::Protocol, "request " + std::to_string(type) + " is not in the table for this peer");
  if (rule->phase != phase_)
    return fail(ErrorKind::Protocol, std::string(to_string(rule->request)) + " is not allowed in this phase");
  return rule->most_bytes;
}

void Holder::received(Peer& peer, event::Frame frame) {
  const Rule* rule = rule_for(frame.type, peer.from);
  // The phase may have changed since the frame's length was allowed.
  if (rule == nullptr || rule->phase != phase_)
    return drop(peer, Error{ErrorKind::Protocol, "a request outside the table"});
  if (rule->with_descriptor != static_cast<bool>(frame.descriptor))
    return drop(peer, Error{ErrorKind::Protocol,
                            std::string(to_string(rule->request)) +
                                (rule->with_descriptor ? " without its descriptor" : " with a descriptor")});
  std::uint32_t id = frame.id;
  Outcome outcome = (this->*rule->handler)(peer, frame);
  if (outcome) return;
  const Refused& refused = outcome.error();
  ++peer.refused;
  log::warn("keyholder.refused", {{"request", to_string(rule->request)},
                                  {"peer_pid", peer.pid},
                                  {"reason", refused.error},
                                  {"peer_ended", refused.ends_peer}});
  peer.socket->send(static_cast<std::uint8_t>(Reply::Refused), id, Refusal::encode(refused.error));
  if (!refused.ends_peer) return;
  peer.socket->flush();
  drop(peer, refused.error);
}

void Holder::drop(Peer& peer, const Error& why) {
  Error reason = why;  // may live in the peer's own socket
  if (peer.from == From::Supervisor) return end(std::move(reason));
  bool left = reason.kind == ErrorKind::Closed;
  if (!left) ++peers_dropped_;
  log::event(left ? log::Level::Info : log::Level::Warn, left ? "keyholder.peer-left" : "keyholder.peer-dropped",
             {{"peer_pid", peer.pid}, {"role", to_string(peer.role)}, {"reason", reason}});
  peers_.erase(&peer);
}

void Holder::end(Error why) {
  if (std::exchange(ended_, true)) return;
  peers_.clear();
  surroundings_.ended(std::move(why));
}

namespace {

/// Errors of a handler that leave the peer alone, and those that end it.
template <class R>
std::unexpected<R> refuse(Error error) {
  return std::unexpected(R{std::move(error), false});
}
template <class R>
std::unexpected<R> refuse_and_end(Error error) {
  return std::unexpected(R{std::move(error), true});
}

struct Loaded {
  crypto::KeyHandle key;
  crypto::KeyType type;
};

constexpr int kLeastRsaBits = 2048;

/// The key in `pem`, after it has proved to be the private half of `expected`.
Result<Loaded> load_key(const SecretBytes& pem, const std::string& path, BytesView expected) {
  crypto::KeyHandle public_key = TRY_IN("the certificate's public key", crypto::public_key_from_der(expected));
  crypto::KeyHandle key = TRY_IN("key file " + path, crypto::private_key_from(pem));
  crypto::KeyType type = TRY_IN("key file " + path, crypto::type_of(key.get()));
  if (type == crypto::KeyType::Rsa && EVP_PKEY_get_bits(key.get()) < kLeastRsaBits)
    return fail(ErrorKind::Invalid, "key file " + path + ": an RSA key of less than 2048 bits");
  if (EVP_PKEY_eq(key.get(), public_key.get()) != 1) {
    crypto::openssl_errors();
    return fail(ErrorKind::Invalid, "key file " + path + " is not the private key of the certificate");
  }
  // A key file may carry a public half that is not the private one's, so equality alone proves nothing.
  crypto::SignatureScheme scheme = type == crypto::KeyType::P256      ? crypto::SignatureScheme::EcdsaP256Sha256
                                   : type == crypto::KeyType::P384    ? crypto::SignatureScheme::EcdsaP384Sha384
                                   : type == crypto::KeyType::Ed25519 ? crypto::SignatureScheme::Ed25519
                                                                      : crypto::SignatureScheme::RsaPssSha256;
  BytesView probe = as_bytes("cipherway: does this key sign for its certificate?");
  Bytes signature = TRY_IN("key file " + path, crypto::sign(key.get(), scheme, probe));
  if (!crypto::verify(public_key.get(), scheme, probe, signature))
    return fail(ErrorKind::Invalid, "key file " + path + " is not the private key of the certificate");
  return Loaded{std::move(key), type};
}

}  // namespace

Holder::Outcome Holder::load_identity(Peer& from, event::Frame& frame) {
  auto message = LoadIdentity::decode(frame.payload);
  if (!message) return refuse_and_end<Refused>(std::move(message).error());
  if (identities_.size() >= kMostIdentities)
    return refuse<Refused>({ErrorKind::Limit, "a keyholder holds at most 256 identities"});
  std::string doing = "load identity \"" + message->name + "\"";
  if (identities_.contains(message->name))
    return refuse<Refused>({ErrorKind::Invalid, doing + ": it is loaded already"});
  auto pem = surroundings_.read_key_file(message->key_path);
  if (!pem) return refuse<Refused>(std::move(pem).error().in(doing));
  auto loaded = load_key(*pem, message->key_path, message->public_key);
  forget_registers();
  if (!loaded) return refuse<Refused>(std::move(loaded).error().in(doing));

  auto identity = std::make_unique<Identity>(loaded->key);
  identity->type = loaded->type;
  Bytes digest = crypto::sha256(message->public_key);
  std::copy(digest.begin(), digest.end(), identity->public_key_sha256.begin());
  log::info("keyholder.identity-loaded", {{"identity", message->name}, {"key", to_string(identity->type)}});
  identities_.emplace(std::move(message->name), std::move(identity));
  from.done(frame.id);
  return {};
}

Holder::Outcome Holder::seal(Peer& from, event::Frame& frame) {
  auto message = Seal::decode(frame.payload);
  if (!message) return refuse_and_end<Refused>(std::move(message).error());
  auto sandbox = surroundings_.seal(*message);
  if (!sandbox) return refuse_and_end<Refused>(std::move(sandbox).error().in("seal"));
  sandbox_ = *sandbox;
  phase_ = Phase::Serving;
  log::info("keyholder.sealed", {{"identities", identities_.size()},
                                 {"uid", ::geteuid()},
                                 {"syscalls_restricted", sandbox_.syscalls_restricted},
                                 {"landlock", sandbox_.landlock_version},
                                 {"memory_locked", SecretBytes::memory_was_locked()}});
  from.done(frame.id);
  return {};
}

Holder::Outcome Holder::admit(Peer& from, event::Frame& frame) {
  auto message = Admit::decode(frame.payload);
  if (!message) return refuse_and_end<Refused>(std::move(message).error());
  ucred maker{};
  socklen_t length = sizeof maker;
  if (::getsockopt(frame.descriptor.get(), SOL_SOCKET, SO_PEERCRED, &maker, &length) != 0)
    return refuse<Refused>({ErrorKind::Invalid, "admit: the descriptor is not a UNIX socket"});
  // A socket pair carries the credentials of the process that made it: nobody else can be announced under its name.
  if (maker.pid != message->pid || maker.uid != message->uid)
    return refuse<Refused>({ErrorKind::Denied, "admit: announced as pid " + std::to_string(message->pid) + " uid " +
                                                   std::to_string(message->uid) + ", but the socket is of pid " +
                                                   std::to_string(maker.pid) + " uid " + std::to_string(maker.uid)});
  int type = 0;
  length = sizeof type;
  if (::getsockopt(frame.descriptor.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM)
    return refuse<Refused>({ErrorKind::Invalid, "admit: the descriptor is not a stream socket"});
  if (message->role != Role::Gateway)
    return refuse<Refused>({ErrorKind::Invalid, "admit: no requests are defined for this role"});
  if (peers_.size() >= kMostPeers) return refuse<Refused>({ErrorKind::Limit, "admit: too many peers"});

  std::map<std::string, Identity*, std::less<>> identities;
  for (std::string& name : message->identities) {
    auto found = identities_.find(name);
    if (found == identities_.end())
      return refuse<Refused>({ErrorKind::NotFound, "admit: identity \"" + name + "\" is not loaded"});
    identities.emplace(std::move(name), found->second.get());
  }
  std::set<std::string, std::less<>> services;
  for (const auto& [key, peer] : peers_) services.insert(peer->services.begin(), peer->services.end());
  services.insert(message->services.begin(), message->services.end());
  if (services.size() > kMostServices) return refuse<Refused>({ErrorKind::Limit, "admit: too many ticket services"});

  std::unique_ptr<Peer> peer = make_peer(From::Gateway, std::move(frame.descriptor));
  peer->pid = message->pid;
  peer->uid = message->uid;
  peer->role = message->role;
  peer->tls12 = message->tls12;
  peer->identities = std::move(identities);
  peer->services.insert(message->services.begin(), message->services.end());
  log::info("keyholder.peer-admitted", {{"peer_pid", peer->pid},
                                        {"peer_uid", peer->uid},
                                        {"role", to_string(peer->role)},
                                        {"identities", peer->identities.size()},
                                        {"services", peer->services.size()}});
  const Peer* key = peer.get();
  peers_.emplace(key, std::move(peer));
  from.done(frame.id);
  return {};
}

Holder::Outcome Holder::report_status(Peer& from, event::Frame& frame) {
  from.done(frame.id, status().encode());
  return {};
}

Status Holder::status() const {
  Status status;
  status.pid = ::getpid();
  status.uid = ::geteuid();
  status.sealed = phase_ == Phase::Serving;
  status.memory_locked = SecretBytes::memory_was_locked();
  status.memory_secret = SecretBytes::memory_was_secret();
  status.syscalls_restricted = sandbox_.syscalls_restricted;
  status.landlock_version = sandbox_.landlock_version;
  status.peers_dropped = peers_dropped_;
  for (const auto& [name, identity] : identities_)
    status.identities.push_back(
        {name, identity->type, identity->public_key_sha256, identity->signatures, identity->refused});
  std::set<std::string> services;
  for (const auto& [key, peer] : peers_) {
    status.peers.push_back({peer->pid, peer->uid, peer->role, peer->signatures, peer->refused});
    services.insert(peer->services.begin(), peer->services.end());
  }
  status.services.assign(services.begin(), services.end());
  return status;
}

Holder::Outcome Holder::sign_statement(Peer& from, event::Frame& frame) {
  auto message = Sign::decode(frame.payload);
  if (!message) return refuse_and_end<Refused>(std::move(message).error());
  auto found = from.identities.find(message->identity);
  if (found == from.identities.end())
    return refuse_and_end<Refused>(
        {ErrorKind::Denied, "this peer may not use identity \"" + std::string(message->identity) + "\""});
  Identity& identity = *found->second;
  auto refused = [&](Error error) {
    ++identity.refused;
    return refuse_and_end<Refused>(std::move(error).in("identity \"" + std::string(message->identity) + "\""));
  };
  auto kind = recognise(message->statement);
  if (!kind) return refused(std::move(kind).error());
  if (is_tls12(*kind) && !from.tls12)
    return refused({ErrorKind::Denied, "a statement of TLS 1.2 from a peer that may not use it"});
  auto scheme = crypto::scheme_from(message->scheme);
  if (!scheme) return refused(std::move(scheme).error());
  if (!crypto::fits(*scheme, identity.type))
    return refused({ErrorKind::Denied, "the signature scheme is not one of the key's"});

  auto signature = identity.signer.sign(*scheme, message->statement);
  forget_registers();
  if (!signature) return refuse<Refused>(std::move(signature).error());
  ++identity.signatures;
  ++from.signatures;
  from.done(frame.id, *signature);
  return {};
}

Holder::Outcome Holder::derive_ticket_key(Peer& from, event::Frame& frame) {
  auto message = TicketKey::decode(frame.payload);
  if (!message) return refuse_and_end<Refused>(std::move(message).error());
  if (!from.services.contains(message->service))
    return refuse_and_end<Refused>(
        {ErrorKind::Denied, "this peer may not have ticket keys of \"" + std::string(message->service) + "\""});
  // A worker that slept over an hour boundary is not an attacker: refused, and may ask again.
  std::uint64_t now = ticket_epoch_at(surroundings_.now());
  if (message->epoch + 1 < now || message->epoch > now + 1)
    return refuse<Refused>({ErrorKind::Denied, "ticket epoch " + std::to_string(message->epoch) +
                                                   " is not near the current one, " + std::to_string(now)});
  Bytes info;
  ByteWriter writer(info);
  writer.bytes(as_bytes("cipherway ticket"));
  writer.u8(0);
  writer.text16(message->service);
  writer.u64(message->epoch);
  auto key = crypto::hkdf_sha256(ticket_root_, {}, info, kTicketKeyBytes);
  forget_registers();
  if (!key) return refuse<Refused>(std::move(key).error());
  from.done(frame.id, key->view());
  return {};
}

}  // namespace cipherway::keyholder
