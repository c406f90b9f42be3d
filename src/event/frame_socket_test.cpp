#include "event/frame_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

namespace cipherway::event {
namespace {

struct End {
  std::vector<std::pair<int, Bytes>> frames;
  std::vector<Fd> descriptors;
  std::optional<Error> closed;

  FrameSocket::Callbacks callbacks(std::size_t most = FrameSocket::kMostPayload) {
    return {.most_payload = [most](std::uint8_t) -> Result<std::size_t> { return most; },
            .received =
                [this](Frame frame) {
                  frames.emplace_back(frame.type, Bytes(frame.payload.begin(), frame.payload.end()));
                  if (frame.descriptor) descriptors.push_back(std::move(frame.descriptor));
                },
            .closed = [this](Error error) { closed = std::move(error); }};
  }
};

class FrameSocketTest : public testing::Test {
 protected:
  void turn(int times = 4) {
    for (int i = 0; i < times; ++i) loop_.turn(std::chrono::milliseconds(0));
  }
  EventLoop loop_;
  SocketPair pair_ = *stream_pair();
  End a_, b_;
};

TEST_F(FrameSocketTest, CarriesFramesInOrderBothWays) {
  FrameSocket a(loop_, std::move(pair_.ours), a_.callbacks());
  FrameSocket b(loop_, std::move(pair_.theirs), b_.callbacks());
  for (int i = 0; i < 1000; ++i) a.send(1, 7, as_bytes("frame " + std::to_string(i)));
  b.send(2, 8, {});
  turn(50);
  ASSERT_EQ(b_.frames.size(), 1000u);
  EXPECT_EQ(as_text(b_.frames[999].second), "frame 999");
  ASSERT_EQ(a_.frames.size(), 1u);
  EXPECT_EQ(a_.frames[0].first, 2);
}

TEST_F(FrameSocketTest, LeavesAfterTheEventIfItIsToldTo) {
  struct Sender final : Watcher {
    FrameSocket* socket = nullptr;
    void ready(std::uint32_t) override {
      socket->send(1, 0, as_bytes("one"));
      socket->send(1, 0, as_bytes("two"));
    }
  } sender;
  struct Looker final : Watcher {
    int fd = -1;
    ssize_t there = 0;
    void ready(std::uint32_t) override {
      char buffer[64];
      there = ::recv(fd, buffer, sizeof buffer, MSG_PEEK | MSG_DONTWAIT);
    }
  } looker;
  for (auto when : {FrameSocket::When::TurnEnd, FrameSocket::When::EventEnd}) {
    SocketPair pair = *stream_pair();
    looker.fd = pair.theirs.get();
    FrameSocket socket(loop_, std::move(pair.ours), a_.callbacks(), when);
    sender.socket = &socket;
    loop_.again(sender);
    loop_.again(looker);
    loop_.turn(std::chrono::milliseconds(0));
    EXPECT_EQ(looker.there, when == FrameSocket::When::EventEnd ? 24 : -1);
  }
}

TEST_F(FrameSocketTest, CarriesTheLargestFrameAndManyOfThem) {
  FrameSocket a(loop_, std::move(pair_.ours), a_.callbacks());
  FrameSocket b(loop_, std::move(pair_.theirs), b_.callbacks());
  Bytes large(FrameSocket::kMostPayload, 0x5a);
  for (int i = 0; i < 20; ++i) a.send(1, 0, large);
  turn(400);
  ASSERT_EQ(b_.frames.size(), 20u);
  EXPECT_EQ(b_.frames[19].second, large);
}

TEST_F(FrameSocketTest, DescriptorsArriveWithTheirFrames) {
  FrameSocket a(loop_, std::move(pair_.ours), a_.callbacks());
  FrameSocket b(loop_, std::move(pair_.theirs), b_.callbacks());
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  Fd read_end(pipes[0]), write_end(pipes[1]);
  a.send(1, 0, as_bytes("none"));
  a.send(2, 0, as_bytes("first"), *duplicate(write_end));
  a.send(3, 0, as_bytes("second"), *duplicate(write_end));
  turn();
  ASSERT_EQ(b_.frames.size(), 3u);
  ASSERT_EQ(b_.descriptors.size(), 2u);
  EXPECT_EQ(::write(b_.descriptors[1].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);
}

TEST_F(FrameSocketTest, ReportsTheEnd) {
  FrameSocket b(loop_, std::move(pair_.theirs), b_.callbacks());
  pair_.ours.reset();
  turn();
  ASSERT_TRUE(b_.closed);
  EXPECT_EQ(b_.closed->kind, ErrorKind::Closed);
}

TEST_F(FrameSocketTest, EndsTheConversationWhenAFrameIsTooLong) {
  FrameSocket b(loop_, std::move(pair_.theirs), b_.callbacks(16));
  const std::uint8_t header[] = {0, 0, 0, 17, 1, 0, 0, 0, 0};  // 17 bytes announced, none sent
  ASSERT_EQ(::write(pair_.ours.get(), header, sizeof header), 9);
  turn();
  ASSERT_TRUE(b_.closed);
  EXPECT_EQ(b_.closed->kind, ErrorKind::Limit);
}

TEST_F(FrameSocketTest, EndsTheConversationWhenAPromisedDescriptorIsMissing) {
  FrameSocket b(loop_, std::move(pair_.theirs), b_.callbacks());
  const std::uint8_t header[] = {0, 0, 0, 0, 0x81, 0, 0, 0, 0};
  ASSERT_EQ(::write(pair_.ours.get(), header, sizeof header), 9);
  turn();
  ASSERT_TRUE(b_.closed);
  EXPECT_EQ(b_.closed->kind, ErrorKind::Protocol);
}

TEST_F(FrameSocketTest, MayBeDestroyedFromItsOwnCallback) {
  FrameSocket a(loop_, std::move(pair_.ours), a_.callbacks());
  std::unique_ptr<FrameSocket> b;
  int received = 0;
  b = std::make_unique<FrameSocket>(
      loop_, std::move(pair_.theirs),
      FrameSocket::Callbacks{.most_payload = [](std::uint8_t) { return Result<std::size_t>(16); },
                             .received =
                                 [&](Frame) {
                                   ++received;
                                   b.reset();
                                 },
                             .closed = [](Error) {}});
  a.send(1, 0, {});
  a.send(1, 0, {});
  turn();
  EXPECT_EQ(received, 1);
}

}  // namespace
}  // namespace cipherway::event
