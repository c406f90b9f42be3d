#include "event/child_process.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace cipherway::event {

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// Everything the new process does before exec. Only async-signal-safe calls: no allocation.
class Launch {
 public:
  Launch(const ProgramStart& start, int failure)
      : start_(start),
        failure_(failure),
        parent_(::getpid()),
        arguments_(start.arguments),
        environment_(start.environment) {
    arguments_.insert(arguments_.begin(), start.name.empty() ? start.program : start.name);
    argv_ = pointers(arguments_);
    envp_ = pointers(environment_);
    for (auto& [ours, theirs] : start.descriptors) first_free_ = std::max({first_free_, theirs + 1, 3});
    placed_.resize(start.descriptors.size());
  }

  [[noreturn]] void run() {
    if (start_.own_process_group) ::setpgid(0, 0);
    if (start_.dies_with_parent) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent_) ::_exit(127);  // it died before the line above
    }
    place_descriptors();
    reset_signals();
    ::execve(start_.program.c_str(), argv_.data(), envp_.data());
    give_up();
  }

 private:
  void place_descriptors() {
    // First out of the way of every number that will be given, then to their numbers.
    failure_ = checked(::fcntl(failure_, F_DUPFD_CLOEXEC, first_free_));
    for (std::size_t i = 0; i < placed_.size(); ++i)
      placed_[i] = checked(::fcntl(start_.descriptors[i].first, F_DUPFD_CLOEXEC, first_free_));
    int null = checked(::open("/dev/null", O_RDWR | O_CLOEXEC));
    null = checked(::fcntl(null, F_DUPFD_CLOEXEC, first_free_));
    for (int number = 0; number <= 2; ++number) checked(::dup2(null, number));
    for (std::size_t i = 0; i < placed_.size(); ++i) checked(::dup2(placed_[i], start_.descriptors[i].second));
    // Numbers below first_free_ that are in nobody's list, and all from there on: closed at exec.
    for (int number = 3; number < first_free_; ++number)
      if (!listed(number)) ::close(number);
    if (::syscall(SYS_close_range, static_cast<unsigned>(first_free_), ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up();
  }

  bool listed(int number) const {
    return std::ranges::any_of(start_.descriptors, [&](auto& each) { return each.second == number; });
  }

  void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal) {
      struct sigaction action{};
      action.sa_handler = SIG_DFL;
      ::sigaction(signal, &action, nullptr);  // fails for SIGKILL, SIGSTOP and the library's own: no matter
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }

  int checked(int result) {
    if (result < 0) give_up();
    return result;
  }

  [[noreturn]] void give_up() {
    int error = errno;
    [[maybe_unused]] ssize_t put = ::write(failure_, &error, sizeof error);
    ::_exit(127);
  }

  const ProgramStart& start_;
  int failure_;  // pipe to the parent: closed by exec, or carries errno
  pid_t parent_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
  std::vector<int> placed_;
  int first_free_ = 3;
};

ProcessEnd reap(const Fd& pidfd) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) != 0) {
    if (errno != EINTR) return {.code = 127};
  }
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.signal = info.si_status};
}

}  // namespace

std::string ProcessEnd::to_string() const {
  if (signal == 0) return "exit code " + std::to_string(code);
  const char* name = ::sigdescr_np(signal);
  return "signal " + std::to_string(signal) + " (" + (name != nullptr ? name : "unknown") + ")";
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(EventLoop& loop, const ProgramStart& start, Ended ended) {
  std::string doing = "start " + start.program;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(doing);
  Fd read_end(ends[0]), write_end(ends[1]);
  Launch launch(start, write_end.get());

  // No signal may reach the child between fork and exec: it would run our handlers.
  sigset_t all, before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  pid_t pid = ::fork();
  if (pid == 0) launch.run();
  int fork_error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno(doing, fork_error);

  write_end.reset();
  int error = 0;
  ssize_t got;
  do {
    got = ::read(read_end.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof error) {
    ::waitpid(pid, nullptr, 0);
    return fail_errno(doing, error);
  }
  // By number: sys/pidfd.h of glibc 2.36 declares its functions without C linkage.
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    auto failure = fail_errno(doing);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return failure;
  }
  std::unique_ptr<ChildProcess> child(new ChildProcess(loop, pid, std::move(pidfd), std::move(ended)));
  TRY_IN(doing, loop.add(child->pidfd_.get(), EPOLLIN, *child));
  return child;
}

ChildProcess::ChildProcess(EventLoop& loop, pid_t pid, Fd pidfd, Ended ended)
    : loop_(loop), pid_(pid), pidfd_(std::move(pidfd)), ended_(std::move(ended)) {}

ChildProcess::~ChildProcess() {
  if (!pidfd_) return;
  loop_.remove(pidfd_.get(), *this);
  send_signal(SIGKILL);
  reap(pidfd_);
}

void ChildProcess::send_signal(int signal) {
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
}

void ChildProcess::ready(std::uint32_t) {
  loop_.remove(pidfd_.get(), *this);
  ProcessEnd end = reap(pidfd_);
  pidfd_.reset();
  auto ended = std::move(ended_);
  ended(end);  // may destroy this object
}

std::vector<std::string> environment_of(std::initializer_list<const char*> names) {
  std::vector<std::string> out;
  for (const char* name : names)
    if (const char* value = std::getenv(name)) out.push_back(std::string(name) + "=" + value);
  return out;
}

Result<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    std::size_t colon = rest.find(':');
    std::string candidate = rest.substr(0, colon) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return fail(ErrorKind::NotFound, "no program \"" + name + "\" on PATH");
}

}  // namespace cipherway::event
