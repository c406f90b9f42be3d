#include "base/clock.h"

#include <cstdio>
#include <ctime>

namespace cipherway {

std::string to_rfc3339(WallClock::time_point when) {
  auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(when.time_since_epoch());
  std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  long millis = static_cast<long>((since_epoch - std::chrono::seconds(seconds)).count());
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, millis);
  return text;
}

}  // namespace cipherway
