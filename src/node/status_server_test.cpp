// The status server against a supervisor that is played here.
#include "node/status_server.h"

#include "base/sealed.h"
#include "node/status_control.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cipherway::node {
namespace {

using namespace std::chrono_literals;

class StatusServerTest : public testing::Test {
 protected:
  void start(StatusServer::Limits limits) {
    std::string path = testing::TempDir() + "status" + std::to_string(::getpid()) + ".sock";
    address_ = *Address::parse("unix:" + path);
    auto pair = stream_pair();
    supervisor_ = std::make_unique<event::FrameSocket>(
        loop_, std::move(pair->ours),
        event::FrameSocket::Callbacks{.most_payload = [](std::uint8_t) -> Result<std::size_t> { return 0; },
                                      .received =
                                          [this](const event::Frame& frame) {
                                            ++asked_;
                                            id_ = frame.id;
                                            if (answers_) answer();
                                          },
                                      .closed = [](const Error&) {}});
    server_ = std::make_unique<StatusServer>(loop_, std::move(*listen_on(address_, 100)), std::move(pair->theirs),
                                             limits, [this] { stopped_ = true; });
    path_ = path;
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  void answer() {
    supervisor_->send(static_cast<std::uint8_t>(StatusFrame::Report), id_, {},
                      std::move(*to_sealed_memory("report", as_bytes(R"({"node":{"phase":"serving"}})"))));
  }

  Fd connect() {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::connect(socket.get(), address_.get(), address_.length()), 0);
    return socket;
  }
  static void say(const Fd& socket, std::string_view text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  /// Everything until the server closes.
  std::string hear(const Fd& socket) {
    std::string out;
    char buffer[4096];
    for (auto end = Clock::now() + 10s; Clock::now() < end;) {
      loop_.turn(1ms);
      ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
      if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
      if (got == 0) return out;
    }
    ADD_FAILURE() << "the server does not close; it said " << out;
    return out;
  }
  std::string get(std::string_view request = "GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n") {
    Fd socket = connect();
    say(socket, request);
    return hear(socket);
  }

  event::EventLoop loop_;
  Address address_;
  std::string path_;
  std::unique_ptr<event::FrameSocket> supervisor_;
  std::unique_ptr<StatusServer> server_;
  bool answers_ = true;
  bool stopped_ = false;
  int asked_ = 0;
  std::uint32_t id_ = 0;
};

TEST_F(StatusServerTest, AnswersFromTheSupervisorsReport) {
  start({});
  EXPECT_TRUE(get().ends_with("\r\n\r\n{\"node\":{\"phase\":\"serving\"}}"));
  EXPECT_TRUE(get("BREW / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(get("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(9000, 'x')).starts_with("HTTP/1.1 431 "));
}

TEST_F(StatusServerTest, WhoAsksTogetherSharesAReport) {
  start({});
  std::vector<Fd> sockets;
  for (int i = 0; i < 20; ++i) {
    sockets.push_back(connect());
    say(sockets.back(), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  for (const Fd& socket : sockets) EXPECT_TRUE(hear(socket).starts_with("HTTP/1.1 "));
  EXPECT_LE(asked_, 2);
  EXPECT_GE(asked_, 1);
}

TEST_F(StatusServerTest, ASilentSupervisorIsAskedOnce) {
  answers_ = false;
  start({.supervisor = 20ms});
  EXPECT_TRUE(get().starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(get().starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(asked_, 1) << "a second question before the answer ends the conversation";
  answer();
  answers_ = true;
  EXPECT_TRUE(get().starts_with("HTTP/1.1 200 "));
}

TEST_F(StatusServerTest, WhoIsSlowIsToldSoAndLet) {
  start({.request = 20ms});
  Fd slow = connect();
  say(slow, "GET / HT");
  EXPECT_TRUE(hear(slow).starts_with("HTTP/1.1 408 "));
  Fd silent = connect();
  EXPECT_EQ(hear(silent), "");
}

TEST_F(StatusServerTest, OneMoreThanThereMayBePushesOutTheOldest) {
  start({.clients = 3});
  std::vector<Fd> idle;
  for (int i = 0; i < 3; ++i) idle.push_back(connect());
  EXPECT_TRUE(get().starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(hear(idle[0]), "");
  say(idle[2], "GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(hear(idle[2]).starts_with("HTTP/1.1 200 "));
}

TEST_F(StatusServerTest, EndsWithTheSupervisor) {
  start({});
  supervisor_.reset();
  for (int i = 0; i < 100 && !stopped_; ++i) loop_.turn(10ms);
  EXPECT_TRUE(stopped_);
}

}  // namespace
}  // namespace cipherway::node
