#include "base/host_port.h"

#include <algorithm>
#include <charconv>

namespace cipherway {

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  bool letter = false;
  std::size_t label = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    if (c == '.') {
      if (label == 0 || name[i - 1] == '-') return false;
      label = 0;
      letter = false;
      continue;
    }
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && !(c == '-' && label > 0) && c != '_') return false;
    letter = letter || is_letter;
    if (++label > 63) return false;
  }
  return letter && label > 0 && name.back() != '-';
}

Result<HostPort> HostPort::parse(std::string_view text) {
  auto no = [&](std::string_view why) {
    return fail(ErrorKind::Invalid, "\"" + std::string(text) + "\" is not a host and a port: " + std::string(why));
  };
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return no("there is no port");
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (!is_host_name(host) || host == "localhost") return no("the host is not a DNS name");
  HostPort out;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size() || out.port == 0)
    return no("the port is not a number from 1 to 65535");
  out.host = host;
  std::ranges::transform(out.host, out.host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string HostPort::to_string() const {
  return host + ":" + std::to_string(port);
}

}  // namespace cipherway
