#pragma once

#include "base/address.h"
#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The PROXY protocol, versions 1 and 2: what a proxy says about the client before the client's first byte. After
/// HAProxy's doc/proxy-protocol.txt, whose sections are quoted. Pure.
namespace cipherway::gateway {

/// The longest header that is read or written. A version 1 line has at most 107 bytes (section 2.1).
inline constexpr std::size_t kMostProxyHeader = 4096;

/// A header that was read.
struct ProxyHeader {
  /// Absent: the connection's own addresses count, because the proxy speaks for itself (LOCAL), does not know (UNKNOWN,
  /// UNSPEC), or names no TCP or UNIX stream.
  std::optional<Address> source;
  std::optional<Address> destination;
  std::size_t length = 0;  ///< bytes of the header; what follows is the client's
};

struct NoProxyHeader {
  enum class Why {
    Incomplete,  ///< so far so good: read on
    Missing,     ///< the bytes begin with something else
    Malformed,   ///< they begin as a header does, and are none
  };
  Why why = Why::Incomplete;
  std::string_view detail;  ///< a constant
};

/// Reads a header off the first bytes of a connection. A checksum (PP2_TYPE_CRC32C), if there is one, is checked.
std::expected<ProxyHeader, NoProxyHeader> read_proxy_header(BytesView bytes);

/// Looks for the beginning of a header in bytes that are passed on as they come. Enough of it is recognised that what
/// was passed on before is no header yet.
class ProxySignature {
 public:
  /// The next bytes of the stream. True: with these it begins as a header does.
  bool completed_by(BytesView bytes);
  /// It does not, whatever comes.
  bool excluded() const { return excluded_; }

 private:
  std::array<std::uint8_t, 13> first_{};
  std::uint8_t count_ = 0;
  bool excluded_ = false;
};

/// What TLS with a client found out, as far as a target is told.
struct ProxyTls {
  struct Name {
    std::uint8_t type;  ///< kProxySpiffeName ...
    std::string text;
  };
  std::string protocol;     ///< "TLSv1.3"
  std::string cipher;       ///< "TLS_AES_128_GCM_SHA256"
  bool verified = false;    ///< the client showed a certificate, in this session if not on this connection
  bool resumed = false;     ///< then not on this connection
  std::string common_name;  ///< of its subject; empty: none
  std::vector<Name> names;  ///< of its subjectAltName
};

/// What a target is told about a client.
struct ProxyFacts {
  std::optional<Address> source;  ///< absent, or of another family than `destination`: not told
  std::optional<Address> destination;
  std::string server_name;      ///< empty: none
  std::string alpn;             ///< the protocol that was agreed on; empty: none
  std::optional<ProxyTls> tls;  ///< of the client's connection, when it ends here
};

/// Types of our own for a client's verified names, in the range that is kept for applications (section 2.2.8).
inline constexpr std::uint8_t kProxySpiffeName = 0xe0;
inline constexpr std::uint8_t kProxyDnsName = 0xe1;
inline constexpr std::uint8_t kProxyIpName = 0xe2;

/// A line: addresses alone.
Bytes proxy_header_v1(const ProxyFacts& facts);
/// The binary form. What would make it longer than kMostProxyHeader is left out: names first, the last ones first.
Bytes proxy_header_v2(const ProxyFacts& facts);

}  // namespace cipherway::gateway
