#include "keyholder/provider.h"

#include "crypto/signature.h"
#include "keyholder/client_state.h"
#include "keyholder/statement.h"

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include <array>
#include <cstring>

namespace cipherway::keyholder {

namespace {

constexpr const char* kSignatureName = "CIPHERWAY-SIGNATURE";
// How key_for hands a KeyParts to the key management's import: its address, in an OSSL_PARAM of this name.
constexpr const char* kPartsParam = "cipherway-key-parts";

// ---------------------------------------------------------------------------------------------- keys

/// One of OpenSSL's key objects. Without `state` it is a public key only: what libssl makes of a certificate's key in
/// order to compare it with one of ours.
struct Key {
  std::shared_ptr<Client::State> state;
  std::string identity;
  crypto::KeyHandle public_key;  // of the default provider
  crypto::KeyType type = crypto::KeyType::P256;
  std::uint32_t generation = 0;  // which keyholder has it: Client::begin_generation
};

Key* as_key(void* object) {
  return static_cast<Key*>(object);
}
const Key* as_key(const void* object) {
  return static_cast<const Key*>(object);
}

void* key_new(void*) {
  return new Key;
}

void key_free(void* object) {
  delete as_key(object);
}

int key_has(const void* object, int selection) {
  const Key* key = as_key(object);
  if (key->public_key == nullptr) return 0;
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key->state != nullptr;
}

int key_match(const void* one, const void* other, int) {
  return EVP_PKEY_eq(as_key(one)->public_key.get(), as_key(other)->public_key.get()) == 1;
}

template <const auto* Name>
int key_import(void* object, int, const OSSL_PARAM params[]) {
  Key* key = as_key(object);
  if (const OSSL_PARAM* param = OSSL_PARAM_locate_const(params, kPartsParam)) {
    const void* parts = nullptr;
    std::size_t size = 0;
    if (OSSL_PARAM_get_octet_ptr(param, &parts, &size) != 1 || size != sizeof(Key)) return 0;
    const Key* from = as_key(parts);
    key->state = from->state;
    key->identity = from->identity;
    key->public_key = crypto::share(from->public_key);
    key->type = from->type;
    key->generation = from->generation;
    return 1;
  }
  // A public key of another provider, imported to be compared with one of ours.
  crypto::KeyContextHandle context(EVP_PKEY_CTX_new_from_name(nullptr, *Name, "provider=default"));
  EVP_PKEY* imported = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &imported, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(params)) != 1)
    return 0;
  key->public_key.reset(imported);
  auto type = crypto::type_of(imported);
  if (!type) return 0;
  key->type = *type;
  return 1;
}

const OSSL_PARAM* key_import_types(int) {
  static const OSSL_PARAM types[] = {
      OSSL_PARAM_octet_ptr(kPartsParam, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
      OSSL_PARAM_END,
  };
  return types;
}

int key_export(void* object, int selection, OSSL_CALLBACK* callback, void* argument) {
  const Key* key = as_key(object);
  // There is no private part here to export. Asking for it is an error and not an empty answer.
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || key->public_key == nullptr) return 0;
  return EVP_PKEY_export(key->public_key.get(), selection, callback, argument);
}

const OSSL_PARAM* key_export_types(int selection) {
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? nullptr : key_import_types(selection) + 1;
}

int key_get_params(void* object, OSSL_PARAM params[]) {
  const Key* key = as_key(object);
  return key->public_key != nullptr && EVP_PKEY_get_params(key->public_key.get(), params) == 1;
}

const OSSL_PARAM* key_gettable_params(void*) {
  static const OSSL_PARAM types[] = {
      OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, nullptr, 0),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
      OSSL_PARAM_END,
  };
  return types;
}

/// Signatures with these keys are made by an algorithm that only this provider has.
const char* key_operation_name(int operation) {
  return operation == OSSL_OP_SIGNATURE ? kSignatureName : nullptr;
}

// ---------------------------------------------------------------------------------------------- signatures

/// One signature operation, as libssl drives it: init, perhaps parameters, and then the statement in one piece or in
/// several.
struct Operation {
  Key* key = nullptr;  // OpenSSL keeps the key object alive
  std::string digest;  // "SHA256", or empty for Ed25519
  int padding = RSA_PKCS1_PADDING;
  bool salt_as_long_as_digest = false;
  Bytes statement;  // of the update calls
};

Operation* as_operation(void* context) {
  return static_cast<Operation*>(context);
}

int report(const std::string& why) {
  ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "keyholder: %s", why.c_str());
  return 0;
}

void* signature_new(void*, const char*) {
  return new Operation;
}

void signature_free(void* context) {
  delete as_operation(context);
}

void* signature_dup(void* context) {
  return new Operation(*as_operation(context));
}

std::size_t digest_bytes(std::string_view digest) {
  return digest == "SHA256" ? 32 : digest == "SHA384" ? 48 : digest == "SHA512" ? 64 : 0;
}

/// OpenSSL knows a digest by several names.
std::string canonical_digest(const char* name) {
  if (name == nullptr || *name == '\0') return {};
  for (std::string_view known : {"SHA256", "SHA384", "SHA512"}) {
    if (OPENSSL_strcasecmp(name, known.data()) == 0) return std::string(known);
    if (OPENSSL_strcasecmp(name, ("SHA2-" + std::string(known.substr(3))).c_str()) == 0) return std::string(known);
  }
  return name;
}

Result<crypto::SignatureScheme> scheme_of(const Operation& operation) {
  using crypto::SignatureScheme;
  const std::string& digest = operation.digest;
  switch (operation.key->type) {
    case crypto::KeyType::P256:
      if (digest == "SHA256") return SignatureScheme::EcdsaP256Sha256;
      break;
    case crypto::KeyType::P384:
      if (digest == "SHA384") return SignatureScheme::EcdsaP384Sha384;
      break;
    case crypto::KeyType::Ed25519:
      if (digest.empty()) return SignatureScheme::Ed25519;
      break;
    case crypto::KeyType::Rsa:
      if (operation.padding != RSA_PKCS1_PSS_PADDING || !operation.salt_as_long_as_digest) break;
      if (digest == "SHA256") return SignatureScheme::RsaPssSha256;
      if (digest == "SHA384") return SignatureScheme::RsaPssSha384;
      if (digest == "SHA512") return SignatureScheme::RsaPssSha512;
      break;
  }
  return fail(ErrorKind::Invalid, "no signature scheme of ours for a " +
                                      std::string(crypto::to_string(operation.key->type)) + " key with digest \"" +
                                      digest + "\" and this padding");
}

int signature_set_params(void* context, const OSSL_PARAM params[]) {
  Operation* operation = as_operation(context);
  if (params == nullptr) return 1;
  if (const OSSL_PARAM* p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) {
    if (p->data_type == OSSL_PARAM_UTF8_STRING)
      operation->padding = std::strcmp(static_cast<const char*>(p->data), OSSL_PKEY_RSA_PAD_MODE_PSS) == 0
                               ? RSA_PKCS1_PSS_PADDING
                               : RSA_PKCS1_PADDING;
    else if (OSSL_PARAM_get_int(p, &operation->padding) != 1)
      return 0;
  }
  if (const OSSL_PARAM* p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN)) {
    int length = 0;
    if (p->data_type == OSSL_PARAM_UTF8_STRING) {
      const char* text = static_cast<const char*>(p->data);
      length = std::strcmp(text, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0 ? RSA_PSS_SALTLEN_DIGEST : std::atoi(text);
    } else if (OSSL_PARAM_get_int(p, &length) != 1) {
      return 0;
    }
    operation->salt_as_long_as_digest =
        length == RSA_PSS_SALTLEN_DIGEST ||
        (length > 0 && static_cast<std::size_t>(length) == digest_bytes(operation->digest));
    if (!operation->salt_as_long_as_digest) return report("an RSA-PSS salt is as long as the digest in TLS");
  }
  return 1;
}

const OSSL_PARAM* signature_settable_params(void*, void*) {
  static const OSSL_PARAM types[] = {
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
      OSSL_PARAM_END,
  };
  return types;
}

int signature_init(void* context, const char* digest, void* key, const OSSL_PARAM params[]) {
  Operation* operation = as_operation(context);
  if (key != nullptr) operation->key = as_key(key);
  if (operation->key == nullptr || operation->key->state == nullptr) return report("not a key of a keyholder");
  operation->digest = canonical_digest(digest);
  operation->statement.clear();
  operation->padding = RSA_PKCS1_PADDING;
  operation->salt_as_long_as_digest = false;
  // Here libssl learns which signature algorithms a key can be used with.
  bool known = false;
  switch (operation->key->type) {
    case crypto::KeyType::P256: known = operation->digest == "SHA256"; break;
    case crypto::KeyType::P384: known = operation->digest == "SHA384"; break;
    case crypto::KeyType::Ed25519: known = operation->digest.empty(); break;
    case crypto::KeyType::Rsa: known = digest_bytes(operation->digest) > 0; break;
  }
  if (!known) return report("a key of this type is not used with digest \"" + operation->digest + "\"");
  return signature_set_params(context, params);
}

/// Asks the keyholder and pauses the job until the answer is there.
int ask(const Operation& operation, BytesView statement, std::uint8_t* out, std::size_t* size, std::size_t room) {
  Client::State& state = *operation.key->state;
  auto scheme = scheme_of(operation);
  if (!scheme) return report(scheme.error().what);
  // The keyholder checks for itself, and ends a peer that asks for anything else. This check is for what a remote peer
  // can cause (a TLS 1.2 transcript that is too long, say): it costs one handshake and not the worker.
  if (statement.size() > kMostStatementBytes) return report("the handshake is too long to be signed");
  if (auto kind = recognise(statement); !kind) return report(kind.error().what);
  if (state.closed) return report("there is no client any more");
  if (ASYNC_get_current_job() == nullptr || state.waiter == nullptr)
    return report("a key of a keyholder signs in an ASYNC job only, with somebody named to wait for it");

  PendingSignature pending;
  pending.identity = operation.key->identity;
  pending.generation = operation.key->generation;
  pending.scheme = static_cast<std::uint16_t>(*scheme);
  pending.statement = statement;
  pending.waiter = state.waiter;
  pending.room = {out, room};
  std::uint32_t id = state.start(pending);
  std::uint64_t calls = state.calls;
  while (pending.state == PendingSignature::State::Waiting) {
    if (ASYNC_pause_job() != 1 || (pending.state == PendingSignature::State::Waiting && state.calls == calls)) {
      state.forget(id);
      return report("the job could not be paused");
    }
    calls = state.calls;
  }
  if (pending.state == PendingSignature::State::Failed) return report(pending.reason);
  *size = pending.size;
  return 1;
}

int signature_sign(void* context, unsigned char* out, std::size_t* size, std::size_t room,
                   const unsigned char* statement, std::size_t statement_size) {
  const Operation* operation = as_operation(context);
  if (operation->key == nullptr) return report("signing before init");
  auto most = static_cast<std::size_t>(EVP_PKEY_get_size(operation->key->public_key.get()));
  if (out == nullptr) {
    *size = most;
    return 1;
  }
  return ask(*operation, {statement, statement_size}, out, size, room);
}

int signature_update(void* context, const unsigned char* data, std::size_t size) {
  Operation* operation = as_operation(context);
  if (size > kMostStatementBytes - operation->statement.size()) return report("the handshake is too long to be signed");
  operation->statement.insert(operation->statement.end(), data, data + size);
  return 1;
}

int signature_final(void* context, unsigned char* out, std::size_t* size, std::size_t room) {
  const Operation* operation = as_operation(context);
  return signature_sign(context, out, size, room, operation->statement.data(), operation->statement.size());
}

// ---------------------------------------------------------------------------------------------- the provider

template <class F>
OSSL_DISPATCH entry(int id, F* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}
constexpr OSSL_DISPATCH kEnd{0, nullptr};

constexpr const char* kEc = "EC";
constexpr const char* kRsa = "RSA";
constexpr const char* kEd25519 = "ED25519";

template <const auto* Name>
const OSSL_DISPATCH* key_functions() {
  static const OSSL_DISPATCH functions[] = {
      entry(OSSL_FUNC_KEYMGMT_NEW, &key_new),
      entry(OSSL_FUNC_KEYMGMT_FREE, &key_free),
      entry(OSSL_FUNC_KEYMGMT_HAS, &key_has),
      entry(OSSL_FUNC_KEYMGMT_MATCH, &key_match),
      entry(OSSL_FUNC_KEYMGMT_IMPORT, &key_import<Name>),
      entry(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, &key_import_types),
      entry(OSSL_FUNC_KEYMGMT_EXPORT, &key_export),
      entry(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, &key_export_types),
      entry(OSSL_FUNC_KEYMGMT_GET_PARAMS, &key_get_params),
      entry(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, &key_gettable_params),
      entry(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, &key_operation_name),
      kEnd,
  };
  return functions;
}

const OSSL_ALGORITHM* query(void*, int operation, int* no_cache) {
  static const OSSL_DISPATCH signature_functions[] = {
      entry(OSSL_FUNC_SIGNATURE_NEWCTX, &signature_new),
      entry(OSSL_FUNC_SIGNATURE_FREECTX, &signature_free),
      entry(OSSL_FUNC_SIGNATURE_DUPCTX, &signature_dup),
      entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, &signature_init),
      entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, &signature_sign),
      entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, &signature_update),
      entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, &signature_final),
      entry(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, &signature_set_params),
      entry(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, &signature_settable_params),
      kEnd,
  };
  // The names of the default provider's key types: libssl asks a key whether it "is a" EC or RSA key.
  static const OSSL_ALGORITHM keys[] = {
      {"EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=cipherway", key_functions<&kEc>(), nullptr},
      {"RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=cipherway", key_functions<&kRsa>(), nullptr},
      {"ED25519:1.3.101.112", "provider=cipherway", key_functions<&kEd25519>(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  };
  static const OSSL_ALGORITHM signatures[] = {
      {kSignatureName, "provider=cipherway", signature_functions, nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  };
  *no_cache = 0;
  if (operation == OSSL_OP_KEYMGMT) return keys;
  if (operation == OSSL_OP_SIGNATURE) return signatures;
  return nullptr;
}

void teardown(void*) {}

int initialise(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
  static const OSSL_DISPATCH functions[] = {
      entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, &query),
      entry(OSSL_FUNC_PROVIDER_TEARDOWN, &teardown),
      kEnd,
  };
  *out = functions;
  // Operations must have a provider context; ours keep everything in their key.
  *context = const_cast<OSSL_CORE_HANDLE*>(handle);
  return 1;
}

/// The library context that our provider is alone in, as long as the process lives; nullptr if it could not be made. In
/// the default one, OpenSSL 3.0 might take our key management for anybody who asks for "EC" of no provider in
/// particular: its cache of methods does not tell such a request from one that names a provider.
OSSL_LIB_CTX* own_context() {
  static OSSL_LIB_CTX* const context = [] {
    OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
    if (made != nullptr && OSSL_PROVIDER_add_builtin(made, "cipherway", &initialise) == 1 &&
        OSSL_PROVIDER_load(made, "cipherway") != nullptr)
      return made;
    OSSL_LIB_CTX_free(made);
    return static_cast<OSSL_LIB_CTX*>(nullptr);
  }();
  return context;
}

const char* name_of(crypto::KeyType type) {
  switch (type) {
    case crypto::KeyType::P256:
    case crypto::KeyType::P384: return kEc;
    case crypto::KeyType::Ed25519: return kEd25519;
    case crypto::KeyType::Rsa: return kRsa;
  }
  broken("KeyType out of range");
}

}  // namespace

Result<crypto::KeyHandle> make_key_object(const std::shared_ptr<Client::State>& state, const std::string& identity,
                                          const crypto::KeyHandle& public_key) {
  if (own_context() == nullptr) return crypto::fail_openssl("load the cipherway provider");
  // The public half anew, from its DER: the handle that we were given might have a private half.
  Bytes der = TRY(crypto::public_key_der(public_key.get()));
  Key parts{state, identity, TRY(crypto::public_key_from_der(der)), TRY(crypto::type_of(public_key.get())),
            state->generation};
  if (identity.empty() || identity.size() > kMostNameBytes)
    return fail(ErrorKind::Invalid, "an identity's name has 1 to 96 bytes");
  crypto::KeyContextHandle context(EVP_PKEY_CTX_new_from_name(own_context(), name_of(parts.type), nullptr));
  void* address = &parts;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_ptr(kPartsParam, &address, sizeof parts),
                         OSSL_PARAM_construct_end()};
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params) != 1)
    return crypto::fail_openssl("make a key object for identity \"" + identity + "\"");
  return crypto::KeyHandle(key);
}

}  // namespace cipherway::keyholder
