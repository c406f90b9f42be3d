#include "keyholder/protocol.h"

#include "event/frame_socket.h"

#include <algorithm>

namespace cipherway::keyholder {

static_assert(kMostIdentities * (2 + kMostNameBytes + 1 + 32 + 16) + kMostServices * (2 + kMostNameBytes) +
                  kMostPeers * 25 + 64 <=
              event::FrameSocket::kMostPayload);
static_assert((kMostIdentities + kMostServices) * (2 + kMostNameBytes) + 64 <= event::FrameSocket::kMostPayload);

std::string_view to_string(Request request) {
  switch (request) {
    case Request::LoadIdentity: return "LoadIdentity";
    case Request::Seal: return "Seal";
    case Request::Admit: return "Admit";
    case Request::Status: return "Status";
    case Request::Sign: return "Sign";
    case Request::TicketKey: return "TicketKey";
  }
  broken("Request out of range");
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::Gateway: return "gateway";
    case Role::Ike: return "ike";
  }
  broken("Role out of range");
}

namespace {

Result<std::string_view> read_name(ByteReader& reader) {
  BytesView name = TRY(reader.vector16(kMostNameBytes));
  if (name.empty()) return fail(ErrorKind::Protocol, "an empty name");
  return as_text(name);
}

Result<bool> read_flag(ByteReader& reader) {
  std::uint8_t value = TRY(reader.u8());
  if (value > 1) return fail(ErrorKind::Protocol, "a flag is neither 0 nor 1");
  return value == 1;
}

Result<std::vector<std::string>> read_names(ByteReader& reader, std::size_t most) {
  std::size_t count = TRY(reader.u16());
  if (count > most) return fail(ErrorKind::Limit, "more than " + std::to_string(most) + " names");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.emplace_back(TRY(read_name(reader)));
  return names;
}

void write_names(ByteWriter& writer, const std::vector<std::string>& names) {
  writer.u16(static_cast<std::uint16_t>(names.size()));
  for (const std::string& name : names) writer.text16(name);
}

Result<Role> read_role(ByteReader& reader) {
  std::uint8_t value = TRY(reader.u8());
  switch (static_cast<Role>(value)) {
    case Role::Gateway:
    case Role::Ike: return static_cast<Role>(value);
  }
  return fail(ErrorKind::Protocol, "unknown role " + std::to_string(value));
}

}  // namespace

Bytes LoadIdentity::encode() const {
  Bytes out;
  ByteWriter writer(out);
  writer.text16(name);
  writer.text16(key_path);
  writer.vector16(public_key);
  return out;
}

Result<LoadIdentity> LoadIdentity::decode(BytesView payload) {
  ByteReader reader(payload);
  LoadIdentity message;
  message.name = TRY(read_name(reader));
  message.key_path = TRY(reader.text16(kMostPathBytes));
  if (message.key_path.find('\0') != std::string::npos) return fail(ErrorKind::Protocol, "a path with a zero byte");
  BytesView public_key = TRY(reader.vector16(kMostPublicKeyBytes));
  message.public_key.assign(public_key.begin(), public_key.end());
  TRY(reader.end());
  return message;
}

Bytes Seal::encode() const {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(become ? 1 : 0);
  if (become) {
    writer.u32(become->uid);
    writer.u32(become->gid);
  }
  return out;
}

Result<Seal> Seal::decode(BytesView payload) {
  ByteReader reader(payload);
  Seal message;
  if (TRY(read_flag(reader))) {
    User user;
    user.uid = TRY(reader.u32());
    user.gid = TRY(reader.u32());
    message.become = user;
  }
  TRY(reader.end());
  return message;
}

Bytes Admit::encode() const {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(pid));
  writer.u32(uid);
  writer.u8(static_cast<std::uint8_t>(role));
  writer.u8(tls12 ? 1 : 0);
  write_names(writer, identities);
  write_names(writer, services);
  return out;
}

Result<Admit> Admit::decode(BytesView payload) {
  ByteReader reader(payload);
  Admit message;
  message.pid = static_cast<pid_t>(TRY(reader.u32()));
  message.uid = TRY(reader.u32());
  message.role = TRY(read_role(reader));
  message.tls12 = TRY(read_flag(reader));
  message.identities = TRY(read_names(reader, kMostIdentities));
  message.services = TRY(read_names(reader, kMostServices));
  TRY(reader.end());
  return message;
}

void Sign::encode(Bytes& out) const {
  ByteWriter writer(out);
  writer.text16(identity);
  writer.u16(scheme);
  writer.vector16(statement);
}

Result<Sign> Sign::decode(BytesView payload) {
  ByteReader reader(payload);
  Sign message;
  message.identity = TRY(read_name(reader));
  message.scheme = TRY(reader.u16());
  message.statement = TRY(reader.vector16(kMostStatementBytes));
  TRY(reader.end());
  return message;
}

void TicketKey::encode(Bytes& out) const {
  ByteWriter writer(out);
  writer.text16(service);
  writer.u64(epoch);
}

Result<TicketKey> TicketKey::decode(BytesView payload) {
  ByteReader reader(payload);
  TicketKey message;
  message.service = TRY(read_name(reader));
  message.epoch = TRY(reader.u64());
  TRY(reader.end());
  return message;
}

Bytes Refusal::encode(const Error& error) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(error.kind));
  writer.text16(std::string_view(error.what).substr(0, kMostRefusalBytes));
  return out;
}

Error Refusal::decode(BytesView payload) {
  ByteReader reader(payload);
  auto kind = reader.u8();
  auto what = reader.text16(kMostRefusalBytes);
  if (!kind || !what || *kind > static_cast<std::uint8_t>(ErrorKind::Crypto))
    return Error{ErrorKind::Protocol, "the keyholder refused, in words we do not understand"};
  return Error{static_cast<ErrorKind>(*kind), *std::move(what)};
}

Bytes Status::encode() const {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(pid));
  writer.u32(uid);
  writer.u8(sealed ? 1 : 0);
  writer.u8(memory_locked ? 1 : 0);
  writer.u8(memory_secret ? 1 : 0);
  writer.u8(syscalls_restricted ? 1 : 0);
  writer.u8(landlock_version);
  writer.u64(peers_dropped);
  writer.u16(static_cast<std::uint16_t>(identities.size()));
  for (const Identity& identity : identities) {
    writer.text16(identity.name);
    writer.u8(static_cast<std::uint8_t>(identity.type));
    writer.bytes(identity.public_key_sha256);
    writer.u64(identity.signatures);
    writer.u64(identity.refused);
  }
  write_names(writer, services);
  writer.u16(static_cast<std::uint16_t>(peers.size()));
  for (const Peer& peer : peers) {
    writer.u32(static_cast<std::uint32_t>(peer.pid));
    writer.u32(peer.uid);
    writer.u8(static_cast<std::uint8_t>(peer.role));
    writer.u64(peer.signatures);
    writer.u64(peer.refused);
  }
  return out;
}

Result<Status> Status::decode(BytesView payload) {
  ByteReader reader(payload);
  Status status;
  status.pid = static_cast<pid_t>(TRY(reader.u32()));
  status.uid = TRY(reader.u32());
  status.sealed = TRY(read_flag(reader));
  status.memory_locked = TRY(read_flag(reader));
  status.memory_secret = TRY(read_flag(reader));
  status.syscalls_restricted = TRY(read_flag(reader));
  status.landlock_version = TRY(reader.u8());
  status.peers_dropped = TRY(reader.u64());
  std::size_t identities = TRY(reader.u16());
  if (identities > kMostIdentities) return fail(ErrorKind::Limit, "more identities than there can be");
  for (std::size_t i = 0; i < identities; ++i) {
    Identity identity;
    identity.name = TRY(read_name(reader));
    std::uint8_t type = TRY(reader.u8());
    if (type > static_cast<std::uint8_t>(crypto::KeyType::Rsa))
      return fail(ErrorKind::Protocol, "unknown key type " + std::to_string(type));
    identity.type = static_cast<crypto::KeyType>(type);
    BytesView digest = TRY(reader.bytes(identity.public_key_sha256.size()));
    std::copy(digest.begin(), digest.end(), identity.public_key_sha256.begin());
    identity.signatures = TRY(reader.u64());
    identity.refused = TRY(reader.u64());
    status.identities.push_back(std::move(identity));
  }
  status.services = TRY(read_names(reader, kMostServices));
  std::size_t peers = TRY(reader.u16());
  if (peers > kMostPeers) return fail(ErrorKind::Limit, "more peers than there can be");
  for (std::size_t i = 0; i < peers; ++i) {
    Peer peer;
    peer.pid = static_cast<pid_t>(TRY(reader.u32()));
    peer.uid = TRY(reader.u32());
    peer.role = TRY(read_role(reader));
    peer.signatures = TRY(reader.u64());
    peer.refused = TRY(reader.u64());
    status.peers.push_back(peer);
  }
  TRY(reader.end());
  return status;
}

}  // namespace cipherway::keyholder
