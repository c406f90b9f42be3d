#include "lab/recorder.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cipherway::lab {
namespace {

using namespace std::chrono_literals;

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    server_ = std::move(*listen_on(*Address::parse("127.0.0.1:0"), 16));
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    ::getsockname(server_.get(), reinterpret_cast<sockaddr*>(&bound), &length);
    recorder_ = std::move(*Recorder::start(loop_, *Address::parse("127.0.0.1:0"), Address::from_socket(bound, length)));
  }

  Fd connect() { return std::move(*connect_to(recorder_->address())); }
  Fd accept() {
    Fd socket;
    for (int i = 0; i < 1000 && !socket; ++i) {
      loop_.turn(1ms);
      socket = Fd(::accept4(server_.get(), nullptr, nullptr, SOCK_NONBLOCK));
    }
    return socket;
  }
  /// Everything until the end of the stream, or until `most` bytes are there.
  std::string receive(const Fd& socket, std::size_t most) {
    std::string out;
    char buffer[65536];
    for (int i = 0; i < 5000 && out.size() < most; ++i) {
      ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
      if (got == 0) return out + "|end";
      if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
      if (got < 0) loop_.turn(1ms);
    }
    return out;
  }
  void send(const Fd& socket, std::string_view text) {
    while (!text.empty()) {
      ssize_t put = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (put > 0) text.remove_prefix(static_cast<std::size_t>(put));
      loop_.turn(1ms);
    }
  }

  event::EventLoop loop_;
  Fd server_;
  std::unique_ptr<Recorder> recorder_;
};

TEST_F(RecorderTest, HandsOnBothWaysAndKeepsACopy) {
  Fd client = connect();
  Fd server = accept();
  send(client, "to the ser");
  send(client, "ver");
  EXPECT_EQ(receive(server, 13), "to the server");
  send(server, "and back");
  EXPECT_EQ(receive(client, 8), "and back");
  EXPECT_TRUE(recorder_->saw("the server")) << "split over two packets";
  EXPECT_TRUE(recorder_->saw("and back"));
  EXPECT_FALSE(recorder_->saw("serverand back")) << "directions are apart";
  EXPECT_EQ(recorder_->bytes(), 21u);
  recorder_->forget();
  EXPECT_FALSE(recorder_->saw("server"));
  send(client, "more");
  EXPECT_EQ(receive(server, 4), "more");
  EXPECT_TRUE(recorder_->saw("more"));
}

TEST_F(RecorderTest, OneDirectionMayEndBeforeTheOther) {
  Fd client = connect();
  Fd server = accept();
  send(client, "question");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(receive(server, 100), "question|end");
  send(server, "answer");
  server.reset();
  EXPECT_EQ(receive(client, 100), "answer|end");
}

TEST_F(RecorderTest, ASlowReaderGetsEverything) {
  Fd client = connect();
  Fd server = accept();
  std::string large(8 << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
  std::string_view rest = large;
  std::string received;
  char buffer[4096];
  while (received.size() < large.size()) {
    ssize_t put = rest.empty() ? 0 : ::send(client.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (put > 0) rest.remove_prefix(static_cast<std::size_t>(put));
    loop_.turn(0ms);
    ssize_t got;
    while ((got = ::recv(server.get(), buffer, sizeof buffer, 0)) > 0)
      received.append(buffer, static_cast<std::size_t>(got));
  }
  EXPECT_TRUE(received == large);
}

TEST_F(RecorderTest, AServerThatIsNotThereEndsTheConnection) {
  server_.reset();
  Fd client = connect();
  std::string end = receive(client, 1);
  EXPECT_TRUE(end == "|end" || end.empty()) << end;
}

}  // namespace
}  // namespace cipherway::lab
