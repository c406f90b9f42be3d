#include "base/bytes.h"

#include <gtest/gtest.h>

namespace cipherway {
namespace {

TEST(ByteReaderTest, ReadsBackWhatAWriterWrote) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(0xab);
  writer.u16(0x1234);
  writer.u32(0xdeadbeef);
  writer.u64(0x0102030405060708);
  writer.text16("hello");
  EXPECT_EQ(to_hex(out), "ab1234deadbeef0102030405060708000568656c6c6f");
  ByteReader reader(out);
  EXPECT_EQ(*reader.u8(), 0xab);
  EXPECT_EQ(*reader.u16(), 0x1234);
  EXPECT_EQ(*reader.u32(), 0xdeadbeef);
  EXPECT_EQ(*reader.u64(), 0x0102030405060708u);
  EXPECT_EQ(*reader.text16(5), "hello");
  EXPECT_TRUE(reader.end());
}

TEST(ByteReaderTest, NeverReadsPastTheEnd) {
  Bytes three{1, 2, 3};
  EXPECT_FALSE(ByteReader(three).u32());
  EXPECT_FALSE(ByteReader(three).bytes(4));
  Bytes lies{0, 9, 1};  // a length of nine, one byte
  EXPECT_FALSE(ByteReader(lies).vector16(100));
}

TEST(ByteReaderTest, AFieldMayNotBeLongerThanTheCallerAccepts) {
  Bytes field{0, 3, 1, 2, 3};
  EXPECT_EQ(ByteReader(field).vector16(2).error().kind, ErrorKind::Limit);
  EXPECT_TRUE(ByteReader(field).vector16(3));
}

TEST(ByteReaderTest, BytesAfterTheEndAreAnError) {
  Bytes two{1, 2};
  ByteReader reader(two);
  ASSERT_TRUE(reader.u8());
  EXPECT_FALSE(reader.end());
}

TEST(HexTest, GoesBothWaysAndRefusesTheRest) {
  EXPECT_EQ(to_hex(*from_hex("00fFa5")), "00ffa5");
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
}

}  // namespace
}  // namespace cipherway
