#include "config/size.h"

#include <gtest/gtest.h>

namespace cipherway::config {
namespace {

TEST(Size, IsANumberAndAUnit) {
  EXPECT_EQ(*parse_size("1KiB"), 1024U);
  EXPECT_EQ(*parse_size("256MiB"), std::size_t{256} << 20);
  EXPECT_EQ(*parse_size("4GiB"), std::size_t{4} << 30);
  EXPECT_EQ(*parse_size("1TiB"), std::size_t{1} << 40);
  for (const char* text : {"", "256", "MiB", "256 MiB", "256MB", "256mib", "0MiB", "-1MiB", "1.5GiB", "2TiB",
                           "99999999999999999999KiB", "1025GiB"})
    EXPECT_FALSE(parse_size(text)) << text;
}

}  // namespace
}  // namespace cipherway::config
