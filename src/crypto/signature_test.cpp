#include "crypto/signature.h"

#include <gtest/gtest.h>

namespace cipherway::crypto {
namespace {

constexpr std::pair<KeyType, SignatureScheme> kPairs[] = {
    {KeyType::P256, SignatureScheme::EcdsaP256Sha256}, {KeyType::P384, SignatureScheme::EcdsaP384Sha384},
    {KeyType::Ed25519, SignatureScheme::Ed25519},      {KeyType::Rsa, SignatureScheme::RsaPssSha256},
    {KeyType::Rsa, SignatureScheme::RsaPssSha384},     {KeyType::Rsa, SignatureScheme::RsaPssSha512}};

TEST(SignatureTest, EverySchemeVerifiesItsOwnAndNothingElse) {
  for (auto [type, scheme] : kPairs) {
    SCOPED_TRACE(static_cast<int>(scheme));
    KeyHandle key = *generate_key(type, 2048);
    KeyHandle other = *generate_key(type, 2048);
    ASSERT_TRUE(fits(scheme, *type_of(key.get())));
    Bytes signature = *sign(key.get(), scheme, as_bytes("statement"));
    EXPECT_TRUE(verify(key.get(), scheme, as_bytes("statement"), signature));
    EXPECT_FALSE(verify(key.get(), scheme, as_bytes("statemenT"), signature));
    EXPECT_FALSE(verify(other.get(), scheme, as_bytes("statement"), signature));
    signature[signature.size() / 2] ^= 1;
    EXPECT_FALSE(verify(key.get(), scheme, as_bytes("statement"), signature));
  }
}

TEST(SignatureTest, ASignerSignsWithEverySchemeAgainAndAgain) {
  for (auto type : {KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa}) {
    KeyHandle key = *generate_key(type, 2048);
    Signer signer(key.get());
    for (int round = 0; round < 3; ++round) {
      for (auto [of_type, scheme] : kPairs) {
        if (of_type != type) continue;
        SCOPED_TRACE(static_cast<int>(scheme));
        std::string statement = "statement " + std::to_string(round);
        auto signature = signer.sign(scheme, as_bytes(statement));
        ASSERT_TRUE(signature) << signature.error().what;
        EXPECT_TRUE(verify(key.get(), scheme, as_bytes(statement), *signature));
        EXPECT_FALSE(verify(key.get(), scheme, as_bytes("another"), *signature));
      }
    }
  }
}

TEST(SignatureTest, ASchemeFitsItsKeyTypeAlone) {
  for (auto [type, scheme] : kPairs)
    for (auto other : {KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa})
      EXPECT_EQ(fits(scheme, other), other == type);
}

TEST(SignatureTest, AnUnknownSchemeIsRefused) {
  EXPECT_FALSE(scheme_from(0x0401));  // rsa_pkcs1_sha256
  EXPECT_FALSE(scheme_from(0x0203));  // ecdsa_sha1
  EXPECT_TRUE(scheme_from(0x0403));
}

TEST(KeyTest, APrivateKeyComesBackFromItsPem) {
  for (auto type : {KeyType::P256, KeyType::P384, KeyType::Ed25519}) {
    KeyHandle key = *generate_key(type);
    auto read = private_key_from(*private_key_to_pem(key));
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(EVP_PKEY_eq(read->get(), key.get()), 1);
    EXPECT_EQ(*type_of(read->get()), type);
  }
}

TEST(KeyTest, TextWithoutAKeyOrWithTwoIsRefused) {
  EXPECT_FALSE(private_key_from(SecretBytes::copy_of(as_bytes("no key"))));
  SecretBytes one = *private_key_to_pem(*generate_key(KeyType::P256));
  Bytes two(one.view().begin(), one.view().end());
  two.insert(two.end(), one.view().begin(), one.view().end());
  EXPECT_FALSE(private_key_from(SecretBytes::copy_of(two)));
}

TEST(KeyTest, APublicKeyComesBackFromItsDerAndTrailingBytesDoNot) {
  KeyHandle key = *generate_key(KeyType::P256);
  Bytes der = *public_key_der(key.get());
  auto read = public_key_from_der(der);
  ASSERT_TRUE(read);
  EXPECT_EQ(EVP_PKEY_eq(read->get(), key.get()), 1);
  der.push_back(0);
  EXPECT_FALSE(public_key_from_der(der));
}

TEST(KeyTest, OtherCurvesAndSmallRsaKeysAreRefused) {
  KeyHandle other(EVP_EC_gen("secp256k1"));
  EXPECT_FALSE(type_of(other.get()));
  EXPECT_FALSE(generate_key(KeyType::Rsa, 1024));
}

}  // namespace
}  // namespace cipherway::crypto
