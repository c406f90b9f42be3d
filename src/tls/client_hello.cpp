#include "tls/client_hello.h"

#include "tls/first_bytes.h"

#include <algorithm>
#include <utility>

namespace cipherway::tls {

namespace {

using Why = NoHello::Why;

std::unexpected<NoHello> malformed(std::string_view detail, Alert alert = Alert::DecodeError) {
  return std::unexpected(NoHello{Why::Malformed, alert, detail});
}

/// Takes fields off the front; after one that is not there, everything is empty and `ok` is false for good.
class Fields {
 public:
  explicit Fields(BytesView bytes) : rest_(bytes) {}

  std::size_t number(std::size_t width) {
    std::size_t value = 0;
    for (std::uint8_t byte : take(width)) value = value << 8 | byte;
    return value;
  }
  BytesView take(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    BytesView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  /// A vector: its length in `width` bytes, within bounds, and that many bytes.
  BytesView vector(std::size_t width, std::size_t least, std::size_t most) {
    std::size_t length = number(width);
    if (length < least || length > most) ok_ = false;
    return take(length);
  }
  bool empty() const { return rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  BytesView rest_;
  bool ok_ = true;
};

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kMostFragment = 1 << 14;  // RFC 8446, section 5.1

/// The length of the ClientHello whose message header is here, header included.
std::expected<std::size_t, NoHello> message_length(BytesView message) {
  constexpr std::uint8_t kClientHello = 1;
  if (message[0] != kClientHello) return malformed("the first message is not a ClientHello", Alert::UnexpectedMessage);
  std::size_t length = Fields(message.subspan(1)).number(3) + kMessageHeader;
  if (length > kMostClientHello) return malformed("the ClientHello is too long");
  return length;
}

/// The handshake message that the records begin with, without its header.
std::expected<BytesView, NoHello> first_message(BytesView bytes, Bytes& joined) {
  constexpr std::uint8_t kHandshake = 22;
  constexpr std::uint8_t kAlert = 21;
  switch (classify_first_bytes(bytes)) {
    case FirstBytes::NotTls: return std::unexpected(NoHello{Why::NotTls, {}, "not TLS"});
    case FirstBytes::Incomplete: return std::unexpected(NoHello{});
    case FirstBytes::Tls: break;
  }
  if (bytes[0] == kAlert)
    return std::unexpected(NoHello{Why::GaveUp, {}, "the client sent an alert and no ClientHello"});

  bool whole = bytes.size() < kMostHelloBytes;  // more may come
  joined.clear();
  for (BytesView rest = bytes; rest.size() >= kRecordHeader;) {
    if (rest[0] != kHandshake) return malformed("another record inside the ClientHello", Alert::UnexpectedMessage);
    std::size_t length = Fields(rest.subspan(3)).number(2);
    // Zero-length fragments of a handshake message are forbidden, and 256 bytes more are for encrypted records alone.
    if (rest[1] != 3 || length == 0 || length > kMostFragment) return malformed("a record of impossible length");
    BytesView fragment = rest.subspan(kRecordHeader, std::min(length, rest.size() - kRecordHeader));
    bool first = joined.empty() && rest.data() == bytes.data();
    if (first && fragment.size() >= kMessageHeader) {
      auto message = message_length(fragment);
      if (!message) return std::unexpected(message.error());
      if (*message <= fragment.size()) return fragment.subspan(kMessageHeader, *message - kMessageHeader);
    }
    joined.insert(joined.end(), fragment.begin(), fragment.end());
    if (joined.size() >= kMessageHeader) {
      auto message = message_length(joined);
      if (!message) return std::unexpected(message.error());
      if (*message <= joined.size()) return BytesView(joined).subspan(kMessageHeader, *message - kMessageHeader);
    }
    if (fragment.size() < length) break;
    rest = rest.subspan(kRecordHeader + length);
  }
  if (!whole) return malformed("the ClientHello is too long");
  return std::unexpected(NoHello{});
}

/// RFC 6066, section 3: one host_name, and no other type of name is defined.
std::expected<std::string_view, NoHello> host_name(BytesView extension) {
  constexpr std::size_t kHostName = 0;
  constexpr std::size_t kMostHostName = 255;
  Fields outer(extension);
  Fields list(outer.vector(2, 1, 0xffff));
  std::size_t type = list.number(1);
  std::string_view name = as_text(list.vector(2, 1, kMostHostName));
  if (!outer.ok() || !outer.empty() || !list.ok() || !list.empty() || type != kHostName)
    return malformed("malformed server_name");
  if (name.find('\0') != std::string_view::npos) return malformed("a server_name with a zero byte");
  return name;
}

/// RFC 7301, section 3.1.
std::expected<ProtocolNames, NoHello> protocol_names(BytesView extension) {
  Fields outer(extension);
  BytesView list = outer.vector(2, 2, 0xffff);
  Fields names(list);
  while (names.ok() && !names.empty()) names.vector(1, 1, 255);
  if (!outer.ok() || !outer.empty() || !names.ok()) return malformed("malformed ALPN");
  return ProtocolNames(list);
}

/// RFC 8446, section 4.2.1.
std::expected<BytesView, NoHello> supported_versions(BytesView extension) {
  Fields outer(extension);
  BytesView versions = outer.vector(1, 2, 254);
  if (!outer.ok() || !outer.empty() || versions.size() % 2 != 0) return malformed("malformed supported_versions");
  return versions;
}

/// Extensions that decide about routes; "there MUST NOT be more than one extension of the same type" (section 4.2).
std::expected<ClientHello, NoHello> read_extensions(BytesView bytes, ClientHello hello) {
  constexpr std::size_t kServerName = 0, kAlpn = 16, kSupportedVersions = 43;
  constexpr std::string_view kTwice = "an extension twice";
  bool seen_name = false;
  Fields extensions(bytes);
  while (extensions.ok() && !extensions.empty()) {
    std::size_t type = extensions.number(2);
    BytesView extension = extensions.vector(2, 0, 0xffff);
    if (!extensions.ok()) break;
    if (type == kServerName) {
      if (std::exchange(seen_name, true)) return malformed(kTwice, Alert::IllegalParameter);
      auto name = host_name(extension);
      if (!name) return std::unexpected(name.error());
      hello.server_name = *name;
    } else if (type == kAlpn) {
      if (!hello.alpn.empty()) return malformed(kTwice, Alert::IllegalParameter);
      auto names = protocol_names(extension);
      if (!names) return std::unexpected(names.error());
      hello.alpn = *names;
    } else if (type == kSupportedVersions) {
      if (!hello.versions.empty()) return malformed(kTwice, Alert::IllegalParameter);
      auto versions = supported_versions(extension);
      if (!versions) return std::unexpected(versions.error());
      hello.versions = *versions;
    }
  }
  if (!extensions.ok()) return malformed("malformed extensions");
  return hello;
}

}  // namespace

std::array<std::uint8_t, 7> alert_record(Alert alert) {
  constexpr std::uint8_t kAlertRecord = 21, kFatal = 2;
  return {kAlertRecord, 3, 3, 0, 2, kFatal, static_cast<std::uint8_t>(alert)};
}

bool ProtocolNames::contains(std::string_view protocol) const {
  for (Fields names(list_); !names.empty();)
    if (as_text(names.vector(1, 1, 255)) == protocol) return true;
  return false;
}

std::string ProtocolNames::to_string() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (Fields names(list_); !names.empty();) {
    if (!text.empty()) text += ' ';
    for (std::uint8_t byte : names.vector(1, 1, 255)) {
      if (byte > 0x20 && byte < 0x7f) {
        text += static_cast<char>(byte);
      } else {
        text += "\\x";
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
      }
    }
  }
  return text;
}

bool ClientHello::offers(std::uint16_t version) const {
  if (versions.empty()) return version <= legacy_version;
  for (Fields each(versions); !each.empty();)
    if (each.number(2) == version) return true;
  return false;
}

std::expected<ClientHello, NoHello> read_client_hello(BytesView bytes, Bytes& joined) {
  auto message = first_message(bytes, joined);
  if (!message) return std::unexpected(message.error());
  Fields fields(*message);
  ClientHello hello;
  hello.legacy_version = static_cast<std::uint16_t>(fields.number(2));
  fields.take(32);          // random
  fields.vector(1, 0, 32);  // legacy_session_id
  BytesView suites = fields.vector(2, 2, 0xfffe);
  fields.vector(1, 1, 255);  // legacy_compression_methods
  if (!fields.ok() || suites.size() % 2 != 0) return malformed("malformed ClientHello");
  if (fields.empty()) return hello;  // TLS 1.2 and older may have no extensions
  BytesView extensions = fields.vector(2, 0, 0xffff);
  if (!fields.ok() || !fields.empty()) return malformed("malformed ClientHello");
  return read_extensions(extensions, hello);
}

}  // namespace cipherway::tls
