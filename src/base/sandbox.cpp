#include "base/sandbox.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#ifdef CIPHERWAY_SANITIZED
namespace {
bool leaks_are_out_of_sight = false;
}
// Looking for leaks at exit needs ptrace of oneself, which a hardened process does not have.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() {
  return leaks_are_out_of_sight ? 1 : 0;
}
#endif

namespace cipherway::sandbox {

namespace {

#ifndef __SNR_memfd_secret
#define __SNR_memfd_secret 447
#endif

/// Builds a filter; remembers the first error, so that a profile reads as a list.
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_KILL_PROCESS)) {
    if (context_ == nullptr) error_ = -ENOMEM;
  }
  ~Filter() {
    if (context_ != nullptr) ::seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  template <class... Conditions>
  void allow(int call, Conditions... conditions) {
    add(SCMP_ACT_ALLOW, call, conditions...);
  }
  void allow_all(std::initializer_list<int> calls) {
    for (int call : calls) allow(call);
  }
  /// The call fails instead of ending the process.
  template <class... Conditions>
  void deny(int error_number, int call, Conditions... conditions) {
    add(SCMP_ACT_ERRNO(static_cast<unsigned>(error_number)), call, conditions...);
  }

  Result<void> load() {
    keep(context_ == nullptr ? -ENOMEM : ::seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    keep(context_ == nullptr ? -ENOMEM : ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
    // The filter is a tree and not a list of comparisons: a call costs the same wherever it stands in a profile.
    keep(context_ == nullptr ? -ENOMEM : ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    if (error_ == 0) keep(::seccomp_load(context_));
    if (error_ != 0) return fail_errno("restrict system calls with seccomp", -error_);
    return {};
  }

 private:
  template <class... Conditions>
  void add(std::uint32_t action, int call, Conditions... conditions) {
    if (context_ != nullptr) keep(::seccomp_rule_add(context_, action, call, sizeof...(conditions), conditions...));
  }
  void keep(int result) {
    if (error_ == 0 && result < 0) error_ = result;
  }

  scmp_filter_ctx context_;
  int error_ = 0;
};

scmp_arg_cmp equal(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp without_bits(unsigned argument, std::uint64_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}
scmp_arg_cmp with_bits(unsigned argument, std::uint64_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, bits, bits};
}

/// The type of a socket in the second argument, with any flags.
scmp_arg_cmp socket_type(int type) {
  return {1, SCMP_CMP_MASKED_EQ, 0xf, static_cast<std::uint64_t>(type)};
}

/// What both have: memory that is not executable, clocks, randomness, sockets that are there, logs, an orderly end.
void allow_common(Filter& filter) {
  filter.allow_all({
      SCMP_SYS(read),         SCMP_SYS(write),       SCMP_SYS(recvmsg),         SCMP_SYS(sendmsg),
      SCMP_SYS(close),        SCMP_SYS(epoll_wait),  SCMP_SYS(epoll_pwait),     SCMP_SYS(epoll_pwait2),
      SCMP_SYS(epoll_ctl),    SCMP_SYS(getsockopt),  SCMP_SYS(shutdown),        SCMP_SYS(clock_gettime),
      SCMP_SYS(gettimeofday), SCMP_SYS(time),        SCMP_SYS(getrandom),       SCMP_SYS(futex),
      SCMP_SYS(munmap),       SCMP_SYS(madvise),     SCMP_SYS(mlock),           SCMP_SYS(munlock),
      SCMP_SYS(brk),          SCMP_SYS(mremap),      SCMP_SYS(ftruncate),       __SNR_memfd_secret,
      SCMP_SYS(exit),         SCMP_SYS(exit_group),  SCMP_SYS(rt_sigreturn),    SCMP_SYS(rt_sigprocmask),
      SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
      SCMP_SYS(getpid),       SCMP_SYS(gettid),      SCMP_SYS(getuid),          SCMP_SYS(geteuid),
      SCMP_SYS(getgid),       SCMP_SYS(getegid),
  });
  filter.allow(SCMP_SYS(mmap), without_bits(2, PROT_EXEC));
  filter.allow(SCMP_SYS(mprotect), without_bits(2, PROT_EXEC));
  // abort() signals itself, and nobody else.
  filter.allow(SCMP_SYS(tgkill), equal(0, static_cast<std::uint64_t>(::getpid())));
}

void allow_status_server(Filter& filter) {
  filter.allow_all({SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(getsockname),
                    SCMP_SYS(epoll_create1), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(pread64)});
  filter.allow(SCMP_SYS(newfstatat), with_bits(3, AT_EMPTY_PATH));
}

void allow_gateway_worker(Filter& filter) {
  for (int family : {AF_INET, AF_INET6, AF_UNIX})
    filter.allow(SCMP_SYS(socket), equal(0, static_cast<std::uint64_t>(family)), socket_type(SOCK_STREAM));
  for (int family : {AF_INET, AF_INET6})  // questions to name servers; without bind(2) nobody else is answered
    filter.allow(SCMP_SYS(socket), equal(0, static_cast<std::uint64_t>(family)), socket_type(SOCK_DGRAM));
  filter.allow(SCMP_SYS(socketpair), equal(0, AF_UNIX));
  filter.allow_all({
      SCMP_SYS(accept4),         SCMP_SYS(connect),
      SCMP_SYS(recvfrom),        SCMP_SYS(sendto),
      SCMP_SYS(recvmmsg),        SCMP_SYS(sendmmsg),
      SCMP_SYS(readv),           SCMP_SYS(writev),
      SCMP_SYS(setsockopt),      SCMP_SYS(getsockname),
      SCMP_SYS(getpeername),     SCMP_SYS(epoll_create1),
      SCMP_SYS(eventfd2),        SCMP_SYS(timerfd_create),
      SCMP_SYS(timerfd_settime), SCMP_SYS(signalfd4),
      SCMP_SYS(fcntl),           SCMP_SYS(dup),
      SCMP_SYS(close_range),     SCMP_SYS(poll),
      SCMP_SYS(ppoll),           SCMP_SYS(clock_nanosleep),
      SCMP_SYS(nanosleep),       SCMP_SYS(fstat),
      SCMP_SYS(pread64),         SCMP_SYS(lseek),
      SCMP_SYS(memfd_create),    SCMP_SYS(splice),
      SCMP_SYS(pipe2),           SCMP_SYS(getrusage),
      SCMP_SYS(sysinfo),         SCMP_SYS(sched_getaffinity),
      SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
      SCMP_SYS(getcpu),          SCMP_SYS(uname),
  });
  filter.allow(SCMP_SYS(newfstatat), with_bits(3, AT_EMPTY_PATH));
  filter.allow(SCMP_SYS(prctl), equal(0, PR_SET_NAME));
  filter.allow(SCMP_SYS(prctl), equal(0, PR_SET_DUMPABLE), equal(1, 0));
  filter.allow(SCMP_SYS(prlimit64), equal(2, 0));  // reading limits
  // Libraries look for files and go on without them; what matters is that they get none.
#ifndef CIPHERWAY_SANITIZED
  for (int call :
       {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
        SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat)})
    filter.deny(EACCES, call);
  filter.deny(EACCES, SCMP_SYS(newfstatat), without_bits(3, AT_EMPTY_PATH));
#endif
}

#ifdef CIPHERWAY_SANITIZED
/// The runtimes map their shadow, read /proc/self/maps and look at their binary when they have something to report.
void allow_sanitizers(Filter& filter) {
  filter.allow_all({
      SCMP_SYS(open),
      SCMP_SYS(openat),
      SCMP_SYS(stat),
      SCMP_SYS(lstat),
      SCMP_SYS(fstat),
      SCMP_SYS(newfstatat),
      SCMP_SYS(statx),
      SCMP_SYS(access),
      SCMP_SYS(readlink),
      SCMP_SYS(readlinkat),
      SCMP_SYS(lseek),
      SCMP_SYS(pread64),
      SCMP_SYS(ioctl),
      SCMP_SYS(getrlimit),
      SCMP_SYS(prlimit64),
      SCMP_SYS(sysinfo),
      SCMP_SYS(uname),
      SCMP_SYS(getdents64),
      SCMP_SYS(nanosleep),
      SCMP_SYS(mincore),
      SCMP_SYS(clock_nanosleep),
      SCMP_SYS(sched_getaffinity),
      SCMP_SYS(personality),
      SCMP_SYS(getcwd),
      SCMP_SYS(set_robust_list),
      SCMP_SYS(rseq),
      SCMP_SYS(getrusage),
      SCMP_SYS(pipe),
      SCMP_SYS(pipe2),
      SCMP_SYS(prctl),
      SCMP_SYS(getppid),
  });
  filter.allow(SCMP_SYS(mmap));
  filter.allow(SCMP_SYS(mprotect));
}
#endif

}  // namespace

Result<void> restrict_syscalls(Profile profile) {
  Filter filter;
  allow_common(filter);
  switch (profile) {
    case Profile::Keyholder: break;
    case Profile::StatusServer: allow_status_server(filter); break;
    case Profile::GatewayWorker: allow_gateway_worker(filter); break;
  }
#ifdef CIPHERWAY_SANITIZED
  allow_sanitizers(filter);
  leaks_are_out_of_sight = true;
#endif
  return filter.load();
}

}  // namespace cipherway::sandbox
