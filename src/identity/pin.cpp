#include "identity/pin.h"

#include "crypto/kdf.h"

#include <openssl/evp.h>

#include <algorithm>

namespace cipherway::identity {

namespace {

constexpr std::size_t kBase64Bytes = 44;

std::unexpected<Error> no_pin(std::string_view why) {
  return fail(ErrorKind::Invalid,
              std::string(why) + "; write spki-sha256: and 44 characters of base64, the last of which is '='");
}

}  // namespace

Result<KeyPin> KeyPin::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) return no_pin("not a pin");
  std::string_view base64 = text.substr(kPrefix.size());
  if (base64.size() == 64 && base64.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos)
    return no_pin("the pin is in hexadecimal");
  if (base64.size() != kBase64Bytes || base64[43] != '=' || base64[42] == '=')
    return no_pin("the pin is not the base64 of 32 bytes");
  // Decodes a padded block to 33 bytes, of which the last is none.
  std::array<std::uint8_t, 33> decoded{};
  if (EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(base64.data()), kBase64Bytes) != 33)
    return no_pin("the pin is not base64");
  KeyPin pin;
  std::copy_n(decoded.begin(), pin.hash_.size(), pin.hash_.begin());
  // White space, and bits that stand for nothing.
  if (pin.to_string() != text) return no_pin("the pin is not base64");
  return pin;
}

KeyPin KeyPin::of(BytesView spki) {
  KeyPin pin;
  std::ranges::copy(crypto::sha256(spki), pin.hash_.begin());
  return pin;
}

std::string KeyPin::to_string() const {
  std::array<unsigned char, kBase64Bytes + 1> base64{};  // and the zero that OpenSSL writes
  EVP_EncodeBlock(base64.data(), hash_.data(), static_cast<int>(hash_.size()));
  return std::string(kPrefix) + std::string(base64.begin(), base64.begin() + kBase64Bytes);
}

}  // namespace cipherway::identity
