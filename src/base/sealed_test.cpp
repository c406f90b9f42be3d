#include "base/sealed.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

namespace cipherway {
namespace {

TEST(SealedMemory, GivesBackWhatWasPutIn) {
  auto fd = to_sealed_memory("test", as_bytes("a report"));
  ASSERT_TRUE(fd);
  EXPECT_EQ(::write(fd->get(), "x", 1), -1);
  EXPECT_EQ(from_sealed_memory(*fd, 8), "a report");
  EXPECT_EQ(from_sealed_memory(*fd, 8), "a report");  // whoever reads moves nothing
  EXPECT_EQ(from_sealed_memory(*fd, 7).error().kind, ErrorKind::Limit);
}

TEST(SealedMemory, IsNotReadWhileItsSenderCanChangeIt) {
  Fd open(::memfd_create("test", MFD_ALLOW_SEALING));
  ASSERT_TRUE(open);
  EXPECT_EQ(from_sealed_memory(open, 8).error().kind, ErrorKind::Protocol);
}

TEST(SealedMemory, IsNothingThatReadingCouldWaitFor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  Fd reads(ends[0]), writes(ends[1]);
  EXPECT_EQ(from_sealed_memory(reads, 8).error().kind, ErrorKind::Protocol);
}

}  // namespace
}  // namespace cipherway
