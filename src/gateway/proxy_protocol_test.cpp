#include "gateway/proxy_protocol.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

using Why = NoProxyHeader::Why;

Bytes bytes_of(std::string_view text) {
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

/// 16 bytes of section 2.2, and what follows them.
Bytes binary(std::uint8_t version_and_command, std::uint8_t family, const Bytes& rest) {
  Bytes out = *from_hex("0d0a0d0a000d0a515549540a");
  ByteWriter writer(out);
  writer.u8(version_and_command);
  writer.u8(family);
  writer.vector16(rest);
  return out;
}

std::string source(const Bytes& bytes) {
  auto header = read_proxy_header(bytes);
  if (!header) return std::string(header.error().detail);
  EXPECT_EQ(header->length, bytes.size());
  return header->source ? header->source->to_string() + " to " + header->destination->to_string() : "unknown";
}

Why fault(const Bytes& bytes) {
  auto header = read_proxy_header(bytes);
  EXPECT_FALSE(header) << as_text(bytes);
  if (header) return Why::Incomplete;
  EXPECT_EQ(header.error().detail.empty(), header.error().why == Why::Incomplete);
  return header.error().why;
}

const Bytes kInet4 = *from_hex("c0a80001c0a8000bdc0401bb");  // 192.168.0.1:56324 to 192.168.0.11:443
const Bytes kInet6 = *from_hex("20010db800000000000000000000000120010db8000000000000000000000002dc0401bb");

TEST(ProxyProtocolTest, ReadsTheLineOfTheSpecification) {
  Bytes bytes = bytes_of("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n");
  auto header = read_proxy_header(bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->source->to_string(), "192.168.0.1:56324");
  EXPECT_EQ(header->destination->to_string(), "192.168.0.11:443");
  EXPECT_EQ(as_text(BytesView(bytes).subspan(header->length)), "GET / HTTP/1.1\r\n");
}

TEST(ProxyProtocolTest, ReadsTheLongestLines) {
  EXPECT_EQ(source(bytes_of("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n")),
            "255.255.255.255:65535 to 255.255.255.255:65535");
  EXPECT_EQ(
      source(bytes_of("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                      "65535 65535\r\n")),
      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 to [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
  EXPECT_EQ(source(bytes_of("PROXY UNKNOWN\r\n")), "unknown");
  Bytes longest = bytes_of(
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
  EXPECT_EQ(longest.size(), 107u);
  EXPECT_EQ(source(longest), "unknown");
}

TEST(ProxyProtocolTest, ALineThatIsNotExactlyOneIsMalformed) {
  for (const char* line : {
           "PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n",
           "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 1\r\n",
           "PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
           "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
           "PROXY TCP4 192.168.0.01 192.168.0.11 56324 443\r\n",
           "PROXY TCP4 192.168.0.256 192.168.0.11 56324 443\r\n",
           "PROXY TCP4 192.168.0.1 192.168.0.11 056324 443\r\n",
           "PROXY TCP4 192.168.0.1 192.168.0.11 56324 65536\r\n",
           "PROXY TCP4 192.168.0.1 192.168.0.11 +1 443\r\n",
           "PROXY TCP4 ::1 ::1 56324 443\r\n",
           "PROXY TCP6 192.168.0.1 192.168.0.11 56324 443\r\n",
           "PROXY UDP4 192.168.0.1 192.168.0.11 56324 443\r\n",
           "PROXY tcp4 192.168.0.1 192.168.0.11 56324 443\r\n",
           "PROXY UNKNOWNS\r\n",
           "PROXY \r\n",
           "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n",
       })
    EXPECT_EQ(fault(bytes_of(line)), Why::Malformed) << line;
  EXPECT_EQ(fault(bytes_of("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n")), Why::Malformed) << "108 bytes";
  EXPECT_EQ(fault(bytes_of("PROXY TCP4 " + std::string(200, '1'))), Why::Malformed);
}

TEST(ProxyProtocolTest, ReadsTheBinaryForm) {
  EXPECT_EQ(source(binary(0x21, 0x11, kInet4)), "192.168.0.1:56324 to 192.168.0.11:443");
  EXPECT_EQ(source(binary(0x21, 0x21, kInet6)), "[2001:db8::1]:56324 to [2001:db8::2]:443");
  Bytes unix(216);
  std::ranges::copy(std::string_view("/run/a"), unix.begin());
  std::ranges::copy(std::string_view("/run/b"), unix.begin() + 108);
  EXPECT_EQ(source(binary(0x21, 0x31, unix)), "unix:/run/a to unix:/run/b");
}

TEST(ProxyProtocolTest, WhereTheProxySpeaksForItselfNothingIsTold) {
  EXPECT_EQ(source(binary(0x20, 0x00, {})), "unknown");
  EXPECT_EQ(source(binary(0x20, 0x11, kInet4)), "unknown") << "LOCAL: the family is ignored";
  EXPECT_EQ(source(binary(0x20, 0x11, {1, 2, 3})), "unknown") << "and the length skipped";
  EXPECT_EQ(source(binary(0x21, 0x00, {})), "unknown");
  EXPECT_EQ(source(binary(0x21, 0x00, kInet4)), "unknown");
  EXPECT_EQ(source(binary(0x21, 0x12, kInet4)), "unknown") << "a datagram is no connection";
}

TEST(ProxyProtocolTest, TlvsAreSkipped) {
  auto with = [](std::string_view vectors) {
    Bytes rest = kInet4, more = *from_hex(vectors);
    ByteWriter(rest).bytes(more);
    return binary(0x21, 0x11, rest);
  };
  EXPECT_EQ(source(with("010002683204000300000002000161")), "192.168.0.1:56324 to 192.168.0.11:443");
  for (const char* cut : {"01", "0100", "01000568", "0300020000"}) EXPECT_EQ(fault(with(cut)), Why::Malformed) << cut;
}

TEST(ProxyProtocolTest, ABinaryHeaderThatIsNoneIsMalformed) {
  EXPECT_EQ(fault(binary(0x11, 0x11, kInet4)), Why::Malformed) << "version 1";
  EXPECT_EQ(fault(binary(0x22, 0x11, kInet4)), Why::Malformed) << "an unknown command";
  EXPECT_EQ(fault(binary(0x21, 0x41, kInet4)), Why::Malformed) << "an unknown family";
  EXPECT_EQ(fault(binary(0x21, 0x13, kInet4)), Why::Malformed) << "an unknown transport";
  EXPECT_EQ(fault(binary(0x21, 0x21, kInet4)), Why::Malformed) << "shorter than its addresses";
  EXPECT_EQ(fault(binary(0x21, 0x11, Bytes(kMostProxyHeader))), Why::Malformed) << "too long";
}

TEST(ProxyProtocolTest, ThePrefixOfAHeaderIsIncompleteAndAnythingElseIsNone) {
  Bytes line = bytes_of("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), other = binary(0x21, 0x11, kInet4);
  for (const Bytes& whole : {line, other})
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_EQ(fault(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), Why::Incomplete)
          << size;
  EXPECT_EQ(fault(bytes_of("GET / HTTP/1.1")), Why::Missing);
  EXPECT_EQ(fault(bytes_of("PROXIES")), Why::Missing);
  EXPECT_EQ(fault({0x16, 3, 1, 2, 0}), Why::Missing);
  EXPECT_EQ(fault(bytes_of("\r\n\r\nQ")), Why::Missing);
}

TEST(ProxyProtocolTest, AChecksumMustBeRight) {
  Bytes header = *from_hex("0d0a0d0a000d0a515549540a21110013c0a80001c0a8000bdc0401bb0300041c1ae9c6");
  EXPECT_EQ(source(header), "192.168.0.1:56324 to 192.168.0.11:443");
  for (std::size_t at : {std::size_t{16}, header.size() - 1}) {
    Bytes changed = header;
    changed[at] ^= 1;
    EXPECT_EQ(fault(changed), Why::Malformed) << at;
  }
  header.pop_back();
  header[header.size() - 4] = 3;
  header[15] -= 1;
  EXPECT_EQ(fault(header), Why::Malformed) << "a checksum of three bytes";
}

TEST(ProxyProtocolTest, WhatIsWrittenIsReadAgain) {
  ProxyFacts facts{.source = *Address::parse("192.0.2.1:1000"), .destination = *Address::parse("198.51.100.2:443")};
  EXPECT_EQ(as_text(proxy_header_v1(facts)), "PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n");
  EXPECT_EQ(to_hex(proxy_header_v2(facts)), "0d0a0d0a000d0a515549540a2111000cc0000201c633640203e801bb");
  EXPECT_EQ(source(proxy_header_v1(facts)), "192.0.2.1:1000 to 198.51.100.2:443");
  EXPECT_EQ(source(proxy_header_v2(facts)), "192.0.2.1:1000 to 198.51.100.2:443");
  facts.source = *Address::parse("[2001:db8::1]:1000");
  facts.destination = *Address::parse("[2001:db8::2]:443");
  EXPECT_EQ(as_text(proxy_header_v1(facts)), "PROXY TCP6 2001:db8::1 2001:db8::2 1000 443\r\n");
  EXPECT_EQ(source(proxy_header_v2(facts)), "[2001:db8::1]:1000 to [2001:db8::2]:443");
  facts.source = *Address::parse("[::ffff:192.0.2.1]:1000");
  facts.destination = *Address::parse("[::ffff:198.51.100.2]:443");
  EXPECT_EQ(as_text(proxy_header_v1(facts)), "PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n");
}

TEST(ProxyProtocolTest, AClientWithoutAddressIsUnknown) {
  for (const char* from : {"unix:/run/a", "[2001:db8::1]:1000"}) {
    ProxyFacts facts{.source = *Address::parse(from), .destination = *Address::parse("198.51.100.2:443")};
    EXPECT_EQ(as_text(proxy_header_v1(facts)), "PROXY UNKNOWN\r\n");
    EXPECT_EQ(to_hex(proxy_header_v2(facts)), "0d0a0d0a000d0a515549540a21000000");
  }
}

TEST(ProxyProtocolTest, TellsWhatTlsFoundOut) {
  ProxyFacts facts{.source = *Address::parse("192.0.2.1:1000"),
                   .destination = *Address::parse("198.51.100.2:443"),
                   .server_name = "shop",
                   .alpn = "h2",
                   .tls = ProxyTls{.protocol = "TLSv1.3",
                                   .cipher = "C",
                                   .verified = true,
                                   .resumed = false,
                                   .common_name = "me",
                                   .names = {{kProxySpiffeName, "spiffe://e/x"}, {kProxyDnsName, "d"}}}};
  EXPECT_EQ(to_hex(BytesView(proxy_header_v2(facts)).subspan(28)),
            "0100026832"      // ALPN
            "02000473686f70"  // AUTHORITY
            "20001807"
            "00000000"  // SSL: over TLS, a certificate in this session ...
            "210007544c5376312e33"
            "23000143"                        // version, cipher
            "2200026d65"                      // CN
            "e0000c7370696666653a2f2f652f78"  // names of ours
            "e1000164");
}

TEST(ProxyProtocolTest, TheBitsSayHowTheCertificateCame) {
  auto bits = [](bool verified, bool resumed) {
    ProxyFacts facts{.tls = ProxyTls{.verified = verified, .resumed = resumed}};
    return to_hex(BytesView(proxy_header_v2(facts)).subspan(19, 5));
  };
  EXPECT_EQ(bits(true, false), "0700000000");
  EXPECT_EQ(bits(true, true), "0500000000");
  EXPECT_EQ(bits(false, false), "0100000001");
}

TEST(ProxyProtocolTest, AHeaderHasAnEndWhateverTheNames) {
  ProxyFacts facts{.tls = ProxyTls{.protocol = "TLSv1.3", .common_name = std::string(2000, 'x')}};
  for (int i = 0; i < 100; ++i) facts.tls->names.push_back({kProxySpiffeName, std::string(500, 'n')});
  Bytes header = proxy_header_v2(facts);
  EXPECT_LE(header.size(), kMostProxyHeader);
  EXPECT_GT(header.size(), kMostProxyHeader - 510);
  EXPECT_EQ(source(header), "unknown");
}

TEST(ProxySignatureTest, IsFoundHoweverItIsCut) {
  for (const Bytes& whole : {bytes_of("PROXY TCP4 1"), bytes_of("PROXY TCP6 :"), bytes_of("PROXY UNKNOWN\r\n"),
                             binary(0x21, 0x11, kInet4)}) {
    EXPECT_TRUE(ProxySignature().completed_by(whole));
    ProxySignature signature;
    bool completed = false;
    for (std::size_t i = 0; i < whole.size() && !completed; ++i) {
      completed = signature.completed_by(BytesView(whole).subspan(i, 1));
      EXPECT_FALSE(signature.excluded());
    }
    EXPECT_TRUE(completed);
  }
}

TEST(ProxySignatureTest, IsExcludedByTheFirstByteThatCannotBe) {
  for (const char* other : {"G", "PROXIES", "PROXY TCP5", "PROXY UNKNOWM", "\r\n\r\nX"}) {
    ProxySignature signature;
    EXPECT_FALSE(signature.completed_by(as_bytes(other)));
    EXPECT_TRUE(signature.excluded()) << other;
    EXPECT_FALSE(signature.completed_by(as_bytes("PROXY TCP4 ")));
  }
  ProxySignature nothing_yet;
  EXPECT_FALSE(nothing_yet.completed_by({}));
  EXPECT_FALSE(nothing_yet.excluded());
}

}  // namespace
}  // namespace cipherway::gateway
