#include "keyholder/test_handshake.h"
#include "keyholder/test_keyholder.h"

#include <openssl/pem.h>
#include <openssl/provider.h>

// Real TLS handshakes over memory BIOs whose private keys are held by a keyholder.
namespace cipherway::keyholder {
namespace {

struct Case {
  crypto::KeyType type;
  int version;
  const char* signature_algorithms;
};

class Handshake : public testing::TestWithParam<Case> {
 protected:
  void start(crypto::KeyType type, bool tls12) {
    auto server_key = *crypto::generate_key(type, 2048);
    auto client_key = *crypto::generate_key(type, 2048);
    server_certificate_ = self_signed(server_key, type);
    client_certificate_ = self_signed(client_key, type);
    ASSERT_TRUE(keyholder_.load("server", server_key)->done());
    ASSERT_TRUE(keyholder_.load("client", client_key)->done());
    ASSERT_TRUE(keyholder_.seal()->done());
    server_ = std::make_unique<Client>(loop_, keyholder_.admit_gateway({"server"}, {}, tls12), [&] { ++lost_; });
    client_ = std::make_unique<Client>(loop_, keyholder_.admit_gateway({"client"}, {}, tls12), [&] { ++lost_; });
  }

  event::EventLoop loop_;
  TestKeyholder keyholder_{loop_};
  crypto::CertificateHandle server_certificate_, client_certificate_;
  std::unique_ptr<Client> server_, client_;
  int lost_ = 0;
};

TEST_P(Handshake, MutualWithBothKeysInTheKeyholder) {
  const Case& c = GetParam();
  start(c.type, c.version == TLS1_2_VERSION);
  auto server_context = context(*server_, "server", server_certificate_, true, c.version, c.signature_algorithms);
  auto client_context = context(*client_, "client", client_certificate_, false, c.version, c.signature_algorithms);
  End server(*server_, server_context.get(), true);
  End client(*client_, client_context.get(), false);
  shake(loop_, client, server);
  EXPECT_EQ(client.state, End::State::Done) << client.reason;
  EXPECT_EQ(server.state, End::State::Done) << server.reason;
  // Each side paused once for its signature, and the keyholder made just these.
  EXPECT_EQ(server.parked, 1);
  EXPECT_EQ(client.parked, 1);
  Status status = keyholder_.holder->status();
  for (const auto& identity : status.identities) EXPECT_EQ(identity.signatures, 1u) << identity.name;
  EXPECT_EQ(status.peers_dropped, 0u);
}

INSTANTIATE_TEST_SUITE_P(EveryKeyType, Handshake,
                         testing::Values(Case{crypto::KeyType::P256, TLS1_3_VERSION, "ecdsa_secp256r1_sha256"},
                                         Case{crypto::KeyType::P384, TLS1_3_VERSION, "ecdsa_secp384r1_sha384"},
                                         Case{crypto::KeyType::Ed25519, TLS1_3_VERSION, "ed25519"},
                                         Case{crypto::KeyType::Rsa, TLS1_3_VERSION, "rsa_pss_rsae_sha256"},
                                         Case{crypto::KeyType::Rsa, TLS1_3_VERSION, "rsa_pss_rsae_sha512"},
                                         Case{crypto::KeyType::P256, TLS1_2_VERSION, "ecdsa_secp256r1_sha256"},
                                         Case{crypto::KeyType::P384, TLS1_2_VERSION, "ecdsa_secp384r1_sha384"},
                                         Case{crypto::KeyType::Ed25519, TLS1_2_VERSION, "ed25519"},
                                         Case{crypto::KeyType::Rsa, TLS1_2_VERSION, "rsa_pss_rsae_sha256"}),
                         [](const auto& tested) {
                           std::string name = tested.param.version == TLS1_3_VERSION ? "Tls13_" : "Tls12_";
                           return name + tested.param.signature_algorithms;
                         });

class OneHandshake : public Handshake {};

constexpr Case kP256{crypto::KeyType::P256, TLS1_3_VERSION, "ecdsa_secp256r1_sha256"};

TEST_P(OneHandshake, SurvivesALostKeyholder) {
  start(crypto::KeyType::P256, false);
  auto server_context =
      context(*server_, "server", server_certificate_, true, TLS1_3_VERSION, kP256.signature_algorithms);
  auto client_context =
      context(*client_, "client", client_certificate_, false, TLS1_3_VERSION, kP256.signature_algorithms);
  // The server's keyholder is lost before it is asked; the request waits for the next one.
  SocketPair dead = *stream_pair();
  server_->reconnect(std::move(dead.ours));
  End server(*server_, server_context.get(), true);
  End client(*client_, client_context.get(), false);
  shake(loop_, client, server, 5);
  ASSERT_EQ(server.state, End::State::Parked);
  dead.theirs.reset();
  shake(loop_, client, server, 5);
  EXPECT_EQ(lost_, 1);
  EXPECT_FALSE(server_->connected());
  server_->reconnect(keyholder_.admit_gateway({"server"}));
  shake(loop_, client, server);
  EXPECT_EQ(server.state, End::State::Done) << server.reason;
  EXPECT_EQ(client.state, End::State::Done) << client.reason;
}

TEST_P(OneHandshake, StaysWithTheKeyholderOfItsGenerationAsLongAsThatIsThere) {
  start(crypto::KeyType::P256, false);
  SocketPair old = *stream_pair();
  server_->reconnect(std::move(old.ours));
  auto server_context =
      context(*server_, "server", server_certificate_, true, TLS1_3_VERSION, kP256.signature_algorithms);
  auto client_context =
      context(*client_, "client", client_certificate_, false, TLS1_3_VERSION, kP256.signature_algorithms);
  End server(*server_, server_context.get(), true);
  End client(*client_, client_context.get(), false);
  shake(loop_, client, server, 5);
  ASSERT_EQ(server.state, End::State::Parked);
  server_->begin_generation();
  server_->reconnect(keyholder_.admit_gateway({"server"}));
  shake(loop_, client, server, 5);
  EXPECT_EQ(server.state, End::State::Parked) << "the new keyholder may have another key by that name";
  // A handshake of the new generation is the new keyholder's.
  auto new_context = context(*server_, "server", server_certificate_, true, TLS1_3_VERSION, kP256.signature_algorithms);
  End new_server(*server_, new_context.get(), true);
  End new_client(*client_, client_context.get(), false);
  shake(loop_, new_client, new_server);
  EXPECT_EQ(new_server.state, End::State::Done) << new_server.reason;
  // The old one goes without an answer: that is no loss, and the new one is asked after all.
  old.theirs.reset();
  shake(loop_, client, server);
  EXPECT_EQ(lost_, 0);
  EXPECT_EQ(server.state, End::State::Done) << server.reason;
}

TEST_P(OneHandshake, EndsWithAnErrorWhenAbandoned) {
  start(crypto::KeyType::P256, false);
  auto server_context =
      context(*server_, "server", server_certificate_, true, TLS1_3_VERSION, kP256.signature_algorithms);
  auto client_context =
      context(*client_, "client", client_certificate_, false, TLS1_3_VERSION, kP256.signature_algorithms);
  SocketPair silent = *stream_pair();
  server_->reconnect(std::move(silent.ours));
  End server(*server_, server_context.get(), true);
  End client(*client_, client_context.get(), false);
  shake(loop_, client, server, 5);
  ASSERT_EQ(server.state, End::State::Parked);
  server.give_up();
  EXPECT_EQ(server.state, End::State::Failed);
  EXPECT_NE(server.reason.find("given up"), std::string::npos) << server.reason;
  EXPECT_EQ(server.woken, 0);
}

TEST_P(OneHandshake, FailsWhenTheKeyholderRefuses) {
  start(crypto::KeyType::P256, false);
  // The server's worker asks for an identity that it was not admitted for.
  auto server_context =
      context(*server_, "client", client_certificate_, true, TLS1_3_VERSION, kP256.signature_algorithms);
  auto client_context =
      context(*client_, "client", client_certificate_, false, TLS1_3_VERSION, kP256.signature_algorithms);
  End server(*server_, server_context.get(), true);
  End client(*client_, client_context.get(), false);
  shake(loop_, client, server, 10);
  EXPECT_EQ(server.state, End::State::Failed);
  EXPECT_NE(server.reason.find("may not use identity"), std::string::npos) << server.reason;
  EXPECT_EQ(lost_, 1);
  EXPECT_EQ(keyholder_.holder->status().peers_dropped, 1u);
}

TEST_P(OneHandshake, ASignatureOutsideAJobFailsAtOnce) {
  start(crypto::KeyType::P256, false);
  auto server_context =
      context(*server_, "server", server_certificate_, true, TLS1_3_VERSION, kP256.signature_algorithms);
  auto client_context =
      context(*client_, "client", client_certificate_, false, TLS1_3_VERSION, kP256.signature_algorithms);
  End server(*server_, server_context.get(), true);
  SSL_clear_mode(server.ssl(), SSL_MODE_ASYNC);
  End client(*client_, client_context.get(), false);
  shake(loop_, client, server, 10);
  EXPECT_EQ(server.state, End::State::Failed);
  EXPECT_NE(server.reason.find("ASYNC job"), std::string::npos) << server.reason;
}

TEST_P(OneHandshake, ThePrivateKeyObjectHasNoPrivateKey) {
  start(crypto::KeyType::P256, false);
  crypto::KeyHandle public_key(X509_get_pubkey(server_certificate_.get()));
  auto key = *server_->key_for("server", public_key);
  BIGNUM* scalar = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key.get(), "priv", &scalar), 0);
  OSSL_PARAM* params = nullptr;
  EXPECT_EQ(EVP_PKEY_todata(key.get(), EVP_PKEY_KEYPAIR, &params), 0);
  EXPECT_EQ(EVP_PKEY_todata(key.get(), EVP_PKEY_PUBLIC_KEY, &params), 1);
  OSSL_PARAM_free(params);
  auto bio = crypto::writing();
  EXPECT_EQ(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 0);
}

TEST_P(OneHandshake, OtherKeysGoToTheDefaultProvider) {
  start(crypto::KeyType::P256, false);
  crypto::KeyHandle public_key(X509_get_pubkey(server_certificate_.get()));
  auto held = *server_->key_for("server", public_key);
  for (auto type : {crypto::KeyType::P256, crypto::KeyType::Ed25519, crypto::KeyType::Rsa}) {
    auto key = *crypto::generate_key(type, 2048);
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key.get())), "default");
    auto der = *crypto::public_key_der(key.get());
    auto decoded = *crypto::public_key_from_der(der);
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(decoded.get())), "default");
    auto pem = *crypto::private_key_to_pem(key);
    auto read = *crypto::private_key_from(pem);
    EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(read.get())), "default");
  }
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(held.get())), "cipherway");
}

// OpenSSL 3.0 may answer a request for "EC" of any provider with what it last found for one in particular. A handshake
// that agrees on P-256 makes such a request, and must not be given the kind of key that lives in a keyholder.
TEST_P(OneHandshake, AKeyInTheKeyholderIsNoModelForNewKeys) {
  start(crypto::KeyType::P256, false);
  crypto::KeyHandle public_key(X509_get_pubkey(server_certificate_.get()));
  auto held = *server_->key_for("server", public_key);
  ASSERT_EQ(EVP_set_default_properties(nullptr, ""), 1);  // forgets what was found so far
  crypto::DigestContextHandle signing(EVP_MD_CTX_new());
  ASSERT_EQ(EVP_DigestSignInit(signing.get(), nullptr, EVP_sha256(), nullptr, held.get()), 1);
  auto key = crypto::generate_key(crypto::KeyType::P256);
  ASSERT_TRUE(key) << key.error().what;
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key->get())), "default");
}

INSTANTIATE_TEST_SUITE_P(P256, OneHandshake, testing::Values(kP256));

}  // namespace
}  // namespace cipherway::keyholder
