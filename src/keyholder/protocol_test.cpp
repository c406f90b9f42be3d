#include "keyholder/protocol.h"

#include <gtest/gtest.h>

namespace cipherway::keyholder {
namespace {

/// No prefix of a message and no longer one decodes.
template <class Message>
void expect_exact(const Bytes& encoded) {
  for (std::size_t size = 0; size < encoded.size(); ++size)
    EXPECT_FALSE(Message::decode(BytesView(encoded).first(size))) << size;
  Bytes longer = encoded;
  longer.push_back(0);
  EXPECT_FALSE(Message::decode(longer));
}

TEST(Protocol, LoadIdentity) {
  LoadIdentity sent{"shop", "/etc/shop.key", {1, 2, 3}};
  Bytes encoded = sent.encode();
  auto got = LoadIdentity::decode(encoded);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->name, "shop");
  EXPECT_EQ(got->key_path, "/etc/shop.key");
  EXPECT_EQ(got->public_key, (Bytes{1, 2, 3}));
  expect_exact<LoadIdentity>(encoded);
  EXPECT_FALSE(LoadIdentity::decode(LoadIdentity{"", "/k", {1}}.encode()));
  EXPECT_FALSE(LoadIdentity::decode(LoadIdentity{std::string(97, 'x'), "/k", {1}}.encode()));
  EXPECT_FALSE(LoadIdentity::decode(LoadIdentity{"shop", std::string("/k\0/x", 5), {1}}.encode()));
}

TEST(Protocol, Seal) {
  EXPECT_FALSE(Seal::decode(Seal{}.encode())->become);
  auto got = Seal::decode(Seal{Seal::User{1000, 100}}.encode());
  ASSERT_TRUE(got && got->become);
  EXPECT_EQ(got->become->uid, 1000u);
  EXPECT_EQ(got->become->gid, 100u);
  expect_exact<Seal>(Seal{Seal::User{1000, 100}}.encode());
  EXPECT_FALSE(Seal::decode(Bytes{2}));
}

TEST(Protocol, Admit) {
  Admit sent{4711, 1000, Role::Gateway, true, {"a", "b"}, {"web"}};
  auto got = Admit::decode(sent.encode());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->pid, 4711);
  EXPECT_EQ(got->uid, 1000u);
  EXPECT_TRUE(got->tls12);
  EXPECT_EQ(got->identities, sent.identities);
  EXPECT_EQ(got->services, sent.services);
  expect_exact<Admit>(sent.encode());
  Bytes unknown_role = sent.encode();
  unknown_role[8] = 9;
  EXPECT_FALSE(Admit::decode(unknown_role));
  EXPECT_FALSE(Admit::decode(Admit{1, 1, Role::Gateway, false, std::vector<std::string>(257, "x"), {}}.encode()));
}

TEST(Protocol, SignAndTicketKey) {
  Bytes statement{9, 8, 7}, encoded;
  Sign{"shop", 0x0403, statement}.encode(encoded);
  auto sign = Sign::decode(encoded);
  ASSERT_TRUE(sign);
  EXPECT_EQ(sign->identity, "shop");
  EXPECT_EQ(sign->scheme, 0x0403);
  EXPECT_TRUE(std::equal(statement.begin(), statement.end(), sign->statement.begin(), sign->statement.end()));
  expect_exact<Sign>(encoded);

  encoded.clear();
  TicketKey{"web", 1ULL << 40}.encode(encoded);
  auto ticket = TicketKey::decode(encoded);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->service, "web");
  EXPECT_EQ(ticket->epoch, 1ULL << 40);
  expect_exact<TicketKey>(encoded);
}

TEST(Protocol, Refusals) {
  Error got = Refusal::decode(Refusal::encode({ErrorKind::Denied, "no"}));
  EXPECT_EQ(got.kind, ErrorKind::Denied);
  EXPECT_EQ(got.what, "no");
  EXPECT_EQ(Refusal::decode(Refusal::encode({ErrorKind::Denied, std::string(5000, 'x')})).what.size(),
            kMostRefusalBytes);
  EXPECT_EQ(Refusal::decode(Bytes{99, 0, 0}).kind, ErrorKind::Protocol);
  EXPECT_EQ(Refusal::decode({}).kind, ErrorKind::Protocol);
}

TEST(Protocol, TheLargestStatusFitsInAFrame) {
  Status sent;
  sent.pid = 1;
  sent.sealed = sent.memory_locked = sent.memory_secret = sent.syscalls_restricted = true;
  sent.landlock_version = 7;
  sent.identities.assign(kMostIdentities, {std::string(kMostNameBytes, 'i'), crypto::KeyType::Rsa, {}, 5, 6});
  sent.services.assign(kMostServices, std::string(kMostNameBytes, 's'));
  sent.peers.assign(kMostPeers, {42, 43, Role::Gateway, 7, 8});
  Bytes encoded = sent.encode();
  EXPECT_LE(encoded.size(), 64u * 1024);
  auto got = Status::decode(encoded);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->sealed && got->memory_locked && got->memory_secret && got->syscalls_restricted);
  EXPECT_EQ(got->landlock_version, 7);
  ASSERT_EQ(got->identities.size(), kMostIdentities);
  EXPECT_EQ(got->identities[255].refused, 6u);
  EXPECT_EQ(got->services.size(), kMostServices);
  ASSERT_EQ(got->peers.size(), kMostPeers);
  EXPECT_EQ(got->peers[127].signatures, 7u);
}

}  // namespace
}  // namespace cipherway::keyholder
