#include "tls/key_schedule.h"

#include "base/bytes.h"
#include "crypto/handle.h"
#include "crypto/kdf.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

namespace cipherway::tls {
namespace {

using Kdf = crypto::Handle<EVP_KDF, &EVP_KDF_free>;
using KdfContext = crypto::Handle<EVP_KDF_CTX, &EVP_KDF_CTX_free>;

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

struct Asked {
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::string digest = "SHA256";
  std::optional<Bytes> key, salt, data;
  std::string label = "derived";
  std::size_t size = 32;
};

/// As libssl asks; empty when it was refused.
Bytes derive(const char* query, Asked asked) {
  Kdf kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, query));
  KdfContext context(EVP_KDF_CTX_new(kdf.get()));
  std::string prefix = "tls13 ";
  std::vector<OSSL_PARAM> params{
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &asked.mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, asked.digest.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, asked.label.data(), asked.label.size())};
  auto add = [&](const char* name, std::optional<Bytes>& bytes) {
    if (bytes) params.push_back(OSSL_PARAM_construct_octet_string(name, bytes->data(), bytes->size()));
  };
  add(OSSL_KDF_PARAM_KEY, asked.key);
  add(OSSL_KDF_PARAM_SALT, asked.salt);
  add(OSSL_KDF_PARAM_DATA, asked.data);
  params.push_back(OSSL_PARAM_construct_end());
  Bytes out(asked.size);
  if (EVP_KDF_derive(context.get(), out.data(), out.size(), params.data()) != 1) return {};
  return out;
}

Bytes random(std::size_t size) {
  Bytes bytes(size);
  crypto::random_bytes({bytes.data(), bytes.size()});
  return bytes;
}

TEST(KeyScheduleTest, ItIsTheOneThatContextsPrefer) {
  ASSERT_TRUE(load_key_schedule());
  ASSERT_TRUE(load_key_schedule());
  Kdf ours(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, kPreferKeySchedule));
  Kdf theirs(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, "provider=default"));
  ASSERT_TRUE(ours && theirs);
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(ours.get())), "cipherway-tls");
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(theirs.get())), "default");
  // What it does not have comes from where it came before.
  crypto::Handle<EVP_MD, &EVP_MD_free> digest(EVP_MD_fetch(nullptr, "SHA256", kPreferKeySchedule));
  ASSERT_TRUE(digest);
}

// RFC 8448, section 3: simple 1-RTT handshake.
TEST(KeyScheduleTest, TheSecretsOfRfc8448) {
  ASSERT_TRUE(load_key_schedule());
  Bytes early = derive(kPreferKeySchedule, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY});
  EXPECT_EQ(early, from_hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"));
  Bytes shared = from_hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
  Bytes handshake = derive(kPreferKeySchedule, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .key = shared, .salt = early});
  EXPECT_EQ(handshake, from_hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"));
  Bytes nothing = from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Bytes derived = derive(kPreferKeySchedule, {.key = early, .data = nothing});
  EXPECT_EQ(derived, from_hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"));
  Bytes master = derive(kPreferKeySchedule, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .salt = handshake});
  EXPECT_EQ(master, from_hex("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919"));
}

TEST(KeyScheduleTest, WhatOpenSslDerives) {
  ASSERT_TRUE(load_key_schedule());
  for (const char* digest : {"SHA256", "SHA384", "sha2-256"}) {
    std::size_t size = std::string_view(digest) == "SHA384" ? 48 : 32;
    for (std::size_t round = 0; round < 50; ++round) {
      SCOPED_TRACE(round);
      Asked expand{.digest = digest, .key = random(size), .label = std::string(round % 13, 'l')};
      expand.size = 1 + round * 7;
      if (round % 3 != 0) expand.data = random(round);
      EXPECT_EQ(derive(kPreferKeySchedule, expand), derive("provider=default", expand));
      Asked extract{.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .digest = digest, .size = size};
      if (round % 2 != 0) extract.key = random(1 + round * 5);
      if (round % 3 != 0) extract.salt = random(size);
      Bytes ours = derive(kPreferKeySchedule, extract);
      EXPECT_EQ(ours.size(), size);
      EXPECT_EQ(ours, derive("provider=default", extract));
    }
  }
}

TEST(KeyScheduleTest, WhatMakesNoSenseIsRefused) {
  ASSERT_TRUE(load_key_schedule());
  EXPECT_EQ(derive(kPreferKeySchedule, {.digest = "MD5", .key = random(32)}), Bytes{});
  EXPECT_EQ(derive(kPreferKeySchedule, {.mode = 0, .key = random(32)}), Bytes{});
  EXPECT_EQ(derive(kPreferKeySchedule, {}), Bytes{}) << "no secret to expand";
  EXPECT_EQ(derive(kPreferKeySchedule, {.key = random(32), .size = 255 * 32 + 1}), Bytes{});
  EXPECT_EQ(derive(kPreferKeySchedule, {.key = random(32), .data = random(256)}), Bytes{});
  EXPECT_EQ(derive(kPreferKeySchedule, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .size = 16}), Bytes{});
}

}  // namespace
}  // namespace cipherway::tls
