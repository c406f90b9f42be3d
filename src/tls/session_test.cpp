#include "tls/session.h"

#include "keyholder/test_keyholder.h"
#include "tls/authority_for_tests.h"
#include "tls/ticket_keys.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

namespace cipherway::tls {

struct SessionForTests {
  static SSL* library(Session& session) { return session.ssl_.get(); }
  static void set_records(Session& session, std::uint64_t count) { session.records_ = count; }
};

namespace {

using Step = Session::Step;
using ReadStep = Session::ReadStep;

struct Waiter final : Resumable {
  int calls = 0;
  void key_operation_done() override { ++calls; }
};

/// A client and a server context whose private keys are in a keyholder, and the wire between two sessions of them.
class SessionTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = authority_.issue({.name = "server", .alternative_names = "DNS:shop.example.org"});
    client_ = authority_.issue({.name = "client", .alternative_names = "URI:spiffe://example.org/frontend"});
  }

  void connect_keyholder() {
    ASSERT_TRUE(holder_.load("server", server_->key)->done());
    ASSERT_TRUE(holder_.load("client", client_->key)->done());
    ASSERT_TRUE(holder_.seal()->done());
    Fd theirs = *keys_.connect();
    auto admitted = holder_.admit(
        {::getpid(), ::geteuid(), keyholder::Role::Gateway, true, {"server", "client"}, {"server"}}, std::move(theirs));
    ASSERT_TRUE(admitted && admitted->done());
  }

  static Settings::Peer peer(identity::TrustBundle trust, std::string_view pattern) {
    return {std::move(trust), identity::AccessPolicy({*identity::NamePattern::parse(pattern)})};
  }

  Settings server_settings() {
    return {.role = Role::Server,
            .shown = Settings::Shown{"server", {{server_->certificate}}},
            .peer = peer(authority_.bundle(), "spiffe://example.org/frontend"),
            .scope = "from test"};
  }
  Settings client_settings() {
    return {.role = Role::Client,
            .shown = Settings::Shown{"client", {{client_->certificate}}},
            .peer = peer(authority_.bundle(), "shop.example.org"),
            .server_name = "shop.example.org",
            .scope = "to test"};
  }

  struct Ends {
    std::unique_ptr<Session> client, server;
    Waiter client_waiter, server_waiter;
    Output to_server, to_client;
    Step client_step = Step::NeedsInput, server_step = Step::NeedsInput;

    ~Ends() {  // a session may not be destroyed while a key operation is pending
      Output nowhere;
      for (auto* session : {client.get(), server.get()}) {
        if (session == nullptr || !session->waits_for_key()) continue;
        session->abandon();
        session->handshake(nowhere);
      }
    }
  };

  std::unique_ptr<Ends> begin(std::shared_ptr<Context> client, std::shared_ptr<Context> server) {
    auto ends = std::make_unique<Ends>();
    ends->client = *Session::make(std::move(client), ends->client_waiter, "target");
    ends->server = *Session::make(std::move(server), ends->server_waiter);
    return ends;
  }

  /// One step on each side, with what the other side sent.
  void exchange(Ends& ends) {
    auto step = [](Session& session, Step& state, Output& in, Output& out) {
      if (state == Step::Done || state == Step::Failed) return;
      Bytes arrived(in.view().begin(), in.view().end());
      in.clear();
      session.give(arrived);
      state = session.handshake(out);
      if (!session.unread().empty()) in.append(Bytes(session.unread().begin(), session.unread().end()));
      session.give({});
    };
    step(*ends.client, ends.client_step, ends.to_client, ends.to_server);
    step(*ends.server, ends.server_step, ends.to_server, ends.to_client);
    loop_.turn(std::chrono::milliseconds(0));
  }

  void shake_hands(Ends& ends) {
    for (int i = 0; i < 40; ++i) exchange(ends);
  }

  /// What `reader` decrypts of what was sent to it.
  std::string received(Session& reader, Output& in, Output& out) {
    Bytes arrived(in.view().begin(), in.view().end());
    in.clear();
    reader.give(arrived);
    Bytes plain(64 * 1024);
    auto read = reader.read(plain, out);
    reader.give({});
    last_read_ = read.step;
    return std::string(as_text(BytesView(plain).first(read.bytes)));
  }

  AuthorityForTests authority_;
  event::EventLoop loop_;
  keyholder::TestKeyholder holder_{loop_};
  Keys keys_{loop_, [] {}};
  std::optional<Made> server_, client_;
  ReadStep last_read_ = ReadStep::NeedsInput;
};

TEST_F(SessionTest, BothSidesProveThemselvesWithKeysThatTheKeyholderHas) {
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  ASSERT_EQ(ends->client_step, Step::Done) << ends->client->refusal().detail;
  ASSERT_EQ(ends->server_step, Step::Done) << ends->server->refusal().detail;
  auto facts = ends->server->negotiated();
  EXPECT_EQ(facts.protocol, "TLSv1.3");
  EXPECT_EQ(facts.cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_FALSE(facts.group.empty());
  EXPECT_EQ(facts.server_name, "shop.example.org");
  EXPECT_FALSE(facts.resumed);
  ASSERT_EQ(facts.peer_names.size(), 1u);
  EXPECT_EQ(facts.peer_names[0].text, "spiffe://example.org/frontend");
  EXPECT_GE(ends->server_waiter.calls, 1);  // the handshake did wait, and did not block
}

TEST_F(SessionTest, DataPassesBothWaysAndCloseNotifyEndsADirection) {
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  ASSERT_EQ(received(*ends->client, ends->to_client, ends->to_server), "");  // the ticket
  std::string large(50'000, 'x');
  ASSERT_TRUE(ends->client->write(as_bytes(large), ends->to_server));
  EXPECT_EQ(received(*ends->server, ends->to_server, ends->to_client), large);
  ends->client->close(ends->to_server);
  EXPECT_EQ(received(*ends->server, ends->to_server, ends->to_client), "");
  EXPECT_EQ(last_read_, ReadStep::Closed);
  ASSERT_TRUE(ends->server->write(as_bytes("still here"), ends->to_client));
  EXPECT_EQ(received(*ends->client, ends->to_client, ends->to_server), "still here");
}

/// `count` KeyUpdates that ask for an answer, one after the other.
void update_keys(Session& from, int count, Output& out) {
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(SSL_key_update(SessionForTests::library(from), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(from.handshake(out), Step::Done);
  }
}

TEST_F(SessionTest, KeyUpdatesAreFollowedAndAnsweredAndWithoutDataBounded) {
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  received(*ends->client, ends->to_client, ends->to_server);  // the ticket
  for (int round = 0; round < 3; ++round) {
    update_keys(*ends->client, Session::kMostMessages, ends->to_server);
    ASSERT_TRUE(ends->client->write(as_bytes("data"), ends->to_server));
    ASSERT_EQ(received(*ends->server, ends->to_server, ends->to_client), "data") << ends->server->refusal().detail;
    ends->to_client.clear();  // the client reads none of the answers
  }
  update_keys(*ends->client, Session::kMostMessages, ends->to_server);
  EXPECT_EQ(received(*ends->server, ends->to_server, ends->to_client), "");
  EXPECT_EQ(last_read_, ReadStep::NeedsInput);
  update_keys(*ends->client, 1000, ends->to_server);
  auto answered = ends->to_client.view().size();
  EXPECT_EQ(received(*ends->server, ends->to_server, ends->to_client), "");
  EXPECT_EQ(last_read_, ReadStep::Failed);
  EXPECT_EQ(word(ends->server->refusal().reason), "protocol-error");
  EXPECT_LE(ends->to_client.view().size() - answered, 64u) << "it went on after the limit";
}

TEST_F(SessionTest, ALongSessionTakesNewKeysBeforeTheOldOnesAreWornOut) {
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  auto written = [&] {
    EXPECT_TRUE(ends->client->write(as_bytes("data"), ends->to_server));
    auto size = ends->to_server.view().size();
    EXPECT_EQ(received(*ends->server, ends->to_server, ends->to_client), "data");
    return size;
  };
  auto record = written();
  SessionForTests::set_records(*ends->client, Session::kRecordsOfAKey - 1);
  EXPECT_EQ(written(), record);
  EXPECT_GT(written(), record) << "no KeyUpdate";
  EXPECT_EQ(written(), record);
}

TEST_F(SessionTest, RecordsMayComeInAnyPieces) {
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  for (std::size_t piece : {1U, 4U, 5U, 6U, 23U, 4096U}) {
    SCOPED_TRACE(piece);
    std::string sent(6000, static_cast<char>('a' + piece % 26));
    ASSERT_TRUE(ends->client->write(as_bytes(sent), ends->to_server));
    ASSERT_TRUE(ends->client->write(as_bytes("and more"), ends->to_server));
    Bytes wire(ends->to_server.view().begin(), ends->to_server.view().end());
    ends->to_server.clear();
    std::string got;
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      ends->server->give(BytesView(wire).subspan(at, std::min(piece, wire.size() - at)));
      // Room for less than a record: the rest stays in the session between two reads.
      for (Bytes plain(100);;) {
        auto read = ends->server->read(plain, ends->to_client);
        if (read.step != ReadStep::Data) break;
        got += as_text(BytesView(plain).first(read.bytes));
      }
    }
    EXPECT_EQ(got, sent + "and more");
  }
}

TEST_F(SessionTest, MuchAfterLittleMayBeWrittenInTheMiddleOfReadingARecord) {
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  received(*ends->client, ends->to_client, ends->to_server);  // the ticket
  std::string much(50'000, 'x'), little = "little";
  ASSERT_TRUE(ends->client->write(as_bytes(little), ends->to_server));
  Bytes wire(ends->to_server.view().begin(), ends->to_server.view().end());
  ends->to_server.clear();
  Bytes plain(100);
  ends->server->give(BytesView(wire).first(10));
  EXPECT_EQ(ends->server->read(plain, ends->to_client).step, ReadStep::NeedsInput);
  for (const std::string& text : {little, much, little, much}) {
    ends->server->rest();
    ASSERT_TRUE(ends->server->write(as_bytes(text), ends->to_client));
    EXPECT_EQ(received(*ends->client, ends->to_client, ends->to_server), text);
  }
  ends->server->give(BytesView(wire).subspan(10));
  EXPECT_EQ(ends->server->read(plain, ends->to_client).bytes, little.size());
}

TEST_F(SessionTest, ATicketMayBeSparedButNotOfAResumption) {
  connect_keyholder();
  auto client = *Context::make(client_settings(), keys_), server = *Context::make(server_settings(), keys_);
  auto visit = [&](bool spare) {
    auto ends = begin(client, server);
    if (spare) ends->server->spare_ticket();
    shake_hands(*ends);
    EXPECT_EQ(ends->server_step, Step::Done);
    bool ticket = !ends->to_client.view().empty();
    received(*ends->client, ends->to_client, ends->to_server);
    ends->client->close(ends->to_server);
    return std::pair(ends->server->resumed(), ticket);
  };
  EXPECT_EQ(visit(true), std::pair(false, false));
  EXPECT_EQ(visit(false), std::pair(false, true));
  EXPECT_EQ(visit(true), std::pair(true, true));
  EXPECT_EQ(visit(true), std::pair(true, true));
}

TEST_F(SessionTest, AChangedBitInARecordEndsIt) {
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  ASSERT_TRUE(ends->client->write(as_bytes("hello"), ends->to_server));
  Bytes changed(ends->to_server.view().begin(), ends->to_server.view().end());
  changed.back() ^= 1;
  ends->to_server.clear();
  ends->to_server.append(changed);
  EXPECT_EQ(received(*ends->server, ends->to_server, ends->to_client), "");
  EXPECT_EQ(last_read_, ReadStep::Failed);
  EXPECT_EQ(word(ends->server->refusal().reason), "bad-record");
}

TEST_F(SessionTest, ASecondSessionIsResumedUntilThePolicyChanges) {
  connect_keyholder();
  auto server = *Context::make(server_settings(), keys_);
  auto client = *Context::make(client_settings(), keys_);
  for (int i = 0; i < 10; ++i) loop_.turn(std::chrono::milliseconds(1));
  ASSERT_NE(server->tickets()->fresh(), nullptr);

  auto first = begin(client, server);
  shake_hands(*first);
  received(*first->client, first->to_client, first->to_server);  // takes the ticket
  ASSERT_FALSE(first->client->resumed());

  auto second = begin(client, server);
  shake_hands(*second);
  ASSERT_EQ(second->server_step, Step::Done);
  EXPECT_TRUE(second->client->resumed());
  EXPECT_TRUE(second->server->resumed());
  EXPECT_EQ(second->server_waiter.calls, 0);  // no private key took part
  ASSERT_EQ(second->server->negotiated().peer_names.size(), 1u);
  EXPECT_EQ(second->server->negotiated().peer_names[0].text, "spiffe://example.org/frontend");
  received(*second->client, second->to_client, second->to_server);

  auto changed = server_settings();
  changed.peer =
      peer(authority_.bundle(), "spiffe://example.org/**");  // lets the same client in, but is another policy
  auto third = begin(client, *Context::make(changed, keys_));
  shake_hands(*third);
  ASSERT_EQ(third->server_step, Step::Done) << third->server->refusal().detail;
  EXPECT_FALSE(third->server->resumed());
}

TEST_F(SessionTest, WithoutATicketKeyNoTicketIsIssued) {
  connect_keyholder();
  auto server = *Context::make(server_settings(), keys_);
  auto client = *Context::make(client_settings(), keys_);
  ASSERT_EQ(server->tickets()->fresh(), nullptr);  // the keyholder has not answered yet
  auto ends = begin(client, server);
  shake_hands(*ends);
  ASSERT_EQ(ends->client_step, Step::Done);
  EXPECT_EQ(ends->to_client.view().size(), 0u);
  EXPECT_EQ(client->recall("target"), nullptr);
}

TEST_F(SessionTest, AKeyOperationThatIsAbandonedFailsTheHandshake) {
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  for (int i = 0; i < 5; ++i) exchange(*ends);  // nobody answers: there is no keyholder
  ASSERT_EQ(ends->server_step, Step::NeedsKey);
  ends->server->abandon();
  EXPECT_EQ(ends->server_waiter.calls, 1);
  EXPECT_EQ(ends->server->handshake(ends->to_client), Step::Failed);
  EXPECT_EQ(word(ends->server->refusal().reason), "key-unavailable");
}

TEST_F(SessionTest, AKeyOperationWaitsForAKeyholderThatComesLater) {
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  for (int i = 0; i < 5; ++i) exchange(*ends);
  ASSERT_EQ(ends->server_step, Step::NeedsKey);
  connect_keyholder();
  shake_hands(*ends);
  EXPECT_EQ(ends->server_step, Step::Done) << ends->server->refusal().detail;
}

/// A peer that must be refused, by whom, and with which word.
struct Bad {
  const char* what;
  AuthorityForTests::Wanted wanted;
  const char* reason;
  bool foreign = false;
};

class RefusalTest : public SessionTest, public testing::WithParamInterface<Bad> {};

TEST_P(RefusalTest, TheServerRefusesTheClient) {
  AuthorityForTests other;
  const Bad& bad = GetParam();
  client_ = (bad.foreign ? other : authority_).issue(bad.wanted);
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  EXPECT_EQ(ends->server_step, Step::Failed);
  EXPECT_EQ(word(ends->server->refusal().reason), bad.reason) << ends->server->refusal().detail;
  EXPECT_GT(ends->to_client.view().size(), 0u);  // an alert says so
}

TEST_P(RefusalTest, TheClientRefusesTheServer) {
  AuthorityForTests other;
  const Bad& bad = GetParam();
  server_ = (bad.foreign ? other : authority_).issue(bad.wanted);
  connect_keyholder();
  auto ends = begin(*Context::make(client_settings(), keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  EXPECT_EQ(ends->client_step, Step::Failed);
  EXPECT_EQ(word(ends->client->refusal().reason), bad.reason) << ends->client->refusal().detail;
}

// The names are the ones that the policies of both sides accept, unless the name is what is bad.
constexpr const char* kGood = "URI:spiffe://example.org/frontend,DNS:shop.example.org";
INSTANTIATE_TEST_SUITE_P(
    All, RefusalTest,
    testing::Values(Bad{"AnotherName", {.alternative_names = "DNS:evil.example.org"}, "name-not-allowed"},
                    Bad{"NoName", {}, "name-not-allowed"},
                    Bad{"Expired", {.alternative_names = kGood, .not_before = -7200, .not_after = -10}, "expired"},
                    Bad{"NotYetValid", {.alternative_names = kGood, .not_before = 3000}, "not-yet-valid"},
                    Bad{"WrongPurpose", {.alternative_names = kGood, .usage = "codeSigning"}, "wrong-purpose"},
                    Bad{"UnknownAuthority", {.alternative_names = kGood}, "unknown-authority", true}),
    [](const auto& each) { return std::string(each.param.what); });

TEST_F(SessionTest, AClientWithoutACertificateIsRefused) {
  connect_keyholder();
  auto settings = client_settings();
  settings.shown.reset();
  auto ends = begin(*Context::make(settings, keys_), *Context::make(server_settings(), keys_));
  shake_hands(*ends);
  EXPECT_EQ(ends->server_step, Step::Failed);
  EXPECT_EQ(word(ends->server->refusal().reason), "no-certificate");
}

TEST_F(SessionTest, EveryKeyTypeSigns) {
  for (auto type : {crypto::KeyType::P384, crypto::KeyType::Ed25519, crypto::KeyType::Rsa}) {
    SCOPED_TRACE(crypto::to_string(type));
    event::EventLoop loop;
    server_ = authority_.issue({.alternative_names = "DNS:shop.example.org", .key = type});
    keyholder::TestKeyholder holder(loop_);
    ASSERT_TRUE(holder.load("server", server_->key)->done());
    ASSERT_TRUE(holder.load("client", client_->key)->done());
    ASSERT_TRUE(holder.seal()->done());
    Keys keys(loop_, [] {});
    Fd theirs = *keys.connect();
    ASSERT_TRUE(holder
                    .admit({::getpid(), ::geteuid(), keyholder::Role::Gateway, false, {"server", "client"}, {"server"}},
                           std::move(theirs))
                    ->done());
    auto ends = begin(*Context::make(client_settings(), keys), *Context::make(server_settings(), keys));
    shake_hands(*ends);
    EXPECT_EQ(ends->client_step, Step::Done) << ends->client->refusal().detail;
    EXPECT_EQ(ends->server_step, Step::Done) << ends->server->refusal().detail;
  }
}

}  // namespace
}  // namespace cipherway::tls
