#pragma once

#include "authority/profile.h"
#include "authority/store.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace cipherway::authority {

inline constexpr std::chrono::seconds kLeafLifetime = std::chrono::hours(24);
inline constexpr std::chrono::seconds kIntermediateLifetime = std::chrono::hours(24 * 365 * 5);
inline constexpr std::chrono::seconds kRootLifetime = std::chrono::hours(24 * 365 * 10);
/// How far notBefore lies in the past, for verifiers whose clocks are late.
inline constexpr std::chrono::seconds kBackdated = std::chrono::minutes(1);
/// A certificate with more names than a reader of ours reads would have none (identity::kMostNames).
inline constexpr std::size_t kMostIssuedNames = identity::kMostNames;

/// What a new authority is to be.
struct Plan {
  std::string trust_domain;
  std::vector<std::string> permitted_dns;  ///< domains: each and all below it
  std::vector<std::string> permitted_ip;   ///< blocks
  KeyChoice key;                           ///< of root and intermediate
  std::string keys;  ///< an existing folder for root.key and intermediate.key; empty: the state directory
  std::chrono::seconds root_lifetime = kRootLifetime;
  std::chrono::seconds intermediate_lifetime = kIntermediateLifetime;
};

/// What a certificate is asked for.
struct Request {
  std::vector<std::string> names;  ///< 1 to 100, at most one of them a SPIFFE ID, which has a path
  Usage usage = Usage::Both;
  std::chrono::seconds lifetime = kLeafLifetime;
  /// The key that is certified: made here, of this kind, and handed out once, unless the requester keeps it.
  KeyChoice key;
  /// PEM of a PKCS#10 request (RFC 2986), whose signature proves that the requester has the key, or nothing. Only the
  /// public key is taken from it: names, usage and lifetime are what this Request says.
  std::string csr;
};

/// What was issued. It is in the database by the time a caller has it.
struct Issued {
  identity::Certificate leaf;
  std::string chain_pem;               ///< leaf and intermediate
  std::optional<SecretBytes> key_pem;  ///< PKCS#8, when the key was made here
  bool shortened = false;              ///< the lifetime was cut so that the leaf does not outlive its issuer
};

/// The certificate authority of one trust domain: a root that signed an intermediate, and the intermediate, which signs
/// leaves. It lives in a state directory (mode 0700) with authority.db and, unless the operator chose another folder,
/// root.key and intermediate.key (PKCS#8, mode 0600). After init nothing needs root.key: move it offline.
///
/// Runs wherever the operator runs `cipherway authority`; no daemon of a node opens these files.
class Authority {
 public:
  /// Makes a new authority. Existing files are never touched: Denied. What was made before a failure is removed.
  static Result<Authority> init(const std::string& directory, const Plan& plan,
                                WallClock::time_point now = WallClock::now());
  static Result<Authority> open(const std::string& directory);

  /// Issues one certificate and records it. Denied: a name outside the constraints. Invalid: a bad request.
  Result<Issued> issue(const Request& request, WallClock::time_point now = WallClock::now());

  /// The trust bundle that verifiers need: the root, in PEM.
  std::string bundle() const { return founding_.root.to_pem(); }
  /// Everything that was ever issued, oldest first.
  Result<std::vector<Record>> list() const { return store_.records(); }

  const Constraints& constraints() const { return founding_.constraints; }
  const identity::Certificate& root() const { return founding_.root; }
  const identity::Certificate& intermediate() const { return founding_.intermediate; }
  std::string root_key_path() const;
  std::string intermediate_key_path() const;

 private:
  Authority(std::string directory, Store store, Founding founding)
      : directory_(std::move(directory)), store_(std::move(store)), founding_(std::move(founding)) {}

  Result<crypto::KeyHandle> intermediate_key() const;

  std::string directory_;
  Store store_;
  Founding founding_;
};

}  // namespace cipherway::authority
