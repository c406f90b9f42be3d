#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace cipherway {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Invalid: return "invalid";
    case ErrorKind::NotFound: return "not found";
    case ErrorKind::Denied: return "denied";
    case ErrorKind::Unavailable: return "unavailable";
    case ErrorKind::TimedOut: return "timed out";
    case ErrorKind::Protocol: return "protocol";
    case ErrorKind::Limit: return "limit";
    case ErrorKind::Closed: return "closed";
    case ErrorKind::System: return "system";
    case ErrorKind::Crypto: return "crypto";
  }
  broken("ErrorKind out of range");
}

Error Error::in(std::string_view doing) && {
  return Error{kind, std::string(doing) + ": " + what};
}

std::unexpected<Error> fail(ErrorKind kind, std::string what) {
  return std::unexpected(Error{kind, std::move(what)});
}

std::unexpected<Error> fail_errno(std::string_view doing) {
  return fail_errno(doing, errno);
}

std::unexpected<Error> fail_errno(std::string_view doing, int error_number) {
  ErrorKind kind = ErrorKind::System;
  if (error_number == ENOENT) kind = ErrorKind::NotFound;
  if (error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS || error_number == ENOMEM ||
      error_number == EADDRNOTAVAIL)
    kind = ErrorKind::Limit;
  if (error_number == EACCES || error_number == EPERM) kind = ErrorKind::Denied;
  return fail(kind, std::string(doing) + ": " + std::generic_category().message(error_number));
}

void broken(const char* what) {
  std::fprintf(stderr, "cipherway: broken invariant: %s\n", what);
  std::abort();
}

}  // namespace cipherway
