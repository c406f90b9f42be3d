#include "tls/first_bytes.h"

#include <gtest/gtest.h>

namespace cipherway::tls {
namespace {

Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (int value : values) out.push_back(static_cast<std::uint8_t>(value));
  return out;
}

TEST(FirstBytesTest, AHandshakeRecordIsTls) {
  EXPECT_EQ(classify_first_bytes(bytes({22, 3, 1, 2, 0})), FirstBytes::Tls);
  EXPECT_EQ(classify_first_bytes(bytes({22, 3, 3, 0, 1, 99})), FirstBytes::Tls);
}

TEST(FirstBytesTest, AnyPrefixOfOneIsIncomplete) {
  Bytes hello = bytes({22, 3, 1, 2, 0});
  for (std::size_t n = 0; n < 5; ++n)
    EXPECT_EQ(classify_first_bytes(BytesView(hello).first(n)), FirstBytes::Incomplete);
}

TEST(FirstBytesTest, EverythingElseIsNotAndIsKnownByTheFirstByteThatCannotBe) {
  EXPECT_EQ(classify_first_bytes(as_bytes("G")), FirstBytes::NotTls);
  EXPECT_EQ(classify_first_bytes(bytes({22, 2})), FirstBytes::NotTls);
  EXPECT_EQ(classify_first_bytes(bytes({22, 3, 5})), FirstBytes::NotTls);
  EXPECT_EQ(classify_first_bytes(bytes({22, 3, 1, 0, 0})), FirstBytes::NotTls);
  EXPECT_EQ(classify_first_bytes(bytes({22, 3, 1, 0x41, 0x01})), FirstBytes::NotTls);  // 16,641 bytes
  EXPECT_EQ(classify_first_bytes(bytes({23, 3, 3, 0, 1})), FirstBytes::NotTls);        // data before any handshake
}

TEST(FirstBytesTest, NamesWhatAPlaintextPeerSpeaks) {
  EXPECT_EQ(describe_plaintext(as_bytes("GET / HTTP/1.1\r\n")), "an HTTP request");
  EXPECT_EQ(describe_plaintext(as_bytes("SSH-2.0-x")), "an SSH banner");
  EXPECT_EQ(describe_plaintext(bytes({0x80, 0x2e, 1, 0, 2})), "an SSL 2 hello");
  EXPECT_EQ(describe_plaintext(bytes({0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f})),
            "PostgreSQL's question for TLS; sslnegotiation=direct asks none");
  EXPECT_EQ(describe_plaintext(as_bytes("\x01\x02")), "something else");
  EXPECT_EQ(describe_plaintext({}), "something else");
}

}  // namespace
}  // namespace cipherway::tls
