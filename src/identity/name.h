#pragma once

#include "base/error.h"

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway::identity {

enum class NameKind { Spiffe, Dns, Ip };

/// One name of an identity, as it stands in a certificate's subjectAltName. Canonical: DNS in lower case without a
/// trailing dot; IP as inet_ntop writes it; SPIFFE ID as the SPIFFE ID specification allows it (section 2: scheme and
/// trust domain in lower case, no port, user, query, fragment, percent-encoding or empty or dot segments, at most
/// 2,048 bytes).
struct Name {
  NameKind kind;
  std::string text;

  /// "spiffe://example.org/a/b", "10.0.0.1", "2001:db8::1", "shop.example.org" or "*.example.org".
  static Result<Name> parse(std::string_view text);
  auto operator<=>(const Name&) const = default;
};

/// Which names an operator accepts: a SPIFFE ID in which a segment may be `*` (exactly one segment) and the last may
/// be `**` (one or more); a DNS name, exact or `*.example.org` (exactly one label); an IP address; or the word `any`.
class NamePattern {
 public:
  static Result<NamePattern> parse(std::string_view text);
  /// A name from a certificate matches only patterns of its own kind (or `any`). A DNS name with a wildcard in the
  /// certificate matches a pattern whose text is the same, or an exact DNS pattern that it covers (RFC 9525, 6.3).
  bool matches(const Name& name) const;
  const std::string& text() const { return text_; }

 private:
  enum class Form { Any, Spiffe, Dns, Ip };
  Form form_ = Form::Any;
  std::string text_;
  std::vector<std::string> segments_;  // of a SPIFFE path; of Spiffe, [0] is the trust domain
};

/// Who may be at the other end: nobody, unless a pattern matches. Pure, and applied to full and resumed sessions alike.
class AccessPolicy {
 public:
  explicit AccessPolicy(std::vector<NamePattern> allowed) : allowed_(std::move(allowed)) {}
  /// The presented name that a pattern accepts, or nullptr: deny by default. `any` accepts a peer with no name at all
  /// only if `names` is not empty.
  const Name* accepts(const std::vector<Name>& names) const;
  const std::vector<NamePattern>& allowed() const { return allowed_; }

 private:
  std::vector<NamePattern> allowed_;
};

}  // namespace cipherway::identity
