#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace cipherway {

/// What went wrong, in the words a caller can act on. Kinds are few on purpose: add one only when some caller
/// does something different because of it.
enum class ErrorKind {
  Invalid,      ///< the input is malformed or out of range
  NotFound,     ///< a named thing does not exist
  Denied,       ///< policy or the operating system refused
  Unavailable,  ///< the other side is not there now; trying again may help
  TimedOut,
  Protocol,  ///< a peer broke the rules of its protocol
  Limit,     ///< a bound was reached (size, count, memory)
  Closed,    ///< the other side ended the conversation
  System,    ///< a system call failed
  Crypto,    ///< the cryptographic library refused
};

std::string_view to_string(ErrorKind kind);

/// A failure that a peer, a file, the kernel or an operator can cause. Broken invariants abort instead.
/// `what` is a sentence without a full stop, from the outside in: "open key file /x/y: permission denied".
struct [[nodiscard]] Error {
  ErrorKind kind;
  std::string what;

  /// The same error, prefixed with what was being done: `return error.in("load identity \"shop\"")`.
  Error in(std::string_view doing) &&;
};

template <class T>
using Result = std::expected<T, Error>;

std::unexpected<Error> fail(ErrorKind kind, std::string what);

/// The failure of a system call: `doing` and the text of errno (or of the given error number).
std::unexpected<Error> fail_errno(std::string_view doing);
std::unexpected<Error> fail_errno(std::string_view doing, int error_number);

/// A broken invariant: writes `what` to stderr and aborts.
[[noreturn]] void broken(const char* what);

namespace detail {
template <class T>
T take(Result<T>&& result) {
  return *std::move(result);
}
inline void take(Result<void>&&) {}
}  // namespace detail

}  // namespace cipherway

/// The value of a Result, or return its error from the enclosing function.
#define TRY(expression)                                                         \
  __extension__({                                                               \
    auto try_result = (expression);                                             \
    if (!try_result) return ::std::unexpected(::std::move(try_result).error()); \
    ::cipherway::detail::take(::std::move(try_result));                         \
  })

/// The same, saying what was being done when it failed.
#define TRY_IN(doing, expression)                                                         \
  __extension__({                                                                         \
    auto try_result = (expression);                                                       \
    if (!try_result) return ::std::unexpected(::std::move(try_result).error().in(doing)); \
    ::cipherway::detail::take(::std::move(try_result));                                   \
  })
