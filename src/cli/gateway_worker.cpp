#include "cli/commands.h"
#include "gateway/worker_process.h"

#include <charconv>
#include <cstdio>

namespace cipherway::cli {

namespace {

template <class T>
bool whole_number(std::string_view text, T& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

/// Started by the supervisor alone, with its end of a socket pair as descriptor 3 (gateway/control.h).
int gateway_worker(int argc, char** argv) {
  gateway::WorkerArguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view flag = argv[i];
    std::string_view value = argv[i + 1];
    if (flag == "--index" && whole_number(value, arguments.index)) continue;
    if (flag == "--user") {
      std::size_t colon = value.find(':');
      gateway::WorkerArguments::User user;
      if (colon != std::string_view::npos && whole_number(value.substr(0, colon), user.uid) &&
          whole_number(value.substr(colon + 1), user.gid)) {
        arguments.become = user;
        continue;
      }
    }
    if (flag == "--log-level") {
      if (auto level = log::level_from(value)) {
        arguments.log_level = *level;
        continue;
      }
    }
    std::fprintf(stderr, "cipherway gateway-worker: bad argument %s %s\n", argv[i], argv[i + 1]);
    return kUsage;
  }
  return gateway::run_worker_process(arguments);
}

}  // namespace cipherway::cli
