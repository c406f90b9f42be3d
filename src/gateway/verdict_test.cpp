#include "gateway/verdict.h"

#include <gtest/gtest.h>

namespace cipherway::gateway {
namespace {

using namespace std::chrono_literals;

class VerdictTest : public testing::Test {
 protected:
  Turn check(bool passed) {
    now_ += 5s;
    return checked(standing_, passed, 2, 3, now_, 7ms);
  }
  bool fail() { return connection_failed(standing_, 3, now_, 10s); }
  bool ejected() const { return is_ejected(standing_, now_, 10s); }

  Standing standing_{};
  Clock::time_point now_ = Clock::now();
};

TEST_F(VerdictTest, TheFirstCheckDecidesAlone) {
  EXPECT_EQ(verdict(standing_, now_, 30s), Health::Unchecked);
  EXPECT_EQ(check(false), Turn::Down);
  EXPECT_EQ(verdict(standing_, now_, 30s), Health::Down);
  Standing other{};
  EXPECT_EQ(checked(other, true, 2, 3, now_, 7ms), Turn::None);  // it counted as up before
  EXPECT_EQ(verdict(other, now_, 30s), Health::Up);
  EXPECT_EQ(other.check_us, 7000u);
}

TEST_F(VerdictTest, RiseAndFallAreInARow) {
  check(true);
  for (bool passed : {false, false, true, false, false}) EXPECT_EQ(check(passed), Turn::None);
  EXPECT_EQ(check(false), Turn::Down);
  for (bool passed : {true, false, true}) EXPECT_EQ(check(passed), Turn::None);
  EXPECT_EQ(check(true), Turn::Up);
  EXPECT_EQ(up_since(standing_, now_ + 1s), Clock::time_point(std::chrono::milliseconds(millis(now_))));
}

TEST_F(VerdictTest, AnOldVerdictIsNone) {
  check(false);
  EXPECT_EQ(verdict(standing_, now_ + 29s, 30s), Health::Down);
  EXPECT_EQ(verdict(standing_, now_ + 31s, 30s), Health::Unchecked);
}

TEST_F(VerdictTest, FailuresInARowEjectForAWhile) {
  EXPECT_FALSE(fail());
  EXPECT_FALSE(fail());
  EXPECT_FALSE(connection_worked(standing_, now_, 10s));  // it was not ejected
  EXPECT_FALSE(fail());
  EXPECT_FALSE(fail());
  EXPECT_FALSE(ejected());
  EXPECT_TRUE(fail());
  EXPECT_TRUE(ejected());
  EXPECT_FALSE(fail());  // it is already
  EXPECT_EQ(standing_.ejections, 1u);
  now_ += 11s;
  EXPECT_FALSE(ejected());
  EXPECT_EQ(up_since(standing_, now_), Clock::time_point(std::chrono::milliseconds(standing_.ejected_until)));
  EXPECT_TRUE(fail());  // on probation: one is enough
  EXPECT_EQ(standing_.ejections, 2u);
  EXPECT_EQ(standing_.failures, 7u);
}

TEST_F(VerdictTest, AConnectionThatWorksEndsAnEjection) {
  for (int i = 0; i < 3; ++i) fail();
  ASSERT_TRUE(ejected());
  EXPECT_TRUE(connection_worked(standing_, now_, 10s));
  EXPECT_FALSE(ejected());
  EXPECT_FALSE(fail());
}

TEST_F(VerdictTest, ZeroFailuresNeverEject) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(connection_failed(standing_, 0, now_, 10s));
  EXPECT_FALSE(ejected());
}

TEST_F(VerdictTest, NobodyIsEjectedForLongerThanTheConfigSays) {
  standing_.ejected_until = millis(now_ + 24h);
  EXPECT_FALSE(ejected());
}

TEST_F(VerdictTest, ComingUpEndsAnEjection) {
  check(true);
  for (int i = 0; i < 3; ++i) check(false);
  for (int i = 0; i < 3; ++i) fail();
  ASSERT_TRUE(ejected());
  check(true);
  EXPECT_EQ(check(true), Turn::Up);
  EXPECT_FALSE(ejected());
}

TEST_F(VerdictTest, NonsenseOnTheBoardIsUnchecked) {
  standing_.health = static_cast<Health>(77);
  standing_.checked_at = millis(now_);
  EXPECT_EQ(verdict(standing_, now_, 30s), Health::Unchecked);
  standing_.came_up = ~Millis{0};
  EXPECT_LE(up_since(standing_, now_), now_);
  EXPECT_EQ(check(false), Turn::Down);
}

}  // namespace
}  // namespace cipherway::gateway
