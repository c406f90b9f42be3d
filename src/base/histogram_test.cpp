#include "base/histogram.h"

#include <gtest/gtest.h>

namespace cipherway {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, PutsEachDurationIntoTheFirstBucketThatHoldsIt) {
  Histogram histogram;
  histogram.observe(0ns);
  histogram.observe(50us);  // a bound belongs to its bucket
  histogram.observe(51us);
  histogram.observe(10s);
  histogram.observe(10s + 1us);
  EXPECT_EQ(histogram.counts()[0], 2);
  EXPECT_EQ(histogram.counts()[1], 1);
  EXPECT_EQ(histogram.counts()[Histogram::kBuckets - 2], 1);
  EXPECT_EQ(histogram.counts()[Histogram::kBuckets - 1], 1);
  EXPECT_EQ(histogram.total(), 5);
  EXPECT_EQ(histogram.sum_us(), 20'000'102);
}

TEST(Histogram, TakesAClockThatWentBackForNoTime) {
  Histogram histogram;
  histogram.observe(-1h);
  EXPECT_EQ(histogram.counts()[0], 1);
  EXPECT_EQ(histogram.sum_us(), 0);
}

}  // namespace
}  // namespace cipherway
