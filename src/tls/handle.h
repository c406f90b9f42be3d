#pragma once

#include <memory>

struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;

/// Ownership of libssl's objects, without its header.
namespace cipherway::tls {

struct ReleasesTls {
  void operator()(ssl_ctx_st* context) const noexcept;
  void operator()(ssl_st* ssl) const noexcept;
  void operator()(ssl_session_st* session) const noexcept;
};

using SslContextHandle = std::unique_ptr<ssl_ctx_st, ReleasesTls>;
using SslHandle = std::unique_ptr<ssl_st, ReleasesTls>;
using SslSessionHandle = std::unique_ptr<ssl_session_st, ReleasesTls>;

}  // namespace cipherway::tls
