#include "node/process_usage.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <vector>

namespace cipherway::node {
namespace {

TEST(ProcessUsage, IsWhatThisProcessUses) {
  ::prctl(PR_SET_NAME, ") R 1 (");  // a name that looks like the fields after it
  auto before = usage_of(::getpid());
  ASSERT_TRUE(before);
  std::vector<char> memory(64 << 20, 'x');
  volatile unsigned work = 0;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::optional<Usage> after;
  do {
    for (unsigned i = 0; i < 10'000'000; ++i) work = work + i;
    after = usage_of(::getpid());
  } while (after->cpu_ms == before->cpu_ms && std::chrono::steady_clock::now() < end);
  EXPECT_GT(after->cpu_ms, before->cpu_ms);
  EXPECT_GE(after->memory_bytes, before->memory_bytes + (60 << 20));
  EXPECT_EQ(memory[7], 'x');
}

TEST(ProcessUsage, IsNothingOfAProcessThatIsNotThere) {
  EXPECT_FALSE(usage_of(0x7fffffff));
}

}  // namespace
}  // namespace cipherway::node
