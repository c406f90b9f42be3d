#pragma once

#include <optional>
#include <string_view>

namespace cipherway::gateway {

/// The status of an HTTP/1.x answer, from its first bytes (RFC 9112, section 4). Pure.
struct HttpAnswer {
  enum class State { Incomplete, Broken, Status };
  static constexpr std::size_t kMostLine = 1'024;

  State state = State::Incomplete;
  int status = 0;

  static HttpAnswer parse(std::string_view bytes);
  /// 2xx or 3xx: what it takes to be up.
  bool is_good() const { return state == State::Status && status >= 200 && status < 400; }
};

}  // namespace cipherway::gateway
