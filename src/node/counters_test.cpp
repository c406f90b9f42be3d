#include "node/counters.h"

#include <gtest/gtest.h>

namespace cipherway::node {
namespace {

Counters::Counts full(std::uint64_t count) {
  return {{{"in", "full"}, count}};
}

TEST(Counters, AddUpWhatProcessesCount) {
  Counters counters;
  counters.take(10, full(3));
  counters.take(11, full(4));
  counters.take(10, full(5));
  EXPECT_EQ(counters.sum("in", "full"), 9);
  EXPECT_EQ(counters.sum("in", "resumed"), 0);
  EXPECT_EQ(counters.sum("out", "full"), 0);
}

TEST(Counters, KeepWhatAProcessCountedBeforeItDied) {
  Counters counters;
  counters.take(10, full(3));
  counters.ended(10);
  EXPECT_EQ(counters.sum("in", "full"), 3);
  counters.take(12, full(1));
  counters.take(10, full(4));  // another process that got the same number
  EXPECT_EQ(counters.sum("in", "full"), 8);
  counters.ended(13);  // never said anything
  counters.ended(12);
  counters.ended(12);
  EXPECT_EQ(counters.sum("in", "full"), 8);
}

TEST(Counters, KeepWhatAProcessCountedBeforeItBeganAnew) {
  Counters counters;
  counters.take(10, full(3));
  counters.take(10, {});  // a reload took the channel away ...
  counters.take(10, full(1));
  EXPECT_EQ(counters.sum("in", "full"), 4);
  counters.take(10, full(0));  // ... or away and back between two reports
  EXPECT_EQ(counters.sum("in", "full"), 4);
}

TEST(Counters, NeverGoBackWhateverAProcessSays) {
  Counters counters;
  std::uint64_t before = 0;
  for (std::uint64_t said : {5U, 2U, 2U, 9U, 0U, 1U}) {
    counters.take(10, full(said));
    if (said == 9) counters.ended(10);
    EXPECT_GE(counters.sum("in", "full"), before);
    before = counters.sum("in", "full");
  }
}

TEST(Counters, ForgetChannelsThatAreGone) {
  Counters counters;
  counters.take(10, {{{"in", "full"}, 3}, {{"out", "full"}, 4}, {{"", "signatures"}, 5}});
  counters.ended(10);
  counters.take(11, {{{"in", "full"}, 1}, {{"out", "full"}, 1}});
  counters.keep_channels({"in"});
  EXPECT_EQ(counters.sum("in", "full"), 4);
  EXPECT_EQ(counters.sum("out", "full"), 0);
  EXPECT_EQ(counters.sum("", "signatures"), 5);
  EXPECT_EQ(counters.of_channel("in"), (std::map<std::string, std::uint64_t>{{"full", 4}}));
  EXPECT_TRUE(counters.of_channel("out").empty());
}

}  // namespace
}  // namespace cipherway::node
