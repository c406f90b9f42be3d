#include "event/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <random>

namespace cipherway::event {
namespace {

using namespace std::chrono_literals;

TEST(TimerTest, CallsBackOnceInOrderOfDeadlines) {
  EventLoop loop;
  std::vector<int> order;
  Timer late(loop, [&] { order.push_back(2); });
  Timer early(loop, [&] { order.push_back(1); });
  late.set_after(8ms);
  early.set_after(2ms);
  auto end = Clock::now() + 30ms;
  while (Clock::now() < end) loop.turn(1ms);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(TimerTest, ADeadlineMovedAwayDoesNotFireEarly) {
  EventLoop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  timer.set_after(2ms);
  timer.set_after(1h);
  auto end = Clock::now() + 15ms;
  while (Clock::now() < end) loop.turn(1ms);
  EXPECT_EQ(fired, 0);
  timer.set_after(1ms);  // nearer again
  end = Clock::now() + 15ms;
  while (Clock::now() < end) loop.turn(1ms);
  EXPECT_EQ(fired, 1);
}

TEST(TimerTest, ACancelledTimerIsSilent) {
  EventLoop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  timer.set_after(1ms);
  timer.cancel();
  auto end = Clock::now() + 10ms;
  while (Clock::now() < end) loop.turn(1ms);
  EXPECT_EQ(fired, 0);
}

TEST(TimerTest, ManyTimersSetMovedAndDestroyedAtRandomFireExactlyWhenDue) {
  EventLoop loop;
  std::minstd_rand random(7);
  std::vector<std::unique_ptr<Timer>> timers;
  int fired = 0;
  for (int i = 0; i < 500; ++i) {
    timers.push_back(std::make_unique<Timer>(loop, [&] { ++fired; }));
    timers.back()->set_after(std::chrono::milliseconds(random() % 20));
  }
  int expected = 500;
  for (int i = 0; i < 500; i += 5, --expected) timers[static_cast<std::size_t>(i)].reset();
  for (int i = 1; i < 500; i += 5)
    timers[static_cast<std::size_t>(i)]->set_after(std::chrono::milliseconds(random() % 40));
  auto end = Clock::now() + 80ms;
  while (Clock::now() < end) loop.turn(1ms);
  EXPECT_EQ(fired, expected);
}

struct Counting final : Watcher {
  std::function<void()> then = [] {};
  int calls = 0;
  void ready(std::uint32_t) override {
    ++calls;
    then();
  }
};

TEST(EventLoopTest, AWatcherRemovedInTheSameTurnIsNotCalled) {
  EventLoop loop;
  int one[2], two[2];
  ASSERT_EQ(::pipe(one), 0);
  ASSERT_EQ(::pipe(two), 0);
  Fd a(one[0]), a_in(one[1]), b(two[0]), b_in(two[1]);
  Counting first, second;
  first.then = [&] { loop.remove(b.get(), second); };
  second.then = [&] { loop.remove(a.get(), first); };
  ASSERT_TRUE(loop.add(a.get(), EPOLLIN, first));
  ASSERT_TRUE(loop.add(b.get(), EPOLLIN, second));
  ASSERT_EQ(::write(a_in.get(), "x", 1), 1);
  ASSERT_EQ(::write(b_in.get(), "x", 1), 1);
  loop.turn(10ms);
  EXPECT_EQ(first.calls + second.calls, 1);
}

TEST(EventLoopTest, AForgottenWatcherIsNotCalledForWhatWasFetchedNorAfterItsDescriptorIsClosed) {
  EventLoop loop;
  int one[2], two[2];
  ASSERT_EQ(::pipe(one), 0);
  ASSERT_EQ(::pipe(two), 0);
  Fd a(one[0]), a_in(one[1]), b(two[0]), b_in(two[1]);
  Counting first, second;
  auto forget = [&](Fd& fd, Counting& watcher) {
    loop.forget(watcher);
    fd.reset();
  };
  first.then = [&] { forget(b, second); };
  second.then = [&] { forget(a, first); };
  ASSERT_TRUE(loop.add(a.get(), EPOLLIN, first));
  ASSERT_TRUE(loop.add(b.get(), EPOLLIN, second));
  loop.again(first);
  loop.again(second);
  ASSERT_EQ(::write(a_in.get(), "x", 1), 1);
  ASSERT_EQ(::write(b_in.get(), "x", 1), 1);
  loop.turn(10ms);
  Counting& left = a ? first : second;
  Counting& gone = a ? second : first;
  EXPECT_EQ(gone.calls, 0);
  EXPECT_GE(left.calls, 1);
  left.then = [] {};
  loop.turn(0ms);
  EXPECT_EQ(gone.calls, 0);
}

TEST(EventLoopTest, WorkAtTurnEndRunsOnceAndMayAskForMore) {
  EventLoop loop;
  int runs = 0;
  loop.at_turn_end([&] {
    ++runs;
    loop.at_turn_end([&] { ++runs; });
  });
  loop.turn(0ms);
  EXPECT_EQ(runs, 2);
  loop.turn(0ms);
  EXPECT_EQ(runs, 2);
}

TEST(EventLoopTest, WhatIsFirstComesFirst) {
  EventLoop loop;
  int usual_pipe[2], first_pipe[2];
  ASSERT_EQ(::pipe(usual_pipe), 0);
  ASSERT_EQ(::pipe(first_pipe), 0);
  Fd usual_out(usual_pipe[0]), usual_in(usual_pipe[1]), first_out(first_pipe[0]), first_in(first_pipe[1]);
  std::string order;
  Counting usual, first;
  usual.then = [&] { order += 'u'; };
  first.then = [&] { order += 'f'; };
  ASSERT_TRUE(loop.add(usual_out.get(), EPOLLIN | EPOLLET, usual));
  ASSERT_TRUE(loop.add(first_out.get(), EPOLLIN | EPOLLET, first, EventLoop::Order::First));
  ASSERT_EQ(::write(usual_in.get(), "x", 1), 1);
  ASSERT_EQ(::write(first_in.get(), "x", 1), 1);
  loop.turn(10ms);
  EXPECT_EQ(order, "fu");
}

TEST(EventLoopTest, AfterAnEventComesWhatItAskedForAndOnlyOnce) {
  EventLoop loop;
  std::string order;
  Counting one, two, after;
  one.then = [&] {
    order += '1';
    loop.after_event(after);
    loop.after_event(after);
  };
  two.then = [&] { order += '2'; };
  after.then = [&] { order += 'a'; };
  loop.again(one);
  loop.again(two);
  loop.turn(0ms);
  EXPECT_EQ(order, "1a2");
  one.then = [&] {
    loop.after_event(after);
    loop.forget(after);
  };
  loop.again(one);
  loop.turn(0ms);
  EXPECT_EQ(order, "1a2") << "it was called although it had been forgotten";
}

}  // namespace
}  // namespace cipherway::event
