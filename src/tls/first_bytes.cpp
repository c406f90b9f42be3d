#include "tls/first_bytes.h"

#include <array>
#include <utility>

namespace cipherway::tls {

FirstBytes classify_first_bytes(BytesView bytes) {
  constexpr std::uint8_t kHandshake = 22;
  constexpr std::uint8_t kAlert = 21;  // a peer that gives up at once says why
  constexpr std::size_t kMostRecord = 16384 + 256;
  if (bytes.size() > 0 && bytes[0] != kHandshake && bytes[0] != kAlert) return FirstBytes::NotTls;
  if (bytes.size() > 1 && bytes[1] != 3) return FirstBytes::NotTls;
  if (bytes.size() > 2 && bytes[2] > 4) return FirstBytes::NotTls;
  if (bytes.size() < 5) return FirstBytes::Incomplete;
  std::size_t length = static_cast<std::size_t>(bytes[3]) << 8 | bytes[4];
  return length == 0 || length > kMostRecord ? FirstBytes::NotTls : FirstBytes::Tls;
}

std::string_view describe_plaintext(BytesView bytes) {
  using namespace std::string_view_literals;
  constexpr std::array known{
      std::pair{"GET "sv, "an HTTP request"sv},
      std::pair{"POST "sv, "an HTTP request"sv},
      std::pair{"HEAD "sv, "an HTTP request"sv},
      std::pair{"PUT "sv, "an HTTP request"sv},
      std::pair{"OPTIONS "sv, "an HTTP request"sv},
      std::pair{"CONNECT "sv, "an HTTP request"sv},
      std::pair{"PRI * "sv, "HTTP/2 in clear"sv},
      std::pair{"HTTP/"sv, "an HTTP response"sv},
      std::pair{"SSH-"sv, "an SSH banner"sv},
      std::pair{"PROXY "sv, "a PROXY protocol header"sv},
      std::pair{"\r\n\r\n\0\r\nQUIT\n"sv, "a PROXY protocol header"sv},
      std::pair{"220 "sv, "an SMTP or FTP greeting"sv},
      std::pair{"EHLO "sv, "an SMTP client"sv},
      std::pair{"* OK"sv, "an IMAP greeting"sv},
      std::pair{"\0\0\0\x08\x04\xd2\x16\x2f"sv, "PostgreSQL's question for TLS; sslnegotiation=direct asks none"sv},
  };
  std::string_view text = as_text(bytes);
  for (auto [start, what] : known)
    if (text.starts_with(start)) return what;
  if (bytes.size() > 2 && (bytes[0] & 0x80) != 0 && bytes[2] == 1) return "an SSL 2 hello";
  return "something else";
}

}  // namespace cipherway::tls
