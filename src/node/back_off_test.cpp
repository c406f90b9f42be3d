#include "node/back_off.h"

#include <gtest/gtest.h>

namespace cipherway::node {
namespace {

using namespace std::chrono_literals;

TEST(BackOffTest, DoublesUpToTenSeconds) {
  BackOff back_off;
  EXPECT_EQ(back_off.after(0s), 100ms);
  EXPECT_EQ(back_off.after(1s), 200ms);
  EXPECT_EQ(back_off.after(1s), 400ms);
  for (int i = 0; i < 10; ++i) back_off.after(1s);
  EXPECT_EQ(back_off.after(59s), 10s);
}

TEST(BackOffTest, StartsAgainAfterAMinuteOfLife) {
  BackOff back_off;
  for (int i = 0; i < 10; ++i) back_off.after(0s);
  EXPECT_EQ(back_off.after(60s), 100ms);
  EXPECT_EQ(back_off.after(0s), 200ms);
}

}  // namespace
}  // namespace cipherway::node
