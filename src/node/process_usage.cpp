#include "node/process_usage.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace cipherway::node {

std::optional<Usage> usage_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text, '\0')) return std::nullopt;
  // proc(5): the second field is the program's name in parentheses and may hold anything, also parentheses and blanks.
  std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user_ticks = 0, system_ticks = 0, pages = 0;
  fields >> user_ticks >> system_ticks;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  fields >> pages;
  if (!fields) return std::nullopt;
  auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return Usage{(user_ticks + system_ticks) * 1000 / ticks_per_second,
               pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

}  // namespace cipherway::node
