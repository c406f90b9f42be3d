#include "node/http_request.h"

#include <algorithm>

namespace cipherway::node {

namespace {

constexpr int kBadRequest = 400;
constexpr int kMethodNotAllowed = 405;
constexpr int kNotImplemented = 501;
constexpr int kVersionNotSupported = 505;

/// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' && plus_is_blank ? ' ' : text[i];
    }
  }
  return out;
}

/// What can stand in a request target or a Host field; nothing else can, also not as a byte above 127.
bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::optional<std::string> HttpRequest::parameter(std::string_view name) const {
  for (std::string_view rest = query; !rest.empty();) {
    std::size_t end = std::min(rest.find('&'), rest.size());
    std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return decoded(pair.substr(std::min(equals + 1, pair.size())), true);
  }
  return std::nullopt;
}

std::size_t end_of_head(std::string_view arrived) {
  std::size_t at = arrived.find("\r\n\r\n");
  return at == std::string_view::npos ? 0 : at + 4;
}

std::expected<HttpRequest, int> parse_request(std::string_view head) {
  std::size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return std::unexpected(kBadRequest);
  std::string_view line = head.substr(0, line_end);
  std::size_t first = line.find(' ');
  std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return std::unexpected(kBadRequest);
  std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  if (!is_token(method) || !is_visible(target) || !target.starts_with('/')) return std::unexpected(kBadRequest);
  bool has_host_by_rule = version == "HTTP/1.1";
  if (!has_host_by_rule && version != "HTTP/1.0")
    return std::unexpected(version.starts_with("HTTP/") ? kVersionNotSupported : kBadRequest);
  if (method != "GET" && method != "HEAD") return std::unexpected(kMethodNotAllowed);

  HttpRequest request;
  request.head = method == "HEAD";
  std::size_t question = std::min(target.find('?'), target.size());
  auto path = decoded(target.substr(0, question), false);
  if (!path) return std::unexpected(kBadRequest);
  request.path = std::move(*path);
  request.query = target.substr(std::min(question + 1, target.size()));

  for (std::string_view rest = head.substr(line_end + 2); rest != "\r\n";) {
    std::size_t end = rest.find("\r\n");
    if (end == std::string_view::npos) return std::unexpected(kBadRequest);
    std::string_view field = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    std::size_t colon = field.find(':');
    // No blank before the colon and no continuation lines: RFC 9112, sections 5.1 and 5.2.
    if (colon == std::string_view::npos || !is_token(field.substr(0, colon))) return std::unexpected(kBadRequest);
    std::string_view name = field.substr(0, colon);
    if (same_ignoring_case(name, "host")) {
      std::string_view value = trimmed(field.substr(colon + 1));
      if (request.host || !is_visible(value)) return std::unexpected(kBadRequest);
      request.host = value;
    } else if (same_ignoring_case(name, "transfer-encoding")) {
      return std::unexpected(kNotImplemented);  // a GET with a body is nothing that we answer
    }
  }
  if (has_host_by_rule && !request.host) return std::unexpected(kBadRequest);  // RFC 9112, section 3.2
  return request;
}

}  // namespace cipherway::node
