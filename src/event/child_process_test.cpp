#include "event/child_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <sstream>

namespace cipherway::event {
namespace {

using namespace std::chrono_literals;

class ChildProcessTest : public testing::Test {
 protected:
  /// Runs a shell script to its end and returns what it wrote to standard output.
  std::string run(const std::string& script, ProgramStart start = {}) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    Fd read_end(ends[0]), write_end(ends[1]);
    start.program = "/bin/sh";
    start.arguments = {"-c", script};
    start.descriptors.push_back({write_end.get(), 1});
    std::optional<ProcessEnd> end;
    auto child = ChildProcess::start(loop_, start, [&](ProcessEnd how) { end = how; });
    EXPECT_TRUE(child) << child.error().what;
    write_end.reset();
    std::string out;
    char buffer[4096];
    ssize_t got;
    while ((got = ::read(read_end.get(), buffer, sizeof buffer)) > 0) out.append(buffer, static_cast<std::size_t>(got));
    for (int i = 0; i < 1000 && !end; ++i) loop_.turn(10ms);
    EXPECT_TRUE(end);
    end_ = end.value_or(ProcessEnd{.code = -1});
    return out;
  }

  EventLoop loop_;
  ProcessEnd end_;
};

TEST_F(ChildProcessTest, ReportsExitCodeAndSignal) {
  run("exit 7");
  EXPECT_EQ(end_.code, 7);
  EXPECT_FALSE(end_.clean());
  EXPECT_EQ(end_.to_string(), "exit code 7");
  run("kill -9 $$");
  EXPECT_EQ(end_.signal, 9);
  EXPECT_EQ(end_.to_string(), "signal 9 (Killed)");
  run("true");
  EXPECT_TRUE(end_.clean());
}

TEST_F(ChildProcessTest, AProgramThatCannotRunIsAnErrorAtOnce) {
  auto child = ChildProcess::start(loop_, {.program = "/nonexistent/program"}, [](ProcessEnd) { FAIL(); });
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().what, "start /nonexistent/program: No such file or directory");
}

TEST_F(ChildProcessTest, PassesOnlyTheDescriptorsThatAreListed) {
  Fd leak(::dup(0));  // not close-on-exec
  ASSERT_GE(leak.get(), 3);
  auto pair = stream_pair();
  ASSERT_TRUE(pair);
  // ls itself opens one more for the folder it lists
  std::string listed = run("ls /proc/self/fd | tr '\\n' ' '", {.descriptors = {{2, 2}, {pair->theirs.get(), 3}}});
  EXPECT_EQ(listed, "0 1 2 3 4 ");
}

TEST_F(ChildProcessTest, NumbersThatCrossEachOtherArriveRight) {
  int a[2], b[2];
  ASSERT_EQ(::pipe(a), 0);
  ASSERT_EQ(::pipe(b), 0);
  Fd a_read(a[0]), a_write(a[1]), b_read(b[0]), b_write(b[1]);
  run("echo to-a >&" + std::to_string(b_write.get()) + "; echo to-b >&" + std::to_string(a_write.get()),
      {.descriptors = {{2, 2}, {a_write.get(), b_write.get()}, {b_write.get(), a_write.get()}}});
  char buffer[16] = {};
  ASSERT_EQ(::read(a_read.get(), buffer, sizeof buffer), 5);
  EXPECT_STREQ(buffer, "to-a\n");
  ASSERT_EQ(::read(b_read.get(), buffer, sizeof buffer), 5);
  EXPECT_STREQ(buffer, "to-b\n");
}

TEST_F(ChildProcessTest, TheEnvironmentIsExactlyWhatIsListed) {
  ::setenv("SSLKEYLOGFILE", "/tmp/keys", 1);
  EXPECT_EQ(run("/usr/bin/env | grep -v -e ^PWD= -e ^SHLVL= -e ^_=", {.environment = {"COLOUR=green"}}),
            "COLOUR=green\n");
  ::unsetenv("SSLKEYLOGFILE");
}

TEST_F(ChildProcessTest, ANameStandsInForThePathInArgumentZero) {
  EXPECT_EQ(run("tr '\\0' ' ' < /proc/$$/cmdline", {.name = "shell"}).substr(0, 9), "shell -c ");
}

TEST_F(ChildProcessTest, SignalsAreNeitherBlockedNorIgnoredThere) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, &before);
  auto old = std::signal(SIGHUP, SIG_IGN);
  std::string masks = run("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2 | tr '\\n' ' '");
  std::signal(SIGHUP, old);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  // Signals 32 and 33 are glibc's own: posix_spawn, with which make starts its commands, leaves them ignored.
  std::istringstream in(masks);
  std::uint64_t blocked = 1, ignored = 1;
  in >> std::hex >> blocked >> ignored;
  EXPECT_EQ(blocked, 0U);
  EXPECT_EQ(ignored & ~0x1'8000'0000U, 0U);
}

TEST_F(ChildProcessTest, IsKilledAndReapedWhenDestroyed) {
  auto child = ChildProcess::start(loop_, {.program = "/bin/sleep", .arguments = {"1000"}}, [](ProcessEnd) { FAIL(); });
  ASSERT_TRUE(child);
  pid_t pid = (*child)->pid();
  EXPECT_EQ(::kill(pid, 0), 0);
  child->reset();
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(ChildProcessTest, ASignalReachesIt) {
  std::optional<ProcessEnd> end;
  auto child =
      ChildProcess::start(loop_, {.program = "/bin/sleep", .arguments = {"1000"}}, [&](ProcessEnd how) { end = how; });
  ASSERT_TRUE(child);
  (*child)->send_signal(SIGTERM);
  for (int i = 0; i < 500 && !end; ++i) loop_.turn(10ms);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->signal, SIGTERM);
  EXPECT_FALSE((*child)->running());
}

TEST(FindProgramTest, SaysWhatItLookedFor) {
  auto shell = find_program("sh");
  ASSERT_TRUE(shell);
  EXPECT_TRUE(shell->ends_with("/sh"));
  auto none = find_program("no-such-program-here");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what, "no program \"no-such-program-here\" on PATH");
}

}  // namespace
}  // namespace cipherway::event
