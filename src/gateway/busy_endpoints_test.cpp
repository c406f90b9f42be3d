#include "gateway/busy_endpoints.h"

#include "base/fd.h"
#include "gateway/endpoint.h"
#include "tls/authority_for_tests.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

struct Nobody final : Endpoint::Owner, tls::Resumable {
  void endpoint_ready() override {}
  void key_operation_done() override {}
};

/// Endpoints that begin a handshake as clients, which makes them busy.
class BusyEndpointsTest : public testing::Test {
 protected:
  void SetUp() override {
    context_ = *tls::Context::make({.role = tls::Role::Client,
                                    .peer = tls::Settings::Peer{authority_.bundle(), identity::AccessPolicy({})},
                                    .scope = "test"},
                                   keys_);
  }

  void begin(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      SocketPair pair = *stream_pair();
      auto endpoint = std::make_unique<Endpoint>(loop_, scratch_, nobody_, std::move(pair.ours));
      endpoint->start_tls(*tls::Session::make(context_, nobody_), true);
      EXPECT_EQ(endpoint->handshake(), Endpoint::Handshake::Waits);
      peers_.push_back(std::move(pair.theirs));
      endpoints_.push_back(std::move(endpoint));
    }
  }

  event::EventLoop loop_;
  Scratch scratch_{loop_};
  Nobody nobody_;
  tls::Keys keys_{loop_, [] {}};
  tls::AuthorityForTests authority_;
  std::shared_ptr<tls::Context> context_;
  std::vector<Fd> peers_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
};

TEST_F(BusyEndpointsTest, AreSoManyAtMost) {
  begin(3);
  EXPECT_EQ(scratch_.busy.count(), 3U);
  begin(BusyEndpoints::kMost);
  EXPECT_EQ(scratch_.busy.count(), BusyEndpoints::kMost);
}

TEST_F(BusyEndpointsTest, RestAfterAMoment) {
  begin(3);
  for (int i = 0; i < 3 && scratch_.busy.count() > 0; ++i) loop_.turn(std::chrono::seconds(1));
  EXPECT_EQ(scratch_.busy.count(), 0U);
}

TEST_F(BusyEndpointsTest, AreForgottenWhenTheyGo) {
  begin(3);
  endpoints_.erase(endpoints_.begin() + 1);
  EXPECT_EQ(scratch_.busy.count(), 2U);
  endpoints_.clear();
  EXPECT_EQ(scratch_.busy.count(), 0U);
}

}  // namespace
}  // namespace cipherway::gateway
