#include "keyholder/statement.h"

#include "crypto/key.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>

#include <algorithm>

namespace cipherway::keyholder {
namespace {

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Bytes text(std::string_view words) {
  BytesView view = as_bytes(words);
  return Bytes(view.begin(), view.end());
}

Bytes tls13(std::string_view context, std::size_t hash_bytes) {
  return join({Bytes(64, 0x20), text(context), Bytes(1, 0), Bytes(hash_bytes, 0xab)});
}

constexpr std::string_view kServer = "TLS 1.3, server CertificateVerify";
constexpr std::string_view kClient = "TLS 1.3, client CertificateVerify";

Bytes key_exchange(std::uint16_t group, std::size_t point, std::uint8_t first = 4) {
  Bytes params{3, static_cast<std::uint8_t>(group >> 8), static_cast<std::uint8_t>(group),
               static_cast<std::uint8_t>(point)};
  Bytes content(point, 0x77);
  if (point > 0) content[0] = first;
  return join({Bytes(64, 0x11), params, content});
}

Bytes message(std::uint8_t type, const Bytes& body) {
  return join({{type, 0, static_cast<std::uint8_t>(body.size() >> 8), static_cast<std::uint8_t>(body.size())}, body});
}

Bytes hello(std::uint8_t type, std::uint8_t minor = 3) {
  Bytes body(40, 0x33);
  body[0] = 3;
  body[1] = minor;
  return message(type, body);
}

/// The messages before a TLS 1.2 client's CertificateVerify.
Bytes transcript() {
  return join({hello(1), hello(2), message(11, Bytes(300, 1)), message(12, Bytes(100, 2)), message(13, Bytes(20, 3)),
               message(14, {}), message(11, Bytes(300, 4)), message(16, Bytes(33, 5))});
}

std::string refusal(const Bytes& statement) {
  auto kind = recognise(statement);
  return kind ? "" : kind.error().what;
}

#define EXPECT_REFUSED(statement) EXPECT_NE(refusal(statement).find("not a statement to sign"), std::string::npos)

// RFC 8446, section 4.4.3, gives this example: a transcript hash of 32 bytes of 01 for a server.
TEST(Statement, TheExampleOfRfc8446) {
  std::string hex(128, '2');
  for (std::size_t i = 1; i < hex.size(); i += 2) hex[i] = '0';
  hex +=
      "544c5320312e332c207365727665722043657274696669636174655665726966790001010101010101010101010101010101010101"
      "01010101010101010101010101";
  Bytes statement = *from_hex(hex);
  ASSERT_EQ(statement.size(), 130u);
  EXPECT_EQ(recognise(statement), StatementKind::Tls13ServerCertificateVerify);
}

TEST(Statement, Tls13) {
  for (std::size_t hash : {32u, 48u}) {
    EXPECT_EQ(recognise(tls13(kServer, hash)), StatementKind::Tls13ServerCertificateVerify);
    EXPECT_EQ(recognise(tls13(kClient, hash)), StatementKind::Tls13ClientCertificateVerify);
  }
}

TEST(Statement, Tls13WithAnythingElse) {
  for (std::size_t hash : {0u, 1u, 20u, 31u, 33u, 47u, 49u, 64u, 4096u}) EXPECT_REFUSED(tls13(kServer, hash)) << hash;
  EXPECT_REFUSED(tls13("TLS 1.3, server FinishedMessagesxx", 32));
  EXPECT_REFUSED(tls13("TLS 1.3, SERVER CertificateVerify", 32));
  EXPECT_REFUSED(tls13("TLS 1.4, server CertificateVerify", 32));
  EXPECT_REFUSED(tls13("", 32));
  // RFC 9345: a delegated credential is signed in this very form, with another context string. It would let whoever has
  // it act as this identity for days, without the keyholder.
  EXPECT_REFUSED(tls13("TLS, server delegated credentials", 32));
  Bytes no_zero = tls13(kServer, 32);
  no_zero[64 + kServer.size()] = 1;
  EXPECT_REFUSED(no_zero);
  Bytes short_padding = tls13(kServer, 32);
  short_padding.erase(short_padding.begin());
  EXPECT_REFUSED(short_padding);
  EXPECT_REFUSED(join({Bytes(1, 0x20), tls13(kServer, 32)}));
  EXPECT_REFUSED(join({tls13(kServer, 32), Bytes(1, 0)}));
  EXPECT_REFUSED(Bytes(64, 0x20));
}

TEST(Statement, ServerKeyExchange) {
  EXPECT_EQ(recognise(key_exchange(0x001d, 32)), StatementKind::Tls12ServerKeyExchange);
  EXPECT_EQ(recognise(key_exchange(0x0017, 65)), StatementKind::Tls12ServerKeyExchange);
  EXPECT_EQ(recognise(key_exchange(0x0018, 97)), StatementKind::Tls12ServerKeyExchange);
}

TEST(Statement, ServerKeyExchangeWithAnythingElse) {
  EXPECT_REFUSED(key_exchange(0x001d, 31));
  EXPECT_REFUSED(key_exchange(0x001d, 33));
  EXPECT_REFUSED(key_exchange(0x0017, 33, 2)) << "compressed";
  EXPECT_REFUSED(key_exchange(0x0017, 65, 3));
  EXPECT_REFUSED(key_exchange(0x0019, 133)) << "P-521 is not a group of ours";
  EXPECT_REFUSED(key_exchange(0x001e, 56)) << "nor is X448";
  EXPECT_REFUSED(join({key_exchange(0x001d, 32), Bytes(1, 0)}));
  Bytes cut = key_exchange(0x001d, 32);
  cut.pop_back();
  EXPECT_REFUSED(cut);
  for (int curve_type : {0, 1, 2, 4}) {  // explicit_prime, explicit_char2 and what is reserved
    Bytes other = key_exchange(0x001d, 32);
    other[64] = static_cast<std::uint8_t>(curve_type);
    EXPECT_REFUSED(other);
  }
  EXPECT_REFUSED(Bytes(64, 0x11));
}

// The 64 bytes of randoms are a captured worker's choice, and so are the 97 of a P-384 point: room enough for a small
// certificate around the bytes that are fixed.
TEST(Statement, ServerKeyExchangeThatIsACertificate) {
  Bytes point(97, 0x30);
  Bytes statement = key_exchange(0x0018, 97);
  // SEQUENCE { INTEGER 1, SEQUENCE {}, SEQUENCE {}, [3] with all the rest }
  Bytes head{0x30, 0x81, 0xa2, 0x02, 0x01, 0x01, 0x30, 0x00, 0x30, 0x00, 0xa3, 0x81, 0x98};
  std::copy(head.begin(), head.end(), statement.begin());
  ASSERT_EQ(statement.size(), 165u);
  EXPECT_NE(refusal(statement).find("certificate as well"), std::string::npos) << refusal(statement);
  // The same with one byte of the structure wrong is a ServerKeyExchange like any other.
  statement[2] = 0xa1;
  EXPECT_EQ(recognise(statement), StatementKind::Tls12ServerKeyExchange);
}

TEST(Statement, ClientTranscript) {
  EXPECT_EQ(recognise(transcript()), StatementKind::Tls12ClientCertificateVerify);
  Bytes with_status =
      join({hello(1), hello(2), message(11, Bytes(300, 1)), message(22, Bytes(50, 9)), message(12, Bytes(100, 2)),
            message(13, Bytes(20, 3)), message(14, {}), message(11, Bytes(300, 4)), message(16, Bytes(33, 5))});
  EXPECT_EQ(recognise(with_status), StatementKind::Tls12ClientCertificateVerify);
}

TEST(Statement, ClientTranscriptWithAnythingElse) {
  EXPECT_REFUSED(join({transcript(), Bytes(1, 0)}));
  EXPECT_REFUSED(join({transcript(), message(15, Bytes(70, 6))}));
  Bytes cut = transcript();
  cut.pop_back();
  EXPECT_REFUSED(cut);
  EXPECT_REFUSED(hello(1));
  EXPECT_REFUSED(join({hello(1), hello(2), message(11, Bytes(300, 1))}));
  Bytes tls11 = transcript();
  tls11[5] = 2;
  EXPECT_REFUSED(tls11);
  EXPECT_REFUSED(
      join({hello(1), hello(2, 2), message(11, Bytes(300, 1)), message(12, Bytes(100, 2)), message(13, Bytes(20, 3)),
            message(14, {}), message(11, Bytes(300, 4)), message(16, Bytes(33))}));
  // Static RSA: no ServerKeyExchange.
  EXPECT_REFUSED(join({hello(1), hello(2), message(11, Bytes(300, 1)), message(13, Bytes(20, 3)), message(14, {}),
                       message(11, Bytes(300, 4)), message(16, Bytes(256, 5))}));
  // A length that points outside.
  Bytes long_message = transcript();
  long_message[3] = 0xff;
  EXPECT_REFUSED(long_message);
}

TEST(Statement, Digests) {
  for (std::size_t size : {20u, 28u, 32u, 48u, 64u}) EXPECT_REFUSED(Bytes(size, 0xab));
  // ... and a digest as PKCS#1 v1.5 wraps it (DigestInfo, SHA-256).
  EXPECT_REFUSED(join({*from_hex("3031300d060960864801650304020105000420"), Bytes(32, 0xab)}));
}

TEST(Statement, JsonWebTokens) {
  EXPECT_REFUSED(text("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwiYWRtaW4iOnRydWV9"));
}

TEST(Statement, WhatOtherProtocolsSign) {
  // SSH (RFC 4252, section 7): session id, SSH_MSG_USERAUTH_REQUEST, ...
  EXPECT_REFUSED(join({{0, 0, 0, 32}, Bytes(32, 0xab), {50}, text("\0\0\0\4root")}));
  // SSHSIG.
  EXPECT_REFUSED(text("SSHSIG\0\0\0\4file"));
  // A git commit, a Debian Release file, a firmware image.
  EXPECT_REFUSED(text("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"));
  EXPECT_REFUSED(text("Origin: Debian\n"));
  EXPECT_REFUSED(Bytes(4096, 0));
  EXPECT_REFUSED({});
}

Bytes to_be_signed(X509* certificate) {
  unsigned char* der = nullptr;
  int size = i2d_re_X509_tbs(certificate, &der);
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

TEST(Statement, Certificates) {
  for (auto type : {crypto::KeyType::P256, crypto::KeyType::Ed25519}) {
    crypto::KeyHandle key(
        EVP_PKEY_Q_keygen(nullptr, nullptr, type == crypto::KeyType::P256 ? "EC" : "ED25519", "P-256"));
    crypto::CertificateHandle certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("evil.example"), -1, -1, 0);
    X509_set_pubkey(certificate.get(), key.get());
    ASSERT_GT(X509_sign(certificate.get(), key.get(), type == crypto::KeyType::P256 ? EVP_sha256() : nullptr), 0);
    EXPECT_REFUSED(to_be_signed(certificate.get()));
  }
}

// A ClientHello's random, and so a prefix of what is signed, may be anything: no prefix of a good statement is one, and
// no good statement with one byte more is.
TEST(Statement, NoPrefixAndNoExtensionOfAStatementIsOne) {
  for (const Bytes& good : {tls13(kServer, 48), key_exchange(0x0017, 65), transcript()}) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      Bytes prefix(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      bool shorter_hash = size == 64 + kServer.size() + 1 + 32 && good[0] == 0x20;
      EXPECT_EQ(recognise(prefix).has_value(), shorter_hash) << size;
    }
    EXPECT_FALSE(recognise(join({good, Bytes(1, 0)})));
  }
}

}  // namespace
}  // namespace cipherway::keyholder
