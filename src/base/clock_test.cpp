#include "base/clock.h"

#include <gtest/gtest.h>

namespace cipherway {
namespace {

using namespace std::chrono_literals;

TEST(Rfc3339, IsReadAsItIsWritten) {
  for (std::chrono::milliseconds since_1970 : {0ms, 1ms, 951'782'399'999ms, 1'795'503'388'120ms, 4'102'444'800'000ms}) {
    WallClock::time_point when(since_1970);
    EXPECT_EQ(parse_rfc3339(to_rfc3339(when)), when) << to_rfc3339(when);
  }
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("2000-02-29T23:59:59Z")), "2000-02-29T23:59:59.000Z");
}

TEST(Rfc3339, IsNothingElse) {
  for (const char* text : {"", "2026", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
                           "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.123", "2026-01-01T00:00:00Zx", "x"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

}  // namespace
}  // namespace cipherway
