#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace cipherway::node {

/// What the status server understands of HTTP: the head of a GET or HEAD (RFC 9112). Everything else is refused with
/// the status code that says why.
struct HttpRequest {
  static constexpr std::size_t kMostHead = 8 * 1024;  ///< request line and fields

  bool head = false;                ///< HEAD: answered without the body
  std::string path;                 ///< percent-decoded, begins with "/"
  std::string query;                ///< after "?", as it came
  std::optional<std::string> host;  ///< of a request of HTTP/1.1 it is there

  /// The value of a query parameter, decoded; nothing if it is not there.
  std::optional<std::string> parameter(std::string_view name) const;
};

/// Where the head in what has arrived ends (behind its empty line), or 0: more is needed.
std::size_t end_of_head(std::string_view arrived);

/// A whole head, or the status code to refuse it with: 400, 405, 431, 501 or 505.
std::expected<HttpRequest, int> parse_request(std::string_view head);

}  // namespace cipherway::node
