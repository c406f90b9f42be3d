#pragma once

#include "base/clock.h"
#include "base/fd.h"

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace cipherway::event {

/// Told when its descriptor is ready. `events` are epoll's (EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR).
class Watcher {
 public:
  virtual void ready(std::uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

class EventLoop;

/// A deadline that calls back once, from the loop. Moving a deadline further away, what an idle timeout does with every
/// byte, costs a store: the loop notices when the earlier moment comes. Owned by whoever waits; must not outlive the
/// loop.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> expired);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set_after(Clock::duration delay);
  void set_at(Clock::time_point deadline);
  void cancel();
  bool is_set() const { return set_; }

 private:
  friend class EventLoop;
  static constexpr std::size_t kNotQueued = static_cast<std::size_t>(-1);

  EventLoop& loop_;
  std::function<void()> expired_;
  Clock::time_point deadline_{};
  bool set_ = false;
  std::size_t position_ = kNotQueued;  // in the loop's heap
  Clock::time_point queued_at_{};      // the moment the heap knows: never later than deadline_
};

/// One thread's epoll, timers and end-of-turn work. Everything a process does happens inside `run`.
class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Of what is ready in a turn, what comes first.
  enum class Order { First, Usual };
  /// Level-triggered unless EPOLLET is among the events. The watcher must stay until `remove`; it may be removed,
  /// and destroyed, from inside any callback: events already fetched for it are dropped.
  Result<void> add(int fd, std::uint32_t events, Watcher& watcher, Order order = Order::Usual);
  Result<void> change(int fd, std::uint32_t events, Watcher& watcher);
  void remove(int fd, Watcher& watcher);
  /// Instead of `remove`, for a descriptor that is closed right after this and that nobody has a duplicate of: the
  /// kernel then stops watching it by itself.
  void forget(Watcher& watcher);

  /// Calls `watcher.ready(0)` in the next turn, which then does not wait: for one that stopped in the middle of its
  /// work so that others get their turn. Forgotten when the watcher is removed.
  void again(Watcher& watcher);

  /// Calls `watcher.ready(0)` as soon as the callback that is under way has returned: for what its several parts have
  /// in common. Forgotten when the watcher is removed.
  void after_event(Watcher& watcher);
  /// Does now what waits for the end of this event: between the parts of a long one.
  void run_after_event();
  /// Runs `work` at the end of this turn, before the loop waits again (once; batches of writes go here).
  void at_turn_end(std::function<void()> work);

  /// Turns until `stop`.
  void run();
  /// One turn: waits at most `most`, handles what is ready, runs timers and end-of-turn work.
  void turn(Clock::duration most);
  void stop() { stopped_ = true; }

  /// The time this turn began: good enough for timeouts, and free.
  Clock::time_point now() const { return now_; }

 private:
  friend class Timer;

  void enqueue(Timer& timer, Clock::time_point when);
  void dequeue(Timer& timer);
  void sift(std::size_t position);
  void call(Watcher& watcher, std::uint32_t events);
  void run_timers();
  void run_turn_end();

  Fd epoll_;
  bool stopped_ = false;
  Clock::time_point now_;
  std::vector<epoll_event> ready_;  // what the kernel said in this turn
  std::vector<Timer*> heap_;        // binary heap by queued_at_
  std::vector<std::function<void()>> turn_end_;
  std::vector<Watcher*> again_;
  std::vector<Watcher*> after_event_;
  std::vector<const Watcher*> removed_;  // in this turn
  bool dispatching_ = false;
};

}  // namespace cipherway::event
