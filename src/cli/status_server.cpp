#include "cli/commands.h"
#include "node/run_status_server.h"

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

/// Started by the supervisor alone, with its sockets as descriptors 3 and 4 (node/status_control.h).
int status_server(int argc, char** argv) {
  node::StatusServerArguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view flag = argv[i];
    std::string_view value = argv[i + 1];
    if (flag == "--user") {
      std::size_t colon = value.find(':');
      node::User user;
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
    std::fprintf(stderr, "cipherway status-server: bad argument %s %s\n", argv[i], argv[i + 1]);
    return kUsage;
  }
  return node::run_status_server(arguments);
}

}  // namespace cipherway::cli
