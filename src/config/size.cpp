#include "config/size.h"

#include <charconv>
#include <cstdint>

namespace cipherway::config {

Result<std::size_t> parse_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  static constexpr Unit kUnits[] = {{"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}};
  static constexpr std::uint64_t kMost = 1ULL << 40;

  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& known : kUnits) {
    if (error == std::errc::invalid_argument || unit != known.name) continue;
    if (error == std::errc() && number >= 1 && number <= kMost / known.bytes) return number * known.bytes;
    return fail(ErrorKind::Invalid, "it must be from \"1KiB\" to \"1TiB\"");
  }
  return fail(ErrorKind::Invalid, "write a whole number and a unit: \"512KiB\", \"256MiB\" or \"4GiB\"");
}

}  // namespace cipherway::config
