#include "keyholder/statement.h"

#include <algorithm>
#include <array>
#include <optional>

namespace cipherway::keyholder {

std::string_view to_string(StatementKind kind) {
  switch (kind) {
    case StatementKind::Tls13ServerCertificateVerify: return "TLS 1.3 server CertificateVerify";
    case StatementKind::Tls13ClientCertificateVerify: return "TLS 1.3 client CertificateVerify";
    case StatementKind::Tls12ServerKeyExchange: return "TLS 1.2 ServerKeyExchange";
    case StatementKind::Tls12ClientCertificateVerify: return "TLS 1.2 client CertificateVerify";
  }
  broken("StatementKind out of range");
}

namespace {

std::unexpected<Error> denied(std::string_view why) {
  return fail(ErrorKind::Denied, "not a statement to sign: " + std::string(why));
}

// RFC 8446, section 4.4.3: 64 octets 0x20, the context string, one zero octet, the transcript hash.
constexpr std::size_t kPadding = 64;
constexpr std::string_view kServerContext = "TLS 1.3, server CertificateVerify";
constexpr std::string_view kClientContext = "TLS 1.3, client CertificateVerify";
static_assert(kServerContext.size() == kClientContext.size());

bool has_tls13_padding(BytesView statement) {
  return statement.size() >= kPadding &&
         std::all_of(statement.begin(), statement.begin() + kPadding, [](std::uint8_t byte) { return byte == 0x20; });
}

Result<StatementKind> recognise_tls13(BytesView statement) {
  BytesView rest = statement.subspan(kPadding);
  if (rest.size() < kServerContext.size() + 1) return denied("TLS 1.3 padding without a context string");
  std::string_view context = as_text(rest.first(kServerContext.size()));
  bool server = context == kServerContext;
  if (!server && context != kClientContext) return denied("TLS 1.3 padding with another context string");
  rest = rest.subspan(kServerContext.size());
  if (rest.front() != 0) return denied("no zero byte after the TLS 1.3 context string");
  // The transcript hash of the TLS 1.3 cipher suites is SHA-256 or SHA-384 (RFC 8446, appendix B.4).
  std::size_t hash = rest.size() - 1;
  if (hash != 32 && hash != 48) return denied("a TLS 1.3 transcript hash has 32 or 48 bytes");
  return server ? StatementKind::Tls13ServerCertificateVerify : StatementKind::Tls13ClientCertificateVerify;
}

/// One DER element with a definite, minimal length of up to two bytes: its tag, and `rest` moves behind it.
std::optional<std::uint8_t> take_der(BytesView& rest, BytesView& content) {
  if (rest.size() < 2) return std::nullopt;
  std::uint8_t tag = rest[0];
  std::size_t length = rest[1];
  std::size_t header = 2;
  if (length == 0x81 && rest.size() >= 3) {
    length = rest[2];
    header = 3;
  } else if (length == 0x82 && rest.size() >= 4) {
    length = static_cast<std::size_t>(rest[2]) << 8 | rest[3];
    header = 4;
  } else if (length >= 0x80) {
    return std::nullopt;
  }
  if (rest.size() - header < length) return std::nullopt;
  content = rest.subspan(header, length);
  rest = rest.subspan(header + length);
  return tag;
}

/// Whether the bytes are a whole TBSCertificate (RFC 5280, section 4.1), TBSCertList (section 5.1) or
/// CertificationRequestInfo (RFC 2986, section 4.1) as far as the outer structure tells: a SEQUENCE that fills them,
/// of an optional version, an optional INTEGER, and then at least two elements, each with a tag that occurs there.
bool reads_as_certificate(BytesView bytes) {
  BytesView inside, content;
  if (take_der(bytes, inside) != 0x30 || !bytes.empty()) return false;
  unsigned sequences = 0;
  bool starts_with_integer = false;
  for (bool first = true; !inside.empty(); first = false) {
    std::optional<std::uint8_t> tag = take_der(inside, content);
    if (!tag) return false;
    switch (*tag) {
      case 0xa0:  // version, attributes or extensions
      case 0xa1:
      case 0xa2:
      case 0xa3: break;
      case 0x81:  // unique identifiers
      case 0x82: break;
      case 0x02: starts_with_integer |= first; break;
      case 0x17:  // the times of a TBSCertList
      case 0x18: break;
      case 0x30: ++sequences; break;
      default: return false;
    }
  }
  return sequences >= 2 || (starts_with_integer && sequences >= 1);
}

// RFC 8422, section 5.4: client_random, server_random, ServerECDHParams.
constexpr std::size_t kRandoms = 64;
constexpr std::uint8_t kNamedCurve = 3;

bool begins_as_server_key_exchange(BytesView statement) {
  return statement.size() > kRandoms + 4 && statement[kRandoms] == kNamedCurve;
}

Result<StatementKind> recognise_server_key_exchange(BytesView statement) {
  struct Curve {
    std::uint16_t group;
    std::uint8_t point_bytes;
    bool uncompressed;
  };
  static constexpr std::array<Curve, 3> kCurves{{{0x001d, 32, false}, {0x0017, 65, true}, {0x0018, 97, true}}};
  BytesView params = statement.subspan(kRandoms + 1);
  auto group = static_cast<std::uint16_t>(params[0] << 8 | params[1]);
  auto curve = std::find_if(kCurves.begin(), kCurves.end(), [&](const Curve& c) { return c.group == group; });
  if (curve == kCurves.end()) return denied("a ServerKeyExchange with a group other than X25519, P-256 and P-384");
  BytesView point = params.subspan(3);
  if (params[2] != curve->point_bytes || point.size() != curve->point_bytes)
    return denied("a ServerKeyExchange whose point has not its group's length");
  if (curve->uncompressed && point[0] != 4) return denied("a ServerKeyExchange with a compressed point");
  if (reads_as_certificate(statement)) return denied("a ServerKeyExchange that is a certificate as well");
  return StatementKind::Tls12ServerKeyExchange;
}

// RFC 5246, section 7.4: the messages of a handshake with a client certificate and an ephemeral key exchange, up to the
// CertificateVerify, each once and in this order. CertificateStatus is RFC 6066's.
enum class Handshake : std::uint8_t {
  ClientHello = 1,
  ServerHello = 2,
  Certificate = 11,
  ServerKeyExchange = 12,
  CertificateRequest = 13,
  ServerHelloDone = 14,
  ClientKeyExchange = 16,
  CertificateStatus = 22,
};

struct Step {
  Handshake message;
  bool optional;
};
constexpr std::array kTranscript{
    Step{Handshake::ClientHello, false},       Step{Handshake::ServerHello, false},
    Step{Handshake::Certificate, false},       Step{Handshake::CertificateStatus, true},
    Step{Handshake::ServerKeyExchange, false}, Step{Handshake::CertificateRequest, false},
    Step{Handshake::ServerHelloDone, false},   Step{Handshake::Certificate, false},
    Step{Handshake::ClientKeyExchange, false},
};

struct Message {
  std::uint8_t type;
  BytesView body;
};

Result<Message> take_message(BytesView& rest) {
  if (rest.size() < 4) return denied("a handshake transcript that ends inside a message");
  std::size_t length = static_cast<std::size_t>(rest[1]) << 16 | static_cast<std::size_t>(rest[2]) << 8 | rest[3];
  if (rest.size() - 4 < length) return denied("a handshake transcript that ends inside a message");
  Message message{rest[0], rest.subspan(4, length)};
  rest = rest.subspan(4 + length);
  return message;
}

bool begins_as_transcript(BytesView statement) {
  // ClientHello, a length below 64 KiB, legacy_version 3.3.
  return statement.size() > 6 && statement[0] == static_cast<std::uint8_t>(Handshake::ClientHello) &&
         statement[1] == 0 && statement[4] == 3 && statement[5] == 3;
}

Result<StatementKind> recognise_transcript(BytesView statement) {
  BytesView rest = statement;
  std::optional<Message> message;
  for (const Step& step : kTranscript) {
    if (!message) message = TRY(take_message(rest));
    if (message->type != static_cast<std::uint8_t>(step.message)) {
      if (step.optional) continue;
      return denied("a handshake transcript whose messages are not those before a TLS 1.2 CertificateVerify");
    }
    // Both hellos: version 3.3 and 32 random bytes, at least.
    bool hello = step.message == Handshake::ClientHello || step.message == Handshake::ServerHello;
    if (hello && (message->body.size() < 34 || message->body[0] != 3 || message->body[1] != 3))
      return denied("a handshake transcript of another version than TLS 1.2");
    message.reset();
  }
  if (!rest.empty()) return denied("bytes follow the handshake transcript");
  return StatementKind::Tls12ClientCertificateVerify;
}

}  // namespace

Result<StatementKind> recognise(BytesView statement) {
  if (has_tls13_padding(statement)) return recognise_tls13(statement);
  if (begins_as_transcript(statement)) return recognise_transcript(statement);
  if (begins_as_server_key_exchange(statement)) return recognise_server_key_exchange(statement);
  return denied("neither a TLS CertificateVerify nor a ServerKeyExchange");
}

}  // namespace cipherway::keyholder
