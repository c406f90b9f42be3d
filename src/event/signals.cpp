#include "event/signals.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace cipherway::event {

Signals::Signals(EventLoop& loop, std::initializer_list<int> signals, std::function<void(int)> received)
    : loop_(loop), received_(std::move(received)) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_ = Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd_ || !loop_.add(fd_.get(), EPOLLIN, *this)) broken("no signalfd");
}

Signals::~Signals() {
  loop_.remove(fd_.get(), *this);
}

void Signals::ready(std::uint32_t) {
  signalfd_siginfo info;
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) received_(static_cast<int>(info.ssi_signo));
}

void Signals::unblock_all() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace cipherway::event
