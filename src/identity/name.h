#pragma once

#include "base/error.h"
#include "identity/pin.h"

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway::identity {

enum class NameKind { Spiffe, Dns, Ip };

std::string_view to_string(NameKind kind);  // "spiffe", "dns", "ip"

/// The longest SPIFFE ID (SPIFFE-ID, section 2.3) and the longest trust domain (section 2.1), in bytes.
inline constexpr std::size_t kMostSpiffeBytes = 2048;
inline constexpr std::size_t kMostTrustDomainBytes = 255;

/// One name of an identity, as it stands in a certificate's subjectAltName. Canonical: DNS in lower case without a
/// trailing dot; IP as inet_ntop writes it; SPIFFE ID as the SPIFFE ID specification allows it (section 2: scheme and
/// trust domain in lower case, no port, user, query, fragment, percent-encoding or empty or dot segments, at most
/// 2,048 bytes).
struct Name {
  NameKind kind;
  std::string text;

  /// "spiffe://example.org/a/b", "10.0.0.1", "2001:db8::1", "shop.example.org" or "*.example.org". Anything else is an
  /// Invalid error that says which rule it breaks. A name that was parsed parses again to itself.
  static Result<Name> parse(std::string_view text);
  auto operator<=>(const Name&) const = default;
};

/// Their texts, with spaces between them: for logs.
std::string in_words(const std::vector<Name>& names);
/// An error unless `text` is a trust domain alone ("example.org"): 1 to 255 bytes of a-z, 0-9, dot, dash, underscore.
Result<void> check_trust_domain(std::string_view text);
/// The trust domain of a SPIFFE ID ("example.org"); empty for names of other kinds.
std::string_view trust_domain_of(const Name& name);

/// Which names an operator accepts: a SPIFFE ID in which a segment may be `*` (exactly one segment) and the last may
/// be `**` (one or more); a DNS name, exact or `*.example.org` (exactly one label); an IP address; the word `any`
/// (so the DNS name `any` has no pattern); or a key, `spki-sha256:BASE64`, whatever its certificate calls it.
class NamePattern {
 public:
  static Result<NamePattern> parse(std::string_view text);
  /// A name from a certificate matches only patterns of its own kind (or `any`). A DNS name with a wildcard in the
  /// certificate matches a pattern whose text is the same, or an exact DNS pattern that it covers (RFC 9525, 6.3).
  bool matches(const Name& name) const;
  /// A key matches a pattern that names it and no other: `any` is any name.
  bool matches(const KeyPin& pin) const;
  bool is_pin() const { return form_ == Form::Key; }
  /// The canonical text, which parses to the same pattern.
  const std::string& text() const { return text_; }

 private:
  enum class Form { Any, Spiffe, Dns, Ip, Key };
  NamePattern(Form form, std::string text) : form_(form), text_(std::move(text)) {}

  Form form_;
  std::string text_;
};

/// Who may be at the other end: nobody, unless a pattern matches. Pure, and applied to full and resumed sessions alike.
class AccessPolicy {
 public:
  explicit AccessPolicy(std::vector<NamePattern> allowed) : allowed_(std::move(allowed)) {}
  /// The presented name that a pattern accepts, or nullptr: deny by default. `any` accepts a peer with no name at all
  /// only if `names` is not empty. A peer that presents two SPIFFE IDs is accepted under neither (X509-SVID, section 2:
  /// exactly one), nor under its other names: which of the two it is would be for an adversary to choose.
  const Name* accepts(const std::vector<Name>& names) const;
  /// Whether a pattern names this key. Its certificate may say what it likes; it must still be genuine.
  bool accepts_key(const KeyPin& pin) const;
  bool has_pins() const;
  const std::vector<NamePattern>& allowed() const { return allowed_; }

 private:
  std::vector<NamePattern> allowed_;
};

}  // namespace cipherway::identity
