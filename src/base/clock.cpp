#include "base/clock.h"

#include <cstdio>

namespace cipherway {

std::string to_rfc3339(WallClock::time_point when) {
  // Not gmtime_r: glibc reads the time zone's file on its first call, which a process in its sandbox may not.
  auto day = std::chrono::floor<std::chrono::days>(when);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::milliseconds>(when - day));
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02ld:%02ld:%02ld.%03ldZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<long>(time.hours().count()), static_cast<long>(time.minutes().count()),
                static_cast<long>(time.seconds().count()), static_cast<long>(time.subseconds().count()));
  return text;
}

std::optional<WallClock::time_point> parse_rfc3339(const std::string& text) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0, milliseconds = 0;
  int end = 0;
  int fields =
      std::sscanf(text.c_str(), "%4d-%2u-%2uT%2u:%2u:%2u%n", &year, &month, &day, &hour, &minute, &second, &end);
  if (fields != 6) return std::nullopt;
  std::string rest = text.substr(static_cast<std::size_t>(end));
  if (rest != "Z" && (std::sscanf(rest.c_str(), ".%3uZ%n", &milliseconds, &end) != 1 || rest.size() != 5))
    return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::milliseconds(milliseconds);
}

}  // namespace cipherway
