#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace cipherway::tls {

/// What this side says to a peer that it will not speak TLS with (RFC 8446, section 6; RFC 6066 and 7301 for the last).
enum class Alert : std::uint8_t {
  UnexpectedMessage = 10,
  IllegalParameter = 47,
  DecodeError = 50,
  InternalError = 80,
  UnrecognizedName = 112,
  NoApplicationProtocol = 120,
};

/// A fatal alert in a record of its own, for the time before any key is agreed on.
std::array<std::uint8_t, 7> alert_record(Alert alert);

/// The protocols a client offers (RFC 7301, section 3.1), in its order of preference: a view of its ProtocolNameList.
class ProtocolNames {
 public:
  ProtocolNames() = default;
  /// `list` is well-formed: every length is that of a name of 1 to 255 bytes, the last ends where the list does.
  explicit ProtocolNames(BytesView list) : list_(list) {}

  bool empty() const { return list_.empty(); }
  bool contains(std::string_view protocol) const;
  /// For people: names in order, separated by spaces, what is not printable ASCII as \xNN.
  std::string to_string() const;
  BytesView wire() const { return list_; }

 private:
  BytesView list_;
};

/// What of a ClientHello (RFC 8446, section 4.1.2) decides where its connection goes. Views of the bytes that were
/// read.
struct ClientHello {
  std::string_view server_name;  ///< host_name (RFC 6066, section 3) as sent; empty: none. With ECH, the outer one
  ProtocolNames alpn;
  std::uint16_t legacy_version = 0;
  BytesView versions;  ///< supported_versions, two bytes each; empty: the client offers legacy_version and older

  /// Whether it offers this version: 0x0304 is TLS 1.3.
  bool offers(std::uint16_t version) const;
};

struct NoHello {
  enum class Why {
    Incomplete,  ///< so far so good: read on
    NotTls,      ///< the first bytes are not TLS at all
    GaveUp,      ///< the client sent an alert instead
    Malformed,   ///< TLS, but no ClientHello as the RFCs have it: `alert` is the answer
  };
  Why why = Why::Incomplete;
  Alert alert = Alert::DecodeError;
  std::string_view detail;  ///< a constant
};

/// The longest ClientHello that is looked at, with its header: a full record and more than any known client sends.
inline constexpr std::size_t kMostClientHello = 18 * 1024;
/// The most bytes of records that one may be spread over.
inline constexpr std::size_t kMostHelloBytes = 24 * 1024;

/// Reads a ClientHello off the first bytes of a connection: one or several records, which may be cut anywhere. Pure,
/// and allocates nothing when it is in one record; `joined` takes the message when it is not, and is then what the
/// views point into.
std::expected<ClientHello, NoHello> read_client_hello(BytesView bytes, Bytes& joined);

}  // namespace cipherway::tls
