#include "config/duration.h"

#include <charconv>
#include <cstdint>
#include <string>

namespace cipherway::config {

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
  };
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  static constexpr std::int64_t kMost = 30LL * 86'400'000;

  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& known : kUnits) {
    if (error == std::errc::invalid_argument || unit != known.name) continue;
    if (error == std::errc() && number >= 1 && number <= kMost / known.milliseconds)
      return std::chrono::milliseconds(number * known.milliseconds);
    return fail(ErrorKind::Invalid, "it must be from \"1ms\" to \"30d\"");
  }
  return fail(ErrorKind::Invalid, "write a whole number and a unit: \"500ms\", \"10s\", \"5m\", \"1h\" or \"2d\"");
}

}  // namespace cipherway::config
