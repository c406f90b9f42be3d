#include "keyholder/holder.h"

#include "base/log.h"
#include "crypto/signature.h"
#include "keyholder/test_keyholder.h"
#include "keyholder/ticket_epoch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

namespace cipherway::keyholder {
namespace {

using crypto::KeyType;
using crypto::SignatureScheme;

Bytes certificate_verify() {
  Bytes statement;
  ByteWriter writer(statement);
  writer.bytes(Bytes(64, 0x20));
  writer.bytes(as_bytes("TLS 1.3, server CertificateVerify"));
  writer.u8(0);
  writer.bytes(Bytes(32, 0xab));
  return statement;
}

Bytes key_exchange() {
  Bytes statement;
  ByteWriter writer(statement);
  writer.bytes(Bytes(64, 0x11));
  writer.u8(3);
  writer.u16(0x001d);
  writer.u8(32);
  writer.bytes(Bytes(32, 0x77));
  return statement;
}

/// A peer that says what it likes, as a captured worker would.
class RawPeer {
 public:
  RawPeer(event::EventLoop& loop, Fd socket)
      : loop_(loop),
        socket_(loop, std::move(socket),
                {.most_payload = [](std::uint8_t) -> Result<std::size_t> { return event::FrameSocket::kMostPayload; },
                 .received =
                     [this](event::Frame frame) {
                       reply = {frame.type, Bytes(frame.payload.begin(), frame.payload.end())};
                     },
                 .closed = [this](const Error&) { ended = true; }}) {}

  void ask(std::uint8_t type, BytesView payload, Fd descriptor = {}) {
    reply.reset();
    socket_.send(type, 1, payload, std::move(descriptor));
    for (int i = 0; i < 20 && !ended && !reply; ++i) loop_.turn(std::chrono::milliseconds(1));
    for (int i = 0; i < 3; ++i) loop_.turn(std::chrono::milliseconds(1));
  }
  void ask(Request request, BytesView payload) { ask(static_cast<std::uint8_t>(request), payload); }

  void sign(const std::string& identity, SignatureScheme scheme, BytesView statement) {
    Bytes payload;
    Sign{identity, static_cast<std::uint16_t>(scheme), statement}.encode(payload);
    ask(Request::Sign, payload);
  }
  void ticket_key(const std::string& service, std::uint64_t epoch) {
    Bytes payload;
    TicketKey{service, epoch}.encode(payload);
    ask(Request::TicketKey, payload);
  }

  std::optional<TestKeyholder::Reply> reply;
  bool ended = false;

 private:
  event::EventLoop& loop_;
  event::FrameSocket socket_;
};

Fd one_end() {
  SocketPair pair = *stream_pair();
  return std::move(pair.theirs);
}

class HolderTest : public testing::Test {
 protected:
  void serve(KeyType type = KeyType::P256) {
    key_ = *crypto::generate_key(type, 2048);
    ASSERT_TRUE(keyholder_.load("shop", key_)->done());
    ASSERT_TRUE(keyholder_.load("bank", *crypto::generate_key(KeyType::P256))->done());
    ASSERT_TRUE(keyholder_.seal()->done());
  }
  std::unique_ptr<RawPeer> peer(bool tls12 = false) {
    return std::make_unique<RawPeer>(loop_, keyholder_.admit_gateway({"shop"}, {"web"}, tls12));
  }
  Status status() { return *Status::decode(keyholder_.ask(Request::Status, {})->payload); }

  event::EventLoop loop_;
  TestKeyholder keyholder_{loop_};
  crypto::KeyHandle key_;
};

TEST_F(HolderTest, SignsACertificateVerify) {
  serve();
  auto worker = peer();
  worker->sign("shop", SignatureScheme::EcdsaP256Sha256, certificate_verify());
  ASSERT_TRUE(worker->reply && worker->reply->done());
  EXPECT_TRUE(
      crypto::verify(key_.get(), SignatureScheme::EcdsaP256Sha256, certificate_verify(), worker->reply->payload));
  EXPECT_FALSE(worker->ended);
}

TEST_F(HolderTest, RefusesStatementsThatAreNoneAndEndsThePeer) {
  serve();
  for (BytesView statement :
       {as_bytes("eyJhbGciOiJFUzI1NiJ9.eyJhZG1pbiI6dHJ1ZX0"),
        as_bytes(std::string_view("0123456789abcdef0123456789abcdef")), as_bytes("\x30\x20"), as_bytes("")}) {
    auto worker = peer();
    worker->sign("shop", SignatureScheme::EcdsaP256Sha256, statement);
    ASSERT_TRUE(worker->reply);
    EXPECT_NE(worker->reply->refusal().find("not a statement to sign"), std::string::npos);
    EXPECT_TRUE(worker->ended);
  }
  Status after = status();
  EXPECT_EQ(after.peers_dropped, 4u);
  EXPECT_EQ(after.identities[1].name, "shop");
  EXPECT_EQ(after.identities[1].refused, 4u);
  EXPECT_EQ(after.identities[1].signatures, 0u);
}

TEST_F(HolderTest, RefusesIdentitiesOfOthers) {
  serve();
  for (const char* name : {"bank", "nobody"}) {
    auto worker = peer();
    worker->sign(name, SignatureScheme::EcdsaP256Sha256, certificate_verify());
    ASSERT_TRUE(worker->reply);
    EXPECT_NE(worker->reply->refusal().find("may not use"), std::string::npos);
    EXPECT_TRUE(worker->ended);
  }
}

TEST_F(HolderTest, RefusesSchemesThatAreNotTheKeys) {
  serve();
  for (auto scheme : {SignatureScheme::EcdsaP384Sha384, SignatureScheme::Ed25519, SignatureScheme::RsaPssSha256,
                      static_cast<SignatureScheme>(0x0401), static_cast<SignatureScheme>(0x0201)}) {
    auto worker = peer();
    worker->sign("shop", scheme, certificate_verify());
    ASSERT_TRUE(worker->reply);
    EXPECT_FALSE(worker->reply->done()) << static_cast<int>(scheme);
    EXPECT_TRUE(worker->ended);
  }
}

TEST_F(HolderTest, Tls12OnlyForPeersThatMayUseIt) {
  serve();
  auto without = peer(false);
  without->sign("shop", SignatureScheme::EcdsaP256Sha256, key_exchange());
  ASSERT_TRUE(without->reply);
  EXPECT_NE(without->reply->refusal().find("TLS 1.2"), std::string::npos);
  EXPECT_TRUE(without->ended);
  auto with = peer(true);
  with->sign("shop", SignatureScheme::EcdsaP256Sha256, key_exchange());
  ASSERT_TRUE(with->reply);
  EXPECT_TRUE(with->reply->done());
}

// Every pair of request and phase, for the supervisor and for a gateway: what the table does not list ends the peer.
TEST_F(HolderTest, NothingOutsideTheTable) {
  constexpr std::uint8_t kMostType = 127;
  for (std::uint8_t type = 0; type < kMostType; ++type) {
    auto request = static_cast<Request>(type);
    {
      TestKeyholder loading(loop_);
      auto reply = loading.ask(request, {});
      bool listed = request == Request::LoadIdentity || request == Request::Seal;
      EXPECT_TRUE(loading.ended) << "an empty " << int{type} << " is wrong in any case";
      EXPECT_EQ(reply.has_value(), listed) << int{type};
    }
    {
      TestKeyholder serving(loop_);
      ASSERT_TRUE(serving.seal()->done());
      auto reply = serving.ask(request, {});
      EXPECT_EQ(reply.has_value(), request == Request::Status) << int{type};
      EXPECT_EQ(serving.ended.has_value(), request != Request::Status) << int{type};
    }
    {
      TestKeyholder serving(loop_);
      ASSERT_TRUE(serving.seal()->done());
      RawPeer worker(loop_, serving.admit_gateway({}));
      worker.ask(type, {});
      bool listed = request == Request::Sign || request == Request::TicketKey;
      EXPECT_TRUE(worker.ended) << int{type};
      EXPECT_EQ(worker.reply.has_value(), listed) << int{type};
      EXPECT_FALSE(serving.ended) << "a worker ends itself, not the keyholder";
    }
  }
}

TEST_F(HolderTest, NoMoreBytesThanTheTableSays) {
  serve();
  auto worker = peer();
  worker->ask(Request::TicketKey, Bytes(4096, 1));
  EXPECT_TRUE(worker->ended);
  EXPECT_FALSE(worker->reply);
  worker = peer();
  worker->ask(Request::Sign, Bytes(kMostStatementBytes + kMostNameBytes + 7, 1));
  EXPECT_TRUE(worker->ended);
  EXPECT_FALSE(worker->reply);
}

TEST_F(HolderTest, NoDescriptorsFromWorkers) {
  serve();
  auto worker = peer();
  Bytes payload;
  TicketKey{"web", ticket_epoch_at(keyholder_.now)}.encode(payload);
  worker->ask(static_cast<std::uint8_t>(Request::TicketKey), payload, Fd(::open("/dev/null", O_RDONLY)));
  EXPECT_TRUE(worker->ended);
  EXPECT_FALSE(worker->reply);
}

TEST_F(HolderTest, NothingIsSignedBeforeSealAndLoadedAfterIt) {
  key_ = *crypto::generate_key(KeyType::P256);
  ASSERT_TRUE(keyholder_.load("shop", key_)->done());
  SocketPair pair = *stream_pair();
  EXPECT_FALSE(keyholder_.admit({::getpid(), ::geteuid(), Role::Gateway, false, {"shop"}, {}}, std::move(pair.theirs)));
  EXPECT_TRUE(keyholder_.ended) << "Admit is for a sealed keyholder";

  TestKeyholder other(loop_);
  ASSERT_TRUE(other.seal()->done());
  EXPECT_FALSE(other.load("shop", key_));
  EXPECT_TRUE(other.ended);
}

TEST_F(HolderTest, ASandboxThatFailsEndsIt) {
  keyholder_.seal_fails = true;
  auto reply = keyholder_.seal();
  ASSERT_TRUE(reply);
  EXPECT_NE(reply->refusal().find("no sandbox"), std::string::npos);
  EXPECT_TRUE(keyholder_.ended);
  EXPECT_EQ(keyholder_.holder->phase(), Holder::Phase::Loading);
}

TEST_F(HolderTest, ASecondIdentityOfTheSameNameIsRefused) {
  key_ = *crypto::generate_key(KeyType::P256);
  ASSERT_TRUE(keyholder_.load("shop", key_)->done());
  EXPECT_NE(keyholder_.load("shop", key_)->refusal().find("loaded already"), std::string::npos);
  EXPECT_FALSE(keyholder_.ended);
}

TEST_F(HolderTest, WeakAndForeignKeysAreRefused) {
  crypto::KeyHandle weak(EVP_RSA_gen(1024));
  EXPECT_NE(keyholder_.load("weak", weak)->refusal().find("2048"), std::string::npos);
  crypto::KeyHandle p521(EVP_EC_gen("P-521"));
  EXPECT_NE(keyholder_.load("p521", p521)->refusal().find("P-384"), std::string::npos);
}

TEST_F(HolderTest, AdmitChecksWhoMadeTheSocket) {
  serve();
  auto refusal = [&](pid_t pid, uid_t uid, Fd socket) {
    auto reply = keyholder_.admit({pid, uid, Role::Gateway, false, {"shop"}, {}}, std::move(socket));
    return reply ? reply->refusal() : "closed";
  };
  EXPECT_NE(refusal(::getpid() + 1, ::geteuid(), one_end()).find("the socket is of pid"), std::string::npos);
  EXPECT_NE(refusal(::getpid(), ::geteuid() + 1, one_end()).find("the socket is of pid"), std::string::npos);
  EXPECT_NE(refusal(::getpid(), ::geteuid(), Fd(::open("/dev/null", O_RDONLY))).find("not a UNIX socket"),
            std::string::npos);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
  Fd other(pair[1]);
  EXPECT_NE(refusal(::getpid(), ::geteuid(), Fd(pair[0])).find("not a stream socket"), std::string::npos);

  // A pair that another process made, announced as ours: what a captured worker could try with a socket of its own.
  SocketPair channel = *stream_pair();
  pid_t child = ::fork();
  if (child == 0) {
    // Only _exit from here: a child has none of the parent's secret memory.
    int made[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, made) != 0) ::_exit(1);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    char byte = 0;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &made[0], sizeof(int));
    ::sendmsg(channel.theirs.get(), &message, 0);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  char byte = 0;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ASSERT_EQ(::recvmsg(channel.ours.get(), &message, 0), 1);
  int foreign = -1;
  std::memcpy(&foreign, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof foreign);
  EXPECT_NE(refusal(::getpid(), ::geteuid(), Fd(foreign)).find("the socket is of pid " + std::to_string(child)),
            std::string::npos);
  EXPECT_TRUE(status().peers.empty());
}

TEST_F(HolderTest, AdmitKnowsOnlyWhatIsLoaded) {
  serve();
  auto reply = keyholder_.admit({::getpid(), ::geteuid(), Role::Gateway, false, {"shop", "other"}, {}}, one_end());
  EXPECT_NE(reply->refusal().find("\"other\" is not loaded"), std::string::npos);
}

TEST_F(HolderTest, TicketKeysOfNearEpochsOnly) {
  serve();
  std::uint64_t now = ticket_epoch_at(keyholder_.now);
  auto worker = peer();
  std::map<std::uint64_t, Bytes> keys;
  for (std::uint64_t epoch : {now - 1, now, now + 1}) {
    worker->ticket_key("web", epoch);
    ASSERT_TRUE(worker->reply && worker->reply->done());
    EXPECT_EQ(worker->reply->payload.size(), kTicketKeyBytes);
    keys[epoch] = worker->reply->payload;
  }
  EXPECT_NE(keys[now - 1], keys[now]);
  EXPECT_NE(keys[now], keys[now + 1]);
  for (std::uint64_t epoch : {now - 2, now + 2, std::uint64_t{0}, ~std::uint64_t{0}}) {
    worker->ticket_key("web", epoch);
    ASSERT_TRUE(worker->reply);
    EXPECT_NE(worker->reply->refusal().find("not near"), std::string::npos) << epoch;
    EXPECT_FALSE(worker->ended) << "a worker may have slept over the hour";
  }
  // The same epoch gives the same key, to every worker of the service; an hour later the oldest is gone.
  auto second = peer();
  second->ticket_key("web", now);
  EXPECT_EQ(second->reply->payload, keys[now]);
  keyholder_.now += kTicketEpoch;
  second->ticket_key("web", now);
  EXPECT_EQ(second->reply->payload, keys[now]);
  second->ticket_key("web", now - 1);
  EXPECT_FALSE(second->reply->done());
}

TEST_F(HolderTest, TicketKeysDependOnServiceAndKeyholder) {
  serve();
  std::uint64_t now = ticket_epoch_at(keyholder_.now);
  RawPeer both(loop_, keyholder_.admit_gateway({"shop"}, {"web", "api"}));
  both.ticket_key("web", now);
  Bytes web = both.reply->payload;
  both.ticket_key("api", now);
  EXPECT_NE(both.reply->payload, web);
  both.ticket_key("other", now);
  EXPECT_NE(both.reply->refusal().find("may not have ticket keys"), std::string::npos);
  EXPECT_TRUE(both.ended);

  TestKeyholder another(loop_);
  another.seal();
  RawPeer there(loop_, another.admit_gateway({}, {"web"}));
  there.ticket_key("web", now);
  EXPECT_NE(there.reply->payload, web);
}

TEST_F(HolderTest, StatusSaysWhatIsHeldAndWhoUsesIt) {
  serve();
  auto worker = peer();
  worker->sign("shop", SignatureScheme::EcdsaP256Sha256, certificate_verify());
  Status said = status();
  EXPECT_TRUE(said.sealed);
  EXPECT_EQ(said.pid, ::getpid());
  ASSERT_EQ(said.identities.size(), 2u);
  EXPECT_EQ(said.identities[1].name, "shop");
  EXPECT_EQ(said.identities[1].type, KeyType::P256);
  EXPECT_EQ(said.identities[1].signatures, 1u);
  ASSERT_EQ(said.peers.size(), 1u);
  EXPECT_EQ(said.peers[0].pid, ::getpid());
  EXPECT_EQ(said.peers[0].signatures, 1u);
  EXPECT_EQ(said.services, std::vector<std::string>{"web"});
  worker.reset();
  loop_.turn(std::chrono::milliseconds(1));
  EXPECT_TRUE(status().peers.empty());
  EXPECT_EQ(status().peers_dropped, 0u) << "leaving is not being dropped";
}

TEST_F(HolderTest, ManyRequestsAtOnceAreAllAnswered) {
  serve();
  Fd socket = keyholder_.admit_gateway({"shop"});
  std::map<std::uint32_t, bool> answers;
  event::FrameSocket worker(
      loop_, std::move(socket),
      {.most_payload = [](std::uint8_t) -> Result<std::size_t> { return event::FrameSocket::kMostPayload; },
       .received = [&](event::Frame frame) { answers[frame.id] = frame.type == static_cast<int>(Reply::Done); },
       .closed = [](const Error&) {}});
  Bytes payload;
  Bytes statement = certificate_verify();
  Sign{"shop", static_cast<std::uint16_t>(SignatureScheme::EcdsaP256Sha256), statement}.encode(payload);
  for (std::uint32_t id = 1; id <= 500; ++id) worker.send(static_cast<std::uint8_t>(Request::Sign), id, payload);
  for (int i = 0; i < 200 && answers.size() < 500; ++i) loop_.turn(std::chrono::milliseconds(1));
  EXPECT_EQ(answers.size(), 500u);
  EXPECT_TRUE(std::all_of(answers.begin(), answers.end(), [](const auto& entry) { return entry.second; }));
}

TEST(Rules, TheGuideShowsTheTable) {
  auto page = read_file(std::string(SOURCE_DIR) + "/docs/guide/keyholder.md", 1 << 20);
  ASSERT_TRUE(page) << page.error().what;
  EXPECT_NE(page->find(Holder::rules_as_markdown()), std::string::npos) << "docs/guide/keyholder.md should contain:\n"
                                                                        << Holder::rules_as_markdown();
}

}  // namespace
}  // namespace cipherway::keyholder
