// The parts of a node that live in the file system: state directory, watched files, log file.
#include "node/file_watch.h"
#include "node/log_file.h"
#include "node/state_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace cipherway::node {
namespace {

using namespace std::chrono_literals;

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string path = testing::TempDir() + "filesXXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  ~FilesTest() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(write_file(directory_ + "/" + name, as_bytes(text), 0600));
  }
  void turn(Clock::duration time) {
    auto end = Clock::now() + time;
    while (Clock::now() < end) loop_.turn(1ms);
  }

  event::EventLoop loop_;
  std::string directory_;
};

TEST_F(FilesTest, TheStateDirectoryIsMadeAndClosedToOthers) {
  auto state = StateDirectory::hold(directory_ + "/state");
  ASSERT_TRUE(state) << state.error().what;
  struct stat about{};
  ASSERT_EQ(::stat((directory_ + "/state").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700u);
}

TEST_F(FilesTest, ASecondNodeOnTheSameStateIsRefusedUntilTheFirstIsGone) {
  auto first = StateDirectory::hold(directory_);
  ASSERT_TRUE(first);
  auto second = StateDirectory::hold(directory_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().what.find("another node runs"), std::string::npos);
  EXPECT_NE(second.error().what.find("pid " + std::to_string(::getpid())), std::string::npos);
  {
    auto gone = std::move(*first);
  }
  EXPECT_TRUE(StateDirectory::hold(directory_));
}

TEST_F(FilesTest, AStatePathTooLongForItsSocketIsRefusedWithTheLimit) {
  auto state = StateDirectory::hold("/" + std::string(100, 'x'));
  ASSERT_FALSE(state);
  EXPECT_NE(state.error().what.find("at most"), std::string::npos);
}

TEST_F(FilesTest, AReplacedFileIsNoticedOnceItIsLeftAlone) {
  write("a.pem", "one");
  write("b.pem", "two");
  int told = 0;
  FileWatch watch(loop_, 5ms, [&] { ++told; });
  watch.watch({directory_ + "/a.pem", directory_ + "/b.pem"});
  turn(40ms);
  EXPECT_EQ(told, 0);
  write("a.pem", "ONE");
  turn(40ms);
  EXPECT_EQ(told, 1);
  std::filesystem::remove(directory_ + "/b.pem");
  turn(40ms);
  EXPECT_EQ(told, 2);
  turn(40ms);
  EXPECT_EQ(told, 2);
}

TEST_F(FilesTest, AFileBehindAMovedSymbolicLinkIsNoticed) {
  write("one.pem", "one");
  write("two.pem", "two");
  std::filesystem::create_symlink("one.pem", directory_ + "/live.pem");
  int told = 0;
  FileWatch watch(loop_, 5ms, [&] { ++told; });
  watch.watch({directory_ + "/live.pem"});
  std::filesystem::create_symlink("two.pem", directory_ + "/next.pem");
  std::filesystem::rename(directory_ + "/next.pem", directory_ + "/live.pem");
  turn(40ms);
  EXPECT_EQ(told, 1);
}

TEST_F(FilesTest, AFileThatKeepsChangingIsWaitedFor) {
  write("a.pem", "x");
  int told = 0;
  FileWatch watch(loop_, 20ms, [&] { ++told; });
  watch.watch({directory_ + "/a.pem"});
  for (int i = 0; i < 15; ++i) {
    write("a.pem", std::string(static_cast<std::size_t>(i + 2), 'x'));
    turn(8ms);
  }
  EXPECT_EQ(told, 0);
  turn(80ms);
  EXPECT_EQ(told, 1);
}

TEST_F(FilesTest, LinesOfChildrenReachTheLogFileAlsoAfterItWasMovedAway) {
  std::string path = directory_ + "/node.log";
  auto log = LogFile::open(loop_, path);
  ASSERT_TRUE(log);
  ASSERT_EQ(::write((*log)->for_children(), "first\n", 6), 6);
  turn(5ms);
  std::filesystem::rename(path, path + ".1");
  ASSERT_TRUE((*log)->reopen());
  ASSERT_EQ(::write((*log)->for_children(), "second\n", 7), 7);
  ASSERT_EQ(::write((*log)->descriptor(), "own\n", 4), 4);
  log->reset();
  EXPECT_EQ(*read_file(path + ".1", 100), "first\n");
  EXPECT_EQ(*read_file(path, 100), "own\nsecond\n");
}

}  // namespace
}  // namespace cipherway::node
