#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <array>
#include <string>
#include <string_view>

namespace cipherway::identity {

/// A public key, named by the SHA-256 of its SubjectPublicKeyInfo (RFC 7469, section 2.4): what stays the same when a
/// certificate is renewed with the same key.
class KeyPin {
 public:
  static constexpr std::string_view kPrefix = "spki-sha256:";

  /// "spki-sha256:" and 32 bytes in base64 (RFC 4648, section 4) as everybody writes them: 44 characters, one of them
  /// padding. A pin has one text.
  static Result<KeyPin> parse(std::string_view text);
  /// Of the DER of a SubjectPublicKeyInfo.
  static KeyPin of(BytesView spki);

  std::string to_string() const;
  bool operator==(const KeyPin&) const = default;

 private:
  std::array<std::uint8_t, 32> hash_{};
};

}  // namespace cipherway::identity
