#pragma once

#include "identity/certificate.h"
#include "identity/name.h"
#include "tls/handle.h"
#include "tls/keys.h"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cipherway::tls {

class TicketKeys;

/// Once per process, before its sandbox: whatever OpenSSL needs files or forbidden system calls for. No configuration
/// file of OpenSSL is read, and its memory is wiped when it is freed.
Result<void> set_up_library();

enum class Version { Tls12, Tls13 };
enum class Role { Server, Client };

/// Everything that decides what one side of a channel offers and accepts.
struct Settings {
  /// The certificate that this side shows, and the name of its identity at the keyholder.
  struct Shown {
    std::string identity;
    identity::Chain chain;
  };
  /// Whom this side believes, and whom it lets in.
  struct Peer {
    identity::TrustBundle trust;
    identity::AccessPolicy policy;
  };

  Role role = Role::Server;
  Version minimum_version = Version::Tls13;
  std::vector<std::string> alpn;  ///< in order of preference; empty: no ALPN
  std::optional<Shown> shown;     ///< a server needs one; a client shows it when asked
  std::optional<Peer> peer;       ///< a client needs one; a server that has one demands a client certificate
  std::string server_name;        ///< clients: SNI, empty for none
  std::string scope;              ///< names the channel side: sessions are not resumed in another scope
};

/// Certificates that may stand between a peer's leaf and a trusted one.
inline constexpr int kMostIntermediates = 4;

/// One side of a channel, ready to make sessions (an SSL_CTX). Belongs to one worker. A change of any setting makes a
/// new one; sessions that were made under another trust, policy or identity are then not resumed but authorised afresh.
class Context {
 public:
  static Result<std::shared_ptr<Context>> make(Settings settings, Keys& keys);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Settings& settings() const { return settings_; }
  Keys& keys() const { return keys_; }
  ssl_ctx_st* get() const { return context_.get(); }
  const TicketKeys* tickets() const { return tickets_.get(); }

  /// Clients: remembers a session for resumption with the peer named by `target`, and hands it out once (RFC 8446,
  /// appendix C.4), or nullptr. A session whose peer would not be let in now is not handed out.
  void remember(const std::string& target, SslSessionHandle session);
  SslSessionHandle recall(const std::string& target);

 private:
  Context(Settings settings, Keys& keys) : settings_(std::move(settings)), keys_(keys) {}
  Result<void> set_up();
  Result<void> set_up_identity();
  Result<void> set_up_peer();
  void set_up_tickets();

  Settings settings_;
  Keys& keys_;
  SslContextHandle context_;
  std::shared_ptr<TicketKeys> tickets_;
  std::unordered_map<std::string, std::vector<SslSessionHandle>> sessions_;
};

}  // namespace cipherway::tls
