#include "event/event_loop.h"

#include <algorithm>
#include <cerrno>

namespace cipherway::event {

namespace {

constexpr int kMostEventsPerTurn = 256;

// What the kernel keeps for us is the watcher's address, and in its lowest bit whether it comes first.
constexpr std::uint64_t kFirst = 1;
static_assert(alignof(Watcher) > kFirst);

}  // namespace

Timer::Timer(EventLoop& loop, std::function<void()> expired) : loop_(loop), expired_(std::move(expired)) {}

Timer::~Timer() {
  set_ = false;
  if (position_ != kNotQueued) loop_.dequeue(*this);
}

void Timer::set_after(Clock::duration delay) {
  set_at(loop_.now() + delay);
}

void Timer::set_at(Clock::time_point deadline) {
  deadline_ = deadline;
  set_ = true;
  if (position_ != kNotQueued && queued_at_ <= deadline) return;  // the heap will look at it in time
  if (position_ != kNotQueued) loop_.dequeue(*this);
  loop_.enqueue(*this, deadline);
}

void Timer::cancel() {
  set_ = false;
}  // the heap entry, if any, is dropped when its moment comes

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), now_(Clock::now()), ready_(kMostEventsPerTurn) {
  if (!epoll_) broken("no epoll instance");
}

Result<void> EventLoop::add(int fd, std::uint32_t events, Watcher& watcher, Order order) {
  std::erase(removed_, &watcher);  // the same address may be in use again
  epoll_event event{};
  event.events = events;
  event.data.u64 = reinterpret_cast<std::uintptr_t>(&watcher) | (order == Order::First ? kFirst : 0);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("watch a descriptor");
  return {};
}

Result<void> EventLoop::change(int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) return fail_errno("watch a descriptor differently");
  return {};
}

void EventLoop::remove(int fd, Watcher& watcher) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  forget(watcher);
}

void EventLoop::forget(Watcher& watcher) {
  std::erase(again_, &watcher);
  std::erase(after_event_, &watcher);
  if (dispatching_) removed_.push_back(&watcher);
}

void EventLoop::again(Watcher& watcher) {
  if (std::ranges::find(again_, &watcher) == again_.end()) again_.push_back(&watcher);
}

void EventLoop::after_event(Watcher& watcher) {
  if (std::ranges::find(after_event_, &watcher) == after_event_.end()) after_event_.push_back(&watcher);
}

void EventLoop::at_turn_end(std::function<void()> work) {
  turn_end_.push_back(std::move(work));
}

void EventLoop::run() {
  stopped_ = false;
  while (!stopped_) turn(std::chrono::hours(1));
}

void EventLoop::turn(Clock::duration most) {
  run_turn_end();  // work queued outside a turn
  now_ = Clock::now();
  Clock::duration wait = most;
  if (!heap_.empty()) wait = std::clamp(heap_.front()->queued_at_ - now_, Clock::duration::zero(), most);
  if (!again_.empty()) wait = Clock::duration::zero();
  auto millis = std::chrono::ceil<std::chrono::milliseconds>(wait).count();

  int count = ::epoll_wait(epoll_.get(), ready_.data(), kMostEventsPerTurn, static_cast<int>(millis));
  if (count < 0 && errno != EINTR) broken("epoll_wait failed");
  now_ = Clock::now();

  dispatching_ = true;
  std::vector<Watcher*> again;
  again.swap(again_);
  for (Watcher* watcher : again) call(*watcher, 0);
  for (std::uint64_t order : {kFirst, std::uint64_t{0}}) {
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready_[static_cast<std::size_t>(i)];
      std::uint64_t who = event.data.u64;
      if ((who & kFirst) == order) call(*reinterpret_cast<Watcher*>(who & ~kFirst), event.events);
    }
  }
  dispatching_ = false;
  removed_.clear();
  run_timers();
  run_turn_end();
}

void EventLoop::call(Watcher& watcher, std::uint32_t events) {
  if (!removed_.empty() && std::ranges::find(removed_, &watcher) != removed_.end()) return;
  watcher.ready(events);
  if (!after_event_.empty()) run_after_event();
}

void EventLoop::run_after_event() {
  while (!after_event_.empty()) {
    Watcher* watcher = after_event_.front();
    after_event_.erase(after_event_.begin());
    watcher->ready(0);
  }
}

void EventLoop::run_timers() {
  while (!heap_.empty() && heap_.front()->queued_at_ <= now_) {
    Timer& timer = *heap_.front();
    dequeue(timer);
    if (!timer.set_) continue;
    if (timer.deadline_ > now_) {
      enqueue(timer, timer.deadline_);
      continue;
    }
    timer.set_ = false;
    timer.expired_();  // may destroy the timer
  }
}

void EventLoop::run_turn_end() {
  run_after_event();  // of timers
  while (!turn_end_.empty()) {
    std::vector<std::function<void()>> work;
    work.swap(turn_end_);
    for (auto& each : work) each();
    run_after_event();
  }
}

void EventLoop::enqueue(Timer& timer, Clock::time_point when) {
  timer.queued_at_ = when;
  timer.position_ = heap_.size();
  heap_.push_back(&timer);
  sift(timer.position_);
}

void EventLoop::dequeue(Timer& timer) {
  std::size_t hole = timer.position_;
  timer.position_ = Timer::kNotQueued;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  heap_[hole] = last;
  last->position_ = hole;
  sift(hole);
}

/// Moves the timer at `position` up or down until the heap is in order.
void EventLoop::sift(std::size_t position) {
  auto swap_with = [&](std::size_t other) {
    std::swap(heap_[position], heap_[other]);
    heap_[position]->position_ = position;
    heap_[other]->position_ = other;
    position = other;
  };
  auto earlier = [&](std::size_t a, std::size_t b) { return heap_[a]->queued_at_ < heap_[b]->queued_at_; };
  while (position > 0 && earlier(position, (position - 1) / 2)) swap_with((position - 1) / 2);
  for (;;) {
    std::size_t child = position * 2 + 1;
    if (child >= heap_.size()) return;
    if (child + 1 < heap_.size() && earlier(child + 1, child)) ++child;
    if (!earlier(child, position)) return;
    swap_with(child);
  }
}

}  // namespace cipherway::event
