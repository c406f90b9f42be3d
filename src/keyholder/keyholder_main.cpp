#include "base/log.h"
#include "base/privileges.h"
#include "base/sandbox.h"
#include "crypto/handle.h"
#include "keyholder/holder.h"
#include "keyholder/key_file.h"
#include "keyholder/secret_arena.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

// cipherway-keyholder: the process that holds the private keys of a node. Started by the supervisor, with a socket to
// it as descriptor 3; takes no arguments, reads no environment and no configuration.
namespace cipherway::keyholder {
namespace {

int exit_code = 1;

/// The parts of the process that stay after sealing, epoll included.
Result<Holder::Sandbox> seal(const Seal& request) {
  if (request.become) {
    TRY(drop_to(request.become->uid, request.become->gid));
  } else if (::geteuid() == 0) {
    log::warn("keyholder.runs-as-root", {{"reason", "the supervisor named no user to become"}});
  }
  TRY(give_up_capabilities());
  Holder::Sandbox sandbox;
  sandbox.landlock_version = static_cast<std::uint8_t>(TRY(sandbox::restrict_files({})));
  TRY(sandbox::restrict_syscalls(sandbox::Profile::Keyholder));
  sandbox.syscalls_restricted = true;
  return sandbox;
}

void serve() {
  event::EventLoop loop;
  bool sealing_failed = false;
  Holder holder(loop, Fd(kSupervisorDescriptor),
                {.read_key_file = &read_key_file,
                 .seal =
                     [&](const Seal& request) {
                       auto sandbox = seal(request);
                       sealing_failed = !sandbox;
                       return sandbox;
                     },
                 .ended =
                     [&](const Error& why) {
                       // A supervisor that goes away takes its keyholder with it, in good order.
                       exit_code = why.kind == ErrorKind::Closed && !sealing_failed ? 0 : 1;
                       log::event(exit_code == 0 ? log::Level::Info : log::Level::Error, "keyholder.ended",
                                  {{"reason", why}});
                       loop.stop();
                     }});
  loop.run();
}

bool is_stream_socket(int fd) {
  int domain = 0, type = 0;
  socklen_t length = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_UNIX) return false;
  length = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

/// Standard input and output are nothing, and nothing else was inherited but the log and the supervisor.
Result<void> tidy_descriptors() {
  const int keep[] = {STDERR_FILENO, kSupervisorDescriptor};
  TRY(close_other_descriptors(keep));
  for (int expected : {STDIN_FILENO, STDOUT_FILENO})
    if (::open("/dev/null", O_RDWR | O_CLOEXEC) != expected) return fail_errno("open /dev/null");
  if (::fcntl(kSupervisorDescriptor, F_SETFD, FD_CLOEXEC) != 0) return fail_errno("keep descriptor 3 to ourselves");
  return {};
}

/// A signature is short, and a worker waits for it: where both share a core, let the kernel switch to this process as
/// soon as there is something to sign, and not at the end of the worker's time slice (Linux 6.12; elsewhere nothing
/// changes).
void ask_for_short_slices() {
  // struct sched_attr: glibc 2.36 has none, and the kernel's header does not go together with sched.h.
  struct {
    std::uint32_t size = 48;
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 100'000;  // ns, the least there is
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
  } attributes;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

Result<void> prepare() {
  ask_for_short_slices();
  TRY(harden_process());
  TRY(tidy_descriptors());
  // Signals meant for the node reach every process of its group; when to end is the supervisor's decision, which lets
  // the workers drain first. The end of its socket is ours.
  for (int ignored : {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2}) std::signal(ignored, SIG_IGN);
  // Ordinary users may lock 8 MiB, enough for hundreds of keys; root, where it may, takes what it needs. If that is too
  // little the status says so (`memory_locked`).
  rlimit locked{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_MEMLOCK, &locked);
  // No openssl.cnf: it can name modules to load.
  if (::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1)
    return crypto::fail_openssl("initialise OpenSSL");
  return {};
}

int run(int argc) {
  bool in_arena = install_secret_arena();  // before anything else touches OpenSSL
  log::set_process_name("keyholder");
  if (argc != 1 || !is_stream_socket(kSupervisorDescriptor)) {
    std::fputs(
        "cipherway-keyholder is started by `cipherway run`, without arguments and with a socket as descriptor 3\n",
        stderr);
    return 2;
  }
  if (!in_arena) {
    log::error("keyholder.ended", {{"reason", "OpenSSL was in use before its memory could be kept secret"}});
    return 1;
  }
  if (auto prepared = prepare(); !prepared) {
    log::error("keyholder.ended", {{"reason", prepared.error()}});
    return 1;
  }
  run_on_secret_stack(&serve);
  return exit_code;
}

}  // namespace
}  // namespace cipherway::keyholder

int main(int argc, char**) {
  return cipherway::keyholder::run(argc);
}
