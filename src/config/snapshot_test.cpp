#include "config/snapshot.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cipherway::config {
namespace {

Snapshot some_snapshot() {
  return Snapshot{.text = "[node]\nstate = \"s\"\n",
                  .file = "node.toml",
                  .directory = "/etc/cipherway",
                  .files = {{"/etc/cipherway/a.pem", "A"}, {"/etc/cipherway/empty.pem", ""}}};
}

TEST(Snapshot, ComesBackAsItWas) {
  Result<Bytes> bytes = some_snapshot().to_bytes();
  ASSERT_TRUE(bytes);
  Result<Snapshot> back = Snapshot::from_bytes(*bytes);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, some_snapshot());
}

TEST(Snapshot, EveryCutIsRefused) {
  Bytes bytes = *some_snapshot().to_bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Snapshot::from_bytes(BytesView(bytes).first(size))) << size;
  bytes.push_back(0);
  EXPECT_FALSE(Snapshot::from_bytes(bytes));
}

TEST(Snapshot, AnotherFormatIsRefused) {
  Bytes bytes = *some_snapshot().to_bytes();
  bytes[3] ^= 1;
  EXPECT_FALSE(Snapshot::from_bytes(bytes));
}

TEST(Snapshot, AFileTwiceIsRefused) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.u32(0x43575331);
  for (int i = 0; i < 3; ++i) writer.u32(0);
  writer.u32(2);
  for (int i = 0; i < 2; ++i) {
    writer.u32(1);
    writer.u8('a');
    writer.u32(0);
  }
  Result<Snapshot> back = Snapshot::from_bytes(bytes);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().what, "a snapshot has a file twice");
}

TEST(Snapshot, LengthsBeyondTheirBoundAreRefusedBeforeMemoryIsTaken) {
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.u32(0x43575331);
  writer.u32(0xffffffff);
  Result<Snapshot> back = Snapshot::from_bytes(bytes);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().kind, ErrorKind::Limit);
}

TEST(Snapshot, MoreThanItMayHoldIsNotWritten) {
  Snapshot snapshot = some_snapshot();
  for (char c = 'a'; c < 'r'; ++c) snapshot.files[std::string(1, c)] = std::string(Snapshot::kMostFileBytes, c);
  Result<Bytes> bytes = snapshot.to_bytes();
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().kind, ErrorKind::Limit);
}

TEST(Snapshot, CrossesInASealedDescriptor) {
  Result<Fd> fd = some_snapshot().to_sealed_fd();
  ASSERT_TRUE(fd) << fd.error().what;
  EXPECT_EQ(::pwrite(fd->get(), "x", 1, 0), -1) << "the snapshot can still be changed";
  Result<Snapshot> back = Snapshot::from_sealed_fd(*fd);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, some_snapshot());
}

TEST(Snapshot, AnUnsealedDescriptorIsRefused) {
  Bytes bytes = *some_snapshot().to_bytes();
  Fd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  Result<Snapshot> back = Snapshot::from_sealed_fd(fd);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().what, "a snapshot: the memory is not sealed");
}

}  // namespace
}  // namespace cipherway::config
