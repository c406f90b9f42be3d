#include "crypto/kdf.h"

#include <gtest/gtest.h>

namespace cipherway::crypto {
namespace {

TEST(HkdfTest, AgreesWithTheVectorsOfRfc5869) {
  // Appendix A.1
  auto derived = hkdf_sha256(SecretBytes::copy_of(Bytes(22, 0x0b)), *from_hex("000102030405060708090a0b0c"),
                             *from_hex("f0f1f2f3f4f5f6f7f8f9"), 42);
  ASSERT_TRUE(derived) << derived.error().what;
  EXPECT_EQ(to_hex(derived->view()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  // Appendix A.3: no salt, no info
  derived = hkdf_sha256(SecretBytes::copy_of(Bytes(22, 0x0b)), {}, {}, 42);
  ASSERT_TRUE(derived) << derived.error().what;
  EXPECT_EQ(to_hex(derived->view()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(HkdfTest, RefusesMoreThanItCanMake) {
  EXPECT_FALSE(hkdf_sha256(SecretBytes::copy_of(Bytes(32, 1)), {}, {}, 255 * 32 + 1));
}

TEST(Sha256Test, AgreesWithFips180) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(RandomTest, FillsAllOfIt) {
  Bytes bytes(64, 0);
  random_bytes(std::span(bytes).subspan(8));
  EXPECT_EQ(to_hex(BytesView(bytes).first(8)), "0000000000000000");
  EXPECT_NE(Bytes(bytes.begin() + 8, bytes.end()), Bytes(56, 0));
}

}  // namespace
}  // namespace cipherway::crypto
