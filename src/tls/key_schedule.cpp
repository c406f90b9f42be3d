// SHA-256 and SHA-384 by their direct functions, which are deprecated in favour of those that cost what this file
// saves.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tls/key_schedule.h"

#include "base/bytes.h"
#include "crypto/handle.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>

namespace cipherway::tls {

namespace {

struct Sha256 {
  static constexpr std::size_t kBytes = SHA256_DIGEST_LENGTH;
  static constexpr std::size_t kBlock = SHA256_CBLOCK;
  SHA256_CTX state;
  void begin() { SHA256_Init(&state); }
  void add(BytesView bytes) { SHA256_Update(&state, bytes.data(), bytes.size()); }
  void end(std::uint8_t* out) { SHA256_Final(out, &state); }
};

struct Sha384 {
  static constexpr std::size_t kBytes = SHA384_DIGEST_LENGTH;
  static constexpr std::size_t kBlock = SHA512_CBLOCK;
  SHA512_CTX state;
  void begin() { SHA384_Init(&state); }
  void add(BytesView bytes) { SHA384_Update(&state, bytes.data(), bytes.size()); }
  void end(std::uint8_t* out) { SHA384_Final(out, &state); }
};

/// On the stack, and gone when its scope ends.
template <class T>
struct Wiped {
  T value{};
  Wiped() = default;
  ~Wiped() { OPENSSL_cleanse(&value, sizeof value); }
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
};

template <class Hash>
using Digest = std::array<std::uint8_t, Hash::kBytes>;

/// HMAC (RFC 2104) of the parts one after the other.
template <class Hash>
void hmac(BytesView key, std::initializer_list<BytesView> parts, std::uint8_t* out) {
  Wiped<std::array<std::uint8_t, Hash::kBlock>> pad;
  Wiped<Hash> hash;
  if (key.size() > Hash::kBlock) {
    hash.value.begin();
    hash.value.add(key);
    hash.value.end(pad.value.data());
  } else {
    std::ranges::copy(key, pad.value.begin());
  }
  for (auto& byte : pad.value) byte ^= 0x36;
  hash.value.begin();
  hash.value.add(pad.value);
  for (BytesView part : parts) hash.value.add(part);
  Wiped<Digest<Hash>> inner;
  hash.value.end(inner.value.data());
  for (auto& byte : pad.value) byte ^= 0x36 ^ 0x5c;
  hash.value.begin();
  hash.value.add(pad.value);
  hash.value.add(inner.value);
  hash.value.end(out);
}

struct Label {
  BytesView prefix;  // "tls13 "
  BytesView label;
  BytesView context;
};

/// HKDF-Expand-Label (RFC 8446, section 7.1) over HKDF-Expand (RFC 5869, section 2.3).
template <class Hash>
bool expand(BytesView secret, const Label& label, std::span<std::uint8_t> out) {
  std::size_t name = label.prefix.size() + label.label.size();
  if (out.empty() || out.size() > 255 * Hash::kBytes || name > 255 || label.context.size() > 255) return false;
  std::uint8_t length[] = {static_cast<std::uint8_t>(out.size() >> 8), static_cast<std::uint8_t>(out.size()),
                           static_cast<std::uint8_t>(name)};
  std::uint8_t context[] = {static_cast<std::uint8_t>(label.context.size())};
  Wiped<Digest<Hash>> block;
  BytesView before;  // T(0) is empty
  for (std::uint8_t number = 1; !out.empty(); ++number) {
    hmac<Hash>(secret, {before, length, label.prefix, label.label, context, label.context, BytesView(&number, 1)},
               block.value.data());
    before = block.value;
    std::size_t count = std::min(out.size(), Hash::kBytes);
    std::memcpy(out.data(), block.value.data(), count);
    out = out.subspan(count);
  }
  return true;
}

/// The next secret of the schedule: HKDF-Extract with what the one before derives under `label` as its salt.
template <class Hash>
bool extract(BytesView before, BytesView input, const Label& label, std::span<std::uint8_t> out) {
  if (out.size() != Hash::kBytes) return false;
  Digest<Hash> zeros{};
  Wiped<Digest<Hash>> salt;
  BytesView salt_view;
  if (!before.empty()) {
    Digest<Hash> nothing;  // the hash of no messages
    Hash hash;
    hash.begin();
    hash.end(nothing.data());
    if (before.size() != Hash::kBytes ||
        !expand<Hash>(before, {label.prefix, label.label, nothing}, std::span(salt.value)))
      return false;
    salt_view = salt.value;
  }
  hmac<Hash>(salt_view, {input.empty() ? BytesView(zeros) : input}, out.data());
  return true;
}

// ---------------------------------------------------------------------------------------------- the provider

bool octets(const OSSL_PARAM params[], const char* name, BytesView& into) {
  const OSSL_PARAM* param = OSSL_PARAM_locate_const(params, name);
  if (param == nullptr) return true;
  if (param->data_type != OSSL_PARAM_OCTET_STRING) return false;
  into = {static_cast<const std::uint8_t*>(param->data), param->data_size};
  return true;
}

/// -1 when there is none.
int mode_in(const OSSL_PARAM params[]) {
  const OSSL_PARAM* param = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_MODE);
  int mode = -1;
  if (param == nullptr || OSSL_PARAM_get_int(param, &mode) != 1) return -1;
  return mode;
}

template <class Hash>
int derive_with(int mode, BytesView key, BytesView salt, const Label& label, std::span<std::uint8_t> out) {
  if (mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY) return !key.empty() && expand<Hash>(key, label, out) ? 1 : 0;
  if (mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) return extract<Hash>(salt, key, label, out) ? 1 : 0;
  return 0;
}

int derive(void*, unsigned char* out, std::size_t size, const OSSL_PARAM params[]) {
  BytesView key, salt;
  Label label;
  const OSSL_PARAM* digest = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_DIGEST);
  const char* name = nullptr;
  if (digest == nullptr || OSSL_PARAM_get_utf8_string_ptr(digest, &name) != 1 ||
      !octets(params, OSSL_KDF_PARAM_KEY, key) || !octets(params, OSSL_KDF_PARAM_SALT, salt) ||
      !octets(params, OSSL_KDF_PARAM_PREFIX, label.prefix) || !octets(params, OSSL_KDF_PARAM_LABEL, label.label) ||
      !octets(params, OSSL_KDF_PARAM_DATA, label.context))
    return 0;
  int mode = mode_in(params);
  if (OPENSSL_strcasecmp(name, "SHA256") == 0 || OPENSSL_strcasecmp(name, "SHA2-256") == 0)
    return derive_with<Sha256>(mode, key, salt, label, {out, size});
  if (OPENSSL_strcasecmp(name, "SHA384") == 0 || OPENSSL_strcasecmp(name, "SHA2-384") == 0)
    return derive_with<Sha384>(mode, key, salt, label, {out, size});
  return 0;
}

/// A derivation gets all it needs with its call: its context is empty, and there is one of it.
void* new_context(void*) {
  static int only;
  return &only;
}
void free_context(void*) {}
void reset_context(void*) {}

template <class F>
OSSL_DISPATCH entry(int id, F* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM* query(void*, int operation, int* no_cache) {
  static const OSSL_DISPATCH functions[] = {
      entry(OSSL_FUNC_KDF_NEWCTX, &new_context),
      entry(OSSL_FUNC_KDF_FREECTX, &free_context),
      entry(OSSL_FUNC_KDF_RESET, &reset_context),
      entry(OSSL_FUNC_KDF_DERIVE, &derive),
      {0, nullptr},
  };
  static const OSSL_ALGORITHM algorithms[] = {
      {OSSL_KDF_NAME_TLS1_3_KDF, "provider=cipherway-tls", functions, nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  };
  *no_cache = 0;
  return operation == OSSL_OP_KDF ? algorithms : nullptr;
}

void teardown(void*) {}

int initialise(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
  static const OSSL_DISPATCH functions[] = {
      entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, &query),
      entry(OSSL_FUNC_PROVIDER_TEARDOWN, &teardown),
      {0, nullptr},
  };
  *out = functions;
  *context = const_cast<OSSL_CORE_HANDLE*>(handle);
  return 1;
}

}  // namespace

Result<void> load_key_schedule() {
  // The default provider is loaded by itself only as long as no other one is.
  static const bool loaded = OSSL_PROVIDER_load(nullptr, "default") != nullptr &&
                             OSSL_PROVIDER_add_builtin(nullptr, "cipherway-tls", &initialise) == 1 &&
                             OSSL_PROVIDER_load(nullptr, "cipherway-tls") != nullptr;
  if (!loaded) return crypto::fail_openssl("load the key schedule");
  return {};
}

}  // namespace cipherway::tls
