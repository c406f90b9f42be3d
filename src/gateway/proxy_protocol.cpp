#include "gateway/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace cipherway::gateway {

namespace {

using namespace std::string_view_literals;
using Why = NoProxyHeader::Why;

constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::string_view kWord = "PROXY "sv;
constexpr std::size_t kMostLine = 107;
constexpr std::size_t kFixed = 16;      // of a version 2 header
constexpr std::size_t kUnixPath = 108;  // of its UNIX addresses

// Section 2.2: families and transports, and the types of what follows the addresses.
constexpr std::uint8_t kLocal = 0, kProxy = 1;
constexpr std::uint8_t kUnspec = 0, kInet = 1, kInet6 = 2, kUnix = 3;
constexpr std::uint8_t kStream = 1, kDatagram = 2;
constexpr std::uint8_t kAlpn = 0x01, kAuthority = 0x02, kCrc32c = 0x03, kSsl = 0x20;
constexpr std::uint8_t kSslVersion = 0x21, kSslCn = 0x22, kSslCipher = 0x23;
constexpr std::uint8_t kClientSsl = 1, kClientCertConn = 2, kClientCertSess = 4;

std::unexpected<NoProxyHeader> malformed(std::string_view detail) {
  return std::unexpected(NoProxyHeader{Why::Malformed, detail});
}

Address inet(const std::uint8_t* host, std::uint16_t port) {
  sockaddr_storage storage{};
  auto& inet = reinterpret_cast<sockaddr_in&>(storage);
  inet.sin_family = AF_INET;
  inet.sin_port = htons(port);
  std::memcpy(&inet.sin_addr, host, 4);
  return Address::from_socket(storage, sizeof inet);
}

Address inet6(const std::uint8_t* host, std::uint16_t port) {
  sockaddr_storage storage{};
  auto& inet = reinterpret_cast<sockaddr_in6&>(storage);
  inet.sin6_family = AF_INET6;
  inet.sin6_port = htons(port);
  std::memcpy(&inet.sin6_addr, host, 16);
  return Address::from_socket(storage, sizeof inet);
}

std::uint16_t number16(BytesView bytes) {
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

/// "0" to "65535", without heading zeroes (section 2.1).
std::optional<std::uint16_t> port_from(std::string_view text) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  return port;
}

std::optional<Address> address_from(int family, std::string_view host, std::string_view port) {
  std::array<std::uint8_t, 16> bytes{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  auto number = port_from(port);
  if (!number || host.size() >= text.size()) return std::nullopt;
  std::ranges::copy(host, text.begin());
  if (::inet_pton(family, text.data(), bytes.data()) != 1) return std::nullopt;
  return family == AF_INET ? inet(bytes.data(), *number) : inet6(bytes.data(), *number);
}

/// Section 2.1: one line, its fields apart by exactly one space.
std::expected<ProxyHeader, NoProxyHeader> read_line(std::string_view bytes) {
  bytes = bytes.substr(0, kMostLine);
  std::size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) {
    if (bytes.find('\n') != std::string_view::npos) return malformed("the line of a PROXY header ends without a CR");
    if (bytes.size() >= kMostLine) return malformed("the line of a PROXY header has no end within 107 bytes");
    return std::unexpected(NoProxyHeader{});
  }
  ProxyHeader header{.source = {}, .destination = {}, .length = end + 2};
  std::string_view rest = bytes.substr(kWord.size(), end - kWord.size());
  if (rest == "UNKNOWN"sv || rest.starts_with("UNKNOWN "sv)) return header;
  std::array<std::string_view, 5> fields;
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    if (count == fields.size()) return malformed("the line of a PROXY header has more fields than it may");
    std::size_t space = rest.find(' ');
    more = space != std::string_view::npos;
    fields[count] = rest.substr(0, space);
    if (more) rest = rest.substr(space + 1);
  }
  int family = fields[0] == "TCP4"sv ? AF_INET : fields[0] == "TCP6"sv ? AF_INET6 : 0;
  if (family == 0 || count != fields.size())
    return malformed("the line of a PROXY header has other fields than it must");
  header.source = address_from(family, fields[1], fields[3]);
  header.destination = address_from(family, fields[2], fields[4]);
  if (!header.source || !header.destination) return malformed("an address in the line of a PROXY header is none");
  return header;
}

/// RFC 3720, appendix B.4, as RFC 4960 asks for it. Bytes of the checksum's own field count as zero.
std::uint32_t crc32c(BytesView bytes, std::size_t zero_from) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? value >> 1 ^ 0x82f63b78 : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = 0xffffffff;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::uint8_t byte = i >= zero_from && i < zero_from + 4 ? std::uint8_t{0} : bytes[i];
    crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xff];
  }
  return ~crc;
}

/// What follows the addresses, of which only the checksum says something to us.
std::expected<void, NoProxyHeader> check_vectors(BytesView header, std::size_t at) {
  while (at < header.size()) {
    if (header.size() - at < 3) return malformed("a TLV of a PROXY header is cut");
    std::size_t length = number16(header.subspan(at + 1));
    std::size_t value = at + 3;
    if (length > header.size() - value) return malformed("a TLV of a PROXY header is longer than the header");
    if (header[at] == kCrc32c) {
      if (length != 4) return malformed("the checksum of a PROXY header is no checksum");
      std::uint32_t said = std::uint32_t{number16(header.subspan(value))} << 16 | number16(header.subspan(value + 2));
      if (said != crc32c(header, value)) return malformed("the checksum of a PROXY header is wrong");
    }
    at = value + length;
  }
  return {};
}

Address unix_from(BytesView path) {
  sockaddr_storage storage{};
  auto& unix = reinterpret_cast<sockaddr_un&>(storage);
  static_assert(sizeof unix.sun_path == kUnixPath);
  unix.sun_family = AF_UNIX;
  std::memcpy(unix.sun_path, path.data(), kUnixPath - 1);
  return Address::from_socket(storage, sizeof unix);
}

/// Section 2.2.
std::expected<ProxyHeader, NoProxyHeader> read_binary(BytesView bytes) {
  if (bytes.size() < kFixed) return std::unexpected(NoProxyHeader{});
  unsigned version = bytes[12] >> 4, command = bytes[12] & 15u, family = bytes[13] >> 4, transport = bytes[13] & 15u;
  ProxyHeader header{.source = {}, .destination = {}, .length = kFixed + number16(bytes.subspan(14))};
  if (version != 2) return malformed("a PROXY header of an unknown version");
  if (command > kProxy) return malformed("a PROXY header with an unknown command");
  if (family > kUnix || transport > kDatagram) return malformed("a PROXY header with an unknown family or transport");
  if (header.length > kMostProxyHeader) return malformed("a PROXY header that is too long");
  if (bytes.size() < header.length) return std::unexpected(NoProxyHeader{});
  bytes = bytes.first(header.length);
  if (command == kLocal) return header;  // "must discard the protocol block including the family"

  constexpr std::size_t kSizes[] = {0, 12, 36, 2 * kUnixPath};
  std::size_t size = kSizes[family];
  if (header.length - kFixed < size) return malformed("a PROXY header that is shorter than its addresses");
  // Without a family nobody can say where addresses, if there are any, end and TLVs begin.
  if (family == kUnspec) return header;
  if (auto vectors = check_vectors(bytes, kFixed + size); !vectors) return std::unexpected(vectors.error());
  if (transport != kStream) return header;
  BytesView at = bytes.subspan(kFixed, size);
  switch (family) {
    case kInet:
      header.source = inet(at.data(), number16(at.subspan(8)));
      header.destination = inet(at.data() + 4, number16(at.subspan(10)));
      break;
    case kInet6:
      header.source = inet6(at.data(), number16(at.subspan(32)));
      header.destination = inet6(at.data() + 16, number16(at.subspan(34)));
      break;
    default:
      header.source = unix_from(at.first(kUnixPath));
      header.destination = unix_from(at.subspan(kUnixPath));
      break;
  }
  return header;
}

bool begins(std::string_view text, std::string_view with) {
  std::size_t common = std::min(text.size(), with.size());
  return text.substr(0, common) == with.substr(0, common);
}

}  // namespace

std::expected<ProxyHeader, NoProxyHeader> read_proxy_header(BytesView bytes) {
  std::string_view text = as_text(bytes);
  if (begins(text, kSignature)) return read_binary(bytes);
  if (begins(text, kWord)) return read_line(text);
  return std::unexpected(NoProxyHeader{Why::Missing, "the connection begins with no PROXY header"});
}

bool ProxySignature::completed_by(BytesView bytes) {
  constexpr std::array kBeginnings{"PROXY TCP4 "sv, "PROXY TCP6 "sv, "PROXY UNKNOWN"sv, kSignature};
  if (excluded_) return false;
  std::size_t more = std::min(bytes.size(), first_.size() - count_);
  std::copy_n(bytes.begin(), more, first_.begin() + count_);
  count_ = static_cast<std::uint8_t>(count_ + more);
  std::string_view text = as_text(BytesView(first_).first(count_));
  bool possible = false;
  for (std::string_view beginning : kBeginnings) {
    if (text.starts_with(beginning)) return true;
    possible = possible || begins(text, beginning);
  }
  excluded_ = !possible;
  return false;
}

namespace {

/// ::ffff:192.0.2.1, what a socket that takes both families says, is 192.0.2.1.
Address unmapped(const Address& address) {
  if (address.family() != AF_INET6) return address;
  const auto& inet6 = *reinterpret_cast<const sockaddr_in6*>(address.get());
  if (!IN6_IS_ADDR_V4MAPPED(&inet6.sin6_addr)) return address;
  return inet(&inet6.sin6_addr.s6_addr[12], ntohs(inet6.sin6_port));
}

/// Both addresses, when they are of one family that the header can name.
struct Ends {
  explicit Ends(const ProxyFacts& facts) {
    if (!facts.source || !facts.destination) return;
    source = unmapped(*facts.source);
    destination = unmapped(*facts.destination);
    known = source.family() == destination.family() && (source.family() == AF_INET || source.family() == AF_INET6);
  }
  bool is_ipv4() const { return source.family() == AF_INET; }
  Address source, destination;
  bool known = false;
};

std::uint16_t port_of(const Address& address) {
  return address.family() == AF_INET ? ntohs(reinterpret_cast<const sockaddr_in*>(address.get())->sin_port)
                                     : ntohs(reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_port);
}

BytesView host_of(const Address& address) {
  if (address.family() == AF_INET)
    return {reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr), 4};
  return {reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr), 16};
}

/// False: it does not fit any more.
bool add_vector(Bytes& to, std::uint8_t type, BytesView value, std::size_t most) {
  if (to.size() + 3 + value.size() > most) return false;
  ByteWriter writer(to);
  writer.u8(type);
  writer.vector16(value);
  return true;
}

/// Section 2.2.6.
Bytes ssl_value(const ProxyTls& tls) {
  constexpr std::size_t kMost = 1024;
  Bytes value;
  std::uint8_t client = kClientSsl;
  if (tls.verified) client |= kClientCertSess;
  if (tls.verified && !tls.resumed) client |= kClientCertConn;
  ByteWriter writer(value);
  writer.u8(client);
  writer.u32(tls.verified ? 0 : 1);
  add_vector(value, kSslVersion, as_bytes(tls.protocol), kMost);
  add_vector(value, kSslCipher, as_bytes(tls.cipher), kMost);
  if (!tls.common_name.empty()) add_vector(value, kSslCn, as_bytes(tls.common_name), kMost);
  return value;
}

}  // namespace

Bytes proxy_header_v1(const ProxyFacts& facts) {
  std::string line = "PROXY UNKNOWN\r\n";
  if (Ends ends(facts); ends.known) {
    line = ends.is_ipv4() ? "PROXY TCP4 " : "PROXY TCP6 ";
    line += ends.source.host() + " " + ends.destination.host() + " " + std::to_string(port_of(ends.source)) + " " +
            std::to_string(port_of(ends.destination)) + "\r\n";
  }
  BytesView bytes = as_bytes(line);
  return {bytes.begin(), bytes.end()};
}

Bytes proxy_header_v2(const ProxyFacts& facts) {
  Bytes header;
  ByteWriter writer(header);
  writer.bytes(as_bytes(kSignature));
  writer.u8(2 << 4 | kProxy);
  if (Ends ends(facts); ends.known) {
    writer.u8(static_cast<std::uint8_t>((ends.is_ipv4() ? kInet : kInet6) << 4 | kStream));
    writer.u16(0);  // the length, known at the end
    writer.bytes(host_of(ends.source));
    writer.bytes(host_of(ends.destination));
    writer.u16(port_of(ends.source));
    writer.u16(port_of(ends.destination));
  } else {
    writer.u8(kUnspec);
    writer.u16(0);
  }
  if (!facts.alpn.empty()) add_vector(header, kAlpn, as_bytes(facts.alpn), kMostProxyHeader);
  if (!facts.server_name.empty()) add_vector(header, kAuthority, as_bytes(facts.server_name), kMostProxyHeader);
  if (facts.tls) {
    add_vector(header, kSsl, ssl_value(*facts.tls), kMostProxyHeader);
    for (const auto& name : facts.tls->names)
      if (!add_vector(header, name.type, as_bytes(name.text), kMostProxyHeader)) break;
  }
  std::size_t length = header.size() - kFixed;
  header[14] = static_cast<std::uint8_t>(length >> 8);
  header[15] = static_cast<std::uint8_t>(length);
  return header;
}

}  // namespace cipherway::gateway
