#include "tls/client_hello.h"

#include <gtest/gtest.h>

#include <functional>

namespace cipherway::tls {
namespace {

using Why = NoHello::Why;

/// The ClientHello of RFC 8448, section 3, in its record.
const Bytes& rfc8448() {
  static const Bytes bytes = *from_hex(
      "16030100c4010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302010000"
      "910000000b0009000006736572766572ff01000100000a00140012001d0017001800190100010101020103010400230000003300260024"
      "001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e040305030603"
      "020308040805080604010501060102010402050206020202002d00020101001c00024001");
  return bytes;
}

Bytes extension(std::uint16_t type, const Bytes& body) {
  Bytes out;
  ByteWriter writer(out);
  writer.u16(type);
  writer.vector16(body);
  return out;
}

Bytes server_name(std::string_view name, std::uint8_t type = 0) {
  Bytes entry, body;
  ByteWriter(entry).u8(type);
  ByteWriter(entry).text16(name);
  ByteWriter(body).vector16(entry);
  return extension(0, body);
}

Bytes alpn(const std::vector<std::string>& names) {
  Bytes list, body;
  for (const std::string& name : names) {
    list.push_back(static_cast<std::uint8_t>(name.size()));
    list.insert(list.end(), name.begin(), name.end());
  }
  ByteWriter(body).vector16(list);
  return extension(16, body);
}

/// A handshake message of one byte a cipher suite, and these extensions.
Bytes message(const std::vector<Bytes>& extensions) {
  Bytes all, body, out;
  for (const Bytes& each : extensions) all.insert(all.end(), each.begin(), each.end());
  ByteWriter writer(body);
  writer.u16(0x0303);
  writer.bytes(Bytes(32, 7));
  writer.u8(0);
  writer.u16(2);
  writer.u16(0x1301);
  writer.u16(0x0100);
  writer.vector16(all);
  ByteWriter(out).u32(0x01000000 | static_cast<std::uint32_t>(body.size()));
  ByteWriter(out).bytes(body);
  return out;
}

Bytes in_records_of(std::size_t most, const Bytes& bytes) {
  Bytes out;
  for (BytesView rest = bytes; !rest.empty();) {
    std::size_t size = std::min(most, rest.size());
    ByteWriter writer(out);
    writer.u8(22);
    writer.u16(0x0301);
    writer.vector16(rest.first(size));
    rest = rest.subspan(size);
  }
  return out;
}

Bytes hello(const std::vector<Bytes>& extensions) {
  return in_records_of(16384, message(extensions));
}

NoHello fault(const Bytes& bytes) {
  Bytes joined;
  auto read = read_client_hello(bytes, joined);
  EXPECT_FALSE(read);
  return read ? NoHello{} : read.error();
}

TEST(ClientHelloTest, ReadsTheOneOfRfc8448) {
  Bytes joined;
  auto read = read_client_hello(rfc8448(), joined);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->server_name, "server");
  EXPECT_TRUE(read->alpn.empty());
  EXPECT_EQ(read->legacy_version, 0x0303);
  EXPECT_TRUE(read->offers(0x0304));
  EXPECT_FALSE(read->offers(0x0303)) << "legacy_version counts only without supported_versions";
  EXPECT_TRUE(joined.empty()) << "one record is not copied";
}

TEST(ClientHelloTest, APrefixIsIncompleteWhereverItEnds) {
  for (std::size_t size = 0; size < rfc8448().size(); ++size)
    EXPECT_EQ(fault(Bytes(rfc8448().begin(), rfc8448().begin() + static_cast<std::ptrdiff_t>(size))).why,
              Why::Incomplete);
}

TEST(ClientHelloTest, ReadsNamesAndProtocols) {
  Bytes joined, bytes = hello({alpn({"h2", "http/1.1"}), server_name("shop.example.org")});
  auto read = read_client_hello(bytes, joined);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->server_name, "shop.example.org");
  EXPECT_TRUE(read->alpn.contains("h2"));
  EXPECT_TRUE(read->alpn.contains("http/1.1"));
  EXPECT_FALSE(read->alpn.contains("http"));
  EXPECT_EQ(read->alpn.to_string(), "h2 http/1.1");
  EXPECT_FALSE(read->offers(0x0304));
  EXPECT_TRUE(read->offers(0x0303));
}

TEST(ClientHelloTest, ProtocolsArePrintable) {
  Bytes joined, bytes = hello({alpn({std::string("a b\n\xff", 5)})});
  EXPECT_EQ(read_client_hello(bytes, joined)->alpn.to_string(), "a\\x20b\\x0a\\xff");
}

TEST(ClientHelloTest, ReadsItFromRecordsCutAnywhere) {
  Bytes whole = message({server_name("shop.example.org"), alpn({"h2"})});
  for (std::size_t most = 1; most < whole.size(); ++most) {
    Bytes joined, bytes = in_records_of(most, whole);
    auto read = read_client_hello(bytes, joined);
    ASSERT_TRUE(read) << most;
    EXPECT_EQ(read->server_name, "shop.example.org");
    EXPECT_TRUE(read->alpn.contains("h2"));
    bytes.pop_back();
    EXPECT_EQ(fault(bytes).why, Why::Incomplete);
  }
}

TEST(ClientHelloTest, WhatFollowsItIsNotLookedAt) {
  Bytes joined, bytes = hello({server_name("a")});
  bytes.insert(bytes.end(), {99, 99, 99});
  EXPECT_TRUE(read_client_hello(bytes, joined));
}

TEST(ClientHelloTest, WithEncryptedClientHelloTheOuterNameCounts) {
  Bytes joined, bytes = hello({server_name("public.example.org"), extension(0xfe0d, Bytes(200, 1))});
  EXPECT_EQ(read_client_hello(bytes, joined)->server_name, "public.example.org");
}

TEST(ClientHelloTest, AnOldOneMayHaveNoExtensions) {
  Bytes whole = message({});
  whole.resize(whole.size() - 2);
  whole[3] = static_cast<std::uint8_t>(whole.size() - 4);
  Bytes joined, bytes = in_records_of(16384, whole);
  auto read = read_client_hello(bytes, joined);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->server_name, "");
}

TEST(ClientHelloTest, OneOfALargePostQuantumClientFits) {
  Bytes joined, bytes = hello({extension(51, Bytes(15'000, 1)), server_name("a")});
  EXPECT_EQ(read_client_hello(bytes, joined)->server_name, "a");
  Bytes parts = in_records_of(4000, message({extension(51, Bytes(17'000, 1)), server_name("a")}));
  EXPECT_EQ(read_client_hello(parts, joined)->server_name, "a");
}

TEST(ClientHelloTest, WhatIsNoClientHelloIsAnsweredWithTheAlertOfTheRfc) {
  struct Case {
    const char* what;
    Bytes bytes;
    Why why;
    Alert alert;
  };
  auto changed = [](std::size_t at, std::uint8_t value) {
    Bytes bytes = rfc8448();
    bytes[at] = value;
    return bytes;
  };
  Bytes two_names, two_names_body;
  for (const char* name : {"a", "b"}) {
    ByteWriter(two_names).u8(0);
    ByteWriter(two_names).text16(name);
  }
  ByteWriter(two_names_body).vector16(two_names);
  Bytes between = in_records_of(50, message({server_name("a")}));
  between[55] = 23;
  Bytes empty_record = in_records_of(50, message({server_name("a")}));
  empty_record[58] = empty_record[59] = 0;
  Bytes large_record = in_records_of(50, message({server_name("a")}));
  large_record[58] = 0x40, large_record[59] = 1;
  Bytes tiny_records = in_records_of(1, message({extension(51, Bytes(15'000, 1))}));
  tiny_records.resize(kMostHelloBytes);

  const Case cases[] = {
      {"HTTP", {'G', 'E', 'T', ' ', '/'}, Why::NotTls, {}},
      {"an alert", {21, 3, 1, 0, 2, 1, 0}, Why::GaveUp, {}},
      {"a ServerHello", changed(5, 2), Why::Malformed, Alert::UnexpectedMessage},
      {"an endless one", changed(6, 1), Why::Malformed, Alert::DecodeError},
      {"in records without end", tiny_records, Why::Malformed, Alert::DecodeError},
      {"data in its middle", between, Why::Malformed, Alert::UnexpectedMessage},
      {"an empty record in its middle", empty_record, Why::Malformed, Alert::DecodeError},
      {"a record that is too large", large_record, Why::Malformed, Alert::DecodeError},
      {"a session id of 33 bytes", changed(43, 33), Why::Malformed, Alert::DecodeError},
      {"half a cipher suite", changed(45, 5), Why::Malformed, Alert::DecodeError},
      {"extensions longer than the message", changed(55, 0x92), Why::Malformed, Alert::DecodeError},
      {"an extension longer than the rest", hello({{0, 1, 0, 9, 1}}), Why::Malformed, Alert::DecodeError},
      {"an empty name", hello({server_name("")}), Why::Malformed, Alert::DecodeError},
      {"a name of another type", hello({server_name("a", 1)}), Why::Malformed, Alert::DecodeError},
      {"a name with a zero", hello({server_name({"a\0b", 3})}), Why::Malformed, Alert::DecodeError},
      {"a name of 256 bytes", hello({server_name(std::string(256, 'a'))}), Why::Malformed, Alert::DecodeError},
      {"two names in a list", hello({extension(0, two_names_body)}), Why::Malformed, Alert::DecodeError},
      {"two lists of names", hello({server_name("a"), server_name("a")}), Why::Malformed, Alert::IllegalParameter},
      {"ALPN twice", hello({alpn({"a"}), alpn({"a"})}), Why::Malformed, Alert::IllegalParameter},
      {"ALPN without a protocol", hello({alpn({})}), Why::Malformed, Alert::DecodeError},
      {"an empty protocol", hello({alpn({"a", ""})}), Why::Malformed, Alert::DecodeError},
      {"a protocol that is cut", hello({extension(16, {0, 2, 5, 'a'})}), Why::Malformed, Alert::DecodeError},
      {"bytes after ALPN", hello({extension(16, {0, 2, 1, 'a', 0})}), Why::Malformed, Alert::DecodeError},
      {"half a version", hello({extension(43, {3, 3, 4, 3})}), Why::Malformed, Alert::DecodeError},
      {"no version", hello({extension(43, {0})}), Why::Malformed, Alert::DecodeError},
  };
  for (const Case& each : cases) {
    NoHello no = fault(each.bytes);
    EXPECT_EQ(no.why, each.why) << each.what;
    if (each.why == Why::Malformed) {
      EXPECT_EQ(no.alert, each.alert) << each.what;
      EXPECT_FALSE(no.detail.empty());
    }
  }
}

TEST(ClientHelloTest, AnAlertIsARecordOfItsOwn) {
  EXPECT_EQ(to_hex(alert_record(Alert::UnrecognizedName)), "15030300020270");
  EXPECT_EQ(to_hex(alert_record(Alert::NoApplicationProtocol)), "15030300020278");
}

}  // namespace
}  // namespace cipherway::tls
