#include "gateway/http_answer.h"

#include <algorithm>

namespace cipherway::gateway {

HttpAnswer HttpAnswer::parse(std::string_view bytes) {
  // status-line = HTTP-version SP status-code SP [ reason-phrase ]; the second space is often left out.
  constexpr std::string_view kVersion = "HTTP/1.";
  constexpr HttpAnswer kBroken{State::Broken, 0};
  std::string_view begin = bytes.substr(0, kVersion.size());
  if (begin != kVersion.substr(0, begin.size())) return kBroken;
  std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return bytes.size() > kMostLine ? kBroken : HttpAnswer{};
  if (end > kMostLine) return kBroken;
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  constexpr std::size_t kCode = kVersion.size() + 2;
  if (line.size() < kCode + 3 || !is_digit(line[kCode - 2]) || line[kCode - 1] != ' ') return kBroken;
  if (line.size() > kCode + 3 && line[kCode + 3] != ' ') return kBroken;
  int status = 0;
  for (char c : line.substr(kCode, 3)) {
    if (!is_digit(c)) return kBroken;
    status = status * 10 + (c - '0');
  }
  if (status < 100) return kBroken;
  return {State::Status, status};
}

}  // namespace cipherway::gateway
