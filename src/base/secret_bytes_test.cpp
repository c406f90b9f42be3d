#include "base/secret_bytes.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <concepts>
#include <csignal>
#include <fstream>
#include <sstream>

namespace cipherway {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!Printable<SecretBytes> && Printable<int>);
static_assert(!std::copy_constructible<SecretBytes> && !std::equality_comparable<SecretBytes>);

/// The VmFlags of the mapping that holds `address` (proc(5)): "dd" is left out of dumps, "lo" locked, "wf" wiped on
/// fork.
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool here = false;
  while (std::getline(maps, line)) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2)
      here = begin <= reinterpret_cast<unsigned long>(address) && reinterpret_cast<unsigned long>(address) < end;
    else if (here && line.starts_with("VmFlags:"))
      return line + " ";
  }
  return "";
}

TEST(SecretBytesTest, IsLeftOutOfDumpsLockedAndWipedInChildren) {
  SecretBytes secret = SecretBytes::copy_of(as_bytes("hunter2"));
  std::string flags = flags_of(secret.data());
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  EXPECT_TRUE(flags.find(" wf ") != std::string::npos || flags.find(" dc ") != std::string::npos) << flags;
  EXPECT_TRUE(!SecretBytes::memory_was_locked() || flags.find(" lo ") != std::string::npos) << flags;
  std::string ordinary(100'000, 'x');  // the control
  EXPECT_EQ(flags_of(ordinary.data()).find(" dd "), std::string::npos);
}

TEST(SecretBytesTest, AChildDoesNotSeeIt) {
  SecretBytes secret = SecretBytes::copy_of(as_bytes("hunter2"));
  pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // a sanitizer would report what is as it should be
    ::_exit(secret.data()[0]);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 0) || WIFSIGNALED(status)) << status;
  EXPECT_EQ(secret.data()[0], 'h');
}

TEST(SecretBytesTest, ComparesByContent) {
  SecretBytes secret = SecretBytes::copy_of(as_bytes("hunter2"));
  EXPECT_TRUE(secret.equals(as_bytes("hunter2")));
  EXPECT_FALSE(secret.equals(as_bytes("hunter3")));
  EXPECT_FALSE(secret.equals(as_bytes("hunter")));
}

TEST(SecretBytesTest, MovingLeavesNothingBehind) {
  SecretBytes secret = SecretBytes::copy_of(as_bytes("hunter2"));
  SecretBytes moved = std::move(secret);
  EXPECT_TRUE(secret.empty());  // NOLINT(bugprone-use-after-move): what is asked is what is left
  EXPECT_TRUE(moved.equals(as_bytes("hunter2")));
}

}  // namespace
}  // namespace cipherway
