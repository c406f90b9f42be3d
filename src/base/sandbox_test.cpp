#include "base/sandbox.h"

#include "base/fd.h"
#include "base/privileges.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>

namespace cipherway {
namespace {

using sandbox::FileRule;
using sandbox::Profile;
using sandbox::restrict_files;
using sandbox::restrict_syscalls;

/// How a child ended that ran `body`: its exit code, or minus the signal that killed it.
int ending_of(const std::function<int()>& body) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

constexpr int kNotSealed = 77;

int ending_in(Profile profile, const std::function<int()>& body) {
  return ending_of([&] { return restrict_syscalls(profile) ? body() : kNotSealed; });
}

struct Attempt {
  const char* name;
  std::function<int()> call;
};

std::vector<Attempt> never_allowed() {
  return {
      {"execve",
       [] {
         char program[] = "/bin/true";
         char* arguments[] = {program, nullptr};
         return ::execv(program, arguments);
       }},
      {"fork", [] { return static_cast<int>(::syscall(SYS_fork)); }},
      {"ptrace", [] { return static_cast<int>(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }},
      {"process_vm_readv",
       [] {
         char byte = 0;
         iovec part{&byte, 1};
         return static_cast<int>(::process_vm_readv(::getppid(), &part, 1, &part, 1, 0));
       }},
      {"raw socket", [] { return ::socket(AF_INET, SOCK_RAW, 1); }},
      {"packet socket", [] { return ::socket(AF_PACKET, SOCK_DGRAM, 0); }},
      {"bind",
       [] {
         sockaddr address{};
         return ::bind(0, &address, sizeof address);
       }},
      {"kill", [] { return ::kill(1, 0); }},
      {"setuid", [] { return ::setuid(0); }},
      {"unlink", [] { return ::unlink("/tmp/no-such-file"); }},
      {"mount", [] { return static_cast<int>(::syscall(SYS_mount, nullptr, nullptr, nullptr, 0, nullptr)); }},
      {"bpf", [] { return static_cast<int>(::syscall(SYS_bpf, 0, nullptr, 0)); }},
      {"io_uring", [] { return static_cast<int>(::syscall(SYS_io_uring_setup, 1, nullptr)); }},
  };
}

TEST(Sandbox, NothingOfAProcessGoesOutsideItsProfile) {
  for (Profile profile : {Profile::Keyholder, Profile::StatusServer, Profile::GatewayWorker})
    for (const Attempt& attempt : never_allowed()) {
      EXPECT_NE(ending_of([&] { return attempt.call() == -12345 ? 1 : 0; }), -SIGSYS)
          << "the control, " << attempt.name;
      EXPECT_EQ(ending_in(profile, [&] { return attempt.call(), 0; }), -SIGSYS)
          << attempt.name << " in profile " << static_cast<int>(profile);
    }
}

TEST(Sandbox, TheKeyholderHasNoSocketsOfItsOwn) {
  for (int family : {AF_UNIX, AF_INET, AF_INET6})
    EXPECT_EQ(ending_in(Profile::Keyholder, [&] { return ::socket(family, SOCK_STREAM, 0), 0; }), -SIGSYS);
  EXPECT_EQ(ending_in(Profile::Keyholder, [] { return ::accept4(0, nullptr, nullptr, 0), 0; }), -SIGSYS);
}

TEST(Sandbox, TheStatusServerHasTheSocketsThatItWasGivenOnly) {
  for (int family : {AF_UNIX, AF_INET, AF_INET6})
    EXPECT_EQ(ending_in(Profile::StatusServer, [&] { return ::socket(family, SOCK_STREAM, 0), 0; }), -SIGSYS);
  EXPECT_EQ(ending_in(Profile::StatusServer, [] { return ::connect(0, nullptr, 0), 0; }), -SIGSYS);
  EXPECT_EQ(ending_in(Profile::StatusServer, [] { return ::accept4(0, nullptr, nullptr, 0), 0; }), 0);
}

TEST(Sandbox, TheWorkerHasStreamSocketsAndAsksNameServers) {
  EXPECT_EQ(ending_in(Profile::GatewayWorker,
                      [] {
                        for (int family : {AF_UNIX, AF_INET, AF_INET6})
                          if (::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) < 0) return 1;
                        int pair[2];
                        return ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? 0 : 1;
                      }),
            0);
  EXPECT_EQ(
      ending_in(Profile::GatewayWorker, [] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : 1; }),
      0);
  EXPECT_EQ(ending_in(Profile::GatewayWorker, [] { return ::socket(AF_UNIX, SOCK_DGRAM, 0), 0; }), -SIGSYS);
  EXPECT_EQ(ending_in(Profile::GatewayWorker, [] { return ::socket(AF_NETLINK, SOCK_STREAM, 0), 0; }), -SIGSYS);
}

#ifdef CIPHERWAY_SANITIZED
// The sanitizers' runtimes read files; what remains to be shown is that the filter is on.
constexpr bool kFilesStay = true;
#else
constexpr bool kFilesStay = false;
#endif

TEST(Sandbox, NoFiles) {
  auto open_one = [] {
    errno = 0;
    if (::open("/etc/hostname", O_RDONLY) >= 0) return 1;
    return errno == EACCES ? 2 : 3;
  };
  ASSERT_EQ(ending_of(open_one), 1) << "the control: it can be opened without a sandbox";
  EXPECT_EQ(ending_in(Profile::Keyholder, open_one), kFilesStay ? 1 : -SIGSYS);
  EXPECT_EQ(ending_in(Profile::StatusServer, open_one), kFilesStay ? 1 : -SIGSYS);
  EXPECT_EQ(ending_in(Profile::GatewayWorker, open_one), kFilesStay ? 1 : 2);
}

TEST(Sandbox, NoNewCode) {
  auto map_code = [] {
    return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? 1 : 0;
  };
  ASSERT_EQ(ending_of(map_code), 0);
  if (kFilesStay) return;  // their shadow is mapped as they like
  for (Profile profile : {Profile::Keyholder, Profile::StatusServer, Profile::GatewayWorker})
    EXPECT_EQ(ending_in(profile, map_code), -SIGSYS);
}

TEST(Sandbox, AnAbortIsStillAnAbort) {
  for (Profile profile : {Profile::Keyholder, Profile::StatusServer, Profile::GatewayWorker})
    EXPECT_EQ(ending_in(profile, []() -> int { std::abort(); }), -SIGABRT);
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cipherway-sandbox-XXXXXX";
    folder_ = ::mkdtemp(name);
    for (const char* file : {"listed", "other"})
      ASSERT_TRUE(write_file(folder_ + "/" + file, as_bytes("content"), 0600));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static int open_for(const std::string& path, int flags) {
    int fd = ::open(path.c_str(), flags, 0600);
    if (fd >= 0) ::close(fd);
    return fd >= 0 ? 0 : errno;
  }
  std::string folder_;
};

TEST_F(Files, OnlyThoseListed) {
  auto in_sandbox = [&](const std::string& path, int flags) {
    return ending_of([&] {
      FileRule rules[] = {{folder_ + "/listed", FileRule::Access::Read}};
      auto version = restrict_files(rules);
      if (!version || *version < 1) return kNotSealed;
      return open_for(path, flags);
    });
  };
  ASSERT_EQ(open_for(folder_ + "/other", O_RDONLY), 0);
  EXPECT_EQ(in_sandbox(folder_ + "/listed", O_RDONLY), 0);
  EXPECT_EQ(in_sandbox(folder_ + "/listed", O_WRONLY), EACCES);
  EXPECT_EQ(in_sandbox(folder_ + "/other", O_RDONLY), EACCES);
  EXPECT_EQ(in_sandbox("/etc/passwd", O_RDONLY), EACCES);
}

TEST_F(Files, AWritableFolder) {
  int ending = ending_of([&] {
    FileRule rules[] = {{folder_, FileRule::Access::Write}};
    if (!restrict_files(rules)) return kNotSealed;
    if (open_for(folder_ + "/new", O_WRONLY | O_CREAT) != 0) return 1;
    if (::unlink((folder_ + "/other").c_str()) != 0) return 2;
    return open_for("/tmp/cipherway-elsewhere", O_WRONLY | O_CREAT) == EACCES ? 0 : 3;
  });
  EXPECT_EQ(ending, 0);
}

TEST_F(Files, AnUnknownPathIsAnError) {
  EXPECT_EQ(ending_of([&] {
              FileRule rules[] = {{folder_ + "/missing", FileRule::Access::Read}};
              auto version = restrict_files(rules);
              return !version && version.error().what.find("missing") != std::string::npos ? 0 : 1;
            }),
            0);
}

/// A port that somebody listens on.
class SandboxNetwork : public testing::Test {
 protected:
  void SetUp() override {
    listening_ = Fd(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(listening_.get(), address(), sizeof address_), 0);
    ASSERT_EQ(::listen(listening_.get(), 8), 0);
    socklen_t length = sizeof address_;
    ASSERT_EQ(::getsockname(listening_.get(), address(), &length), 0);
  }
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&address_); }
  int connects() {
    Fd client(::socket(AF_INET, SOCK_STREAM, 0));
    return ::connect(client.get(), address(), sizeof address_) == 0 ? 0 : errno;
  }
  int binds() {
    Fd free(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in any{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    return ::bind(free.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 ? 0 : errno;
  }
  /// What `body` gives under Landlock; kNotSealed where the kernel's version is below `least`.
  int under(sandbox::Tcp tcp, int least, const std::function<int()>& body) {
    return ending_of([&] {
      auto version = restrict_files({}, tcp);
      return version && *version >= least ? body() : kNotSealed;
    });
  }

  Fd listening_;
  sockaddr_in address_{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
};

TEST_F(SandboxNetwork, TcpAsFarAsItIsAllowed) {
  using sandbox::Tcp;
  if (under(Tcp::Any, 4, [] { return 0; }) == kNotSealed) GTEST_SKIP() << "no Landlock for TCP in this kernel";
  EXPECT_EQ(under(Tcp::Any, 4, [&] { return connects(); }), 0) << "the control";
  EXPECT_EQ(under(Tcp::Any, 4, [&] { return binds(); }), 0) << "the control";
  EXPECT_EQ(under(Tcp::Connect, 4, [&] { return connects(); }), 0);
  EXPECT_EQ(under(Tcp::Connect, 4, [&] { return binds(); }), EACCES);
  EXPECT_EQ(under(Tcp::None, 4, [&] { return connects(); }), EACCES);
  EXPECT_EQ(under(Tcp::None, 4, [&] { return binds(); }), EACCES);
  ASSERT_EQ(connects(), 0);
  EXPECT_EQ(under(Tcp::None, 4, [&] { return ::accept(listening_.get(), nullptr, nullptr) >= 0 ? 0 : errno; }), 0)
      << "a socket that was given is served";
}

TEST_F(SandboxNetwork, AbstractSocketsAndSignalsStayInside) {
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  std::string text = "cipherway-" + std::to_string(::getpid());
  text.copy(name.sun_path + 1, sizeof name.sun_path - 1);
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  Fd server(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
  ASSERT_EQ(::listen(server.get(), 8), 0);
  auto reaches = [&] {
    Fd peer(::socket(AF_UNIX, SOCK_STREAM, 0));
    return ::connect(peer.get(), reinterpret_cast<sockaddr*>(&name), length) == 0 ? 0 : errno;
  };
  auto signals = [] { return ::kill(::getppid(), 0) == 0 ? 0 : errno; };
  if (under(sandbox::Tcp::Any, 6, [] { return 0; }) == kNotSealed)
    GTEST_SKIP() << "this kernel's Landlock has no scopes";
  EXPECT_EQ(ending_of(reaches), 0) << "the control";
  EXPECT_EQ(ending_of(signals), 0) << "the control";
  EXPECT_EQ(under(sandbox::Tcp::Any, 6, reaches), EPERM);
  EXPECT_EQ(under(sandbox::Tcp::Any, 6, signals), EPERM);
}

TEST(Privileges, AHardenedProcessLeavesNoDump) {
  EXPECT_EQ(ending_of([] {
              if (!harden_process()) return 1;
              rlimit core{};
              ::getrlimit(RLIMIT_CORE, &core);
              if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || core.rlim_max != 0) return 2;
              return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
            }),
            0);
}

TEST(Privileges, DroppedForGood) {
  if (::geteuid() != 0) {
    auto refused = drop_to(65534, 65534);
    ASSERT_FALSE(refused);  // only root can
    return;
  }
  EXPECT_EQ(ending_of([] {
              if (!drop_to(65534, 65534)) return 1;
              if (::geteuid() != 65534 || ::getegid() != 65534 || ::getgroups(0, nullptr) != 0) return 2;
              if (::seteuid(0) == 0) return 3;
              return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 4;
            }),
            0);
  EXPECT_EQ(ending_of([] { return drop_to(0, 0) ? 1 : 0; }), 0);
}

TEST(Privileges, ClosesAllOtherDescriptors) {
  EXPECT_EQ(ending_of([] {
              int a = ::dup(2), b = ::dup(2), c = ::dup(2);
              int keep[] = {b, 2, 0};
              if (!close_other_descriptors(keep)) return 1;
              auto is_open = [](int fd) { return ::fcntl(fd, F_GETFD) >= 0; };
              if (!is_open(b) || !is_open(2)) return 2;
              return is_open(a) || is_open(c) || is_open(1) ? 3 : 0;
            }),
            0);
}

}  // namespace
}  // namespace cipherway
