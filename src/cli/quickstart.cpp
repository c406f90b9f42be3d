#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/quickstart_story.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace cipherway::cli {

int quickstart(int argc, char** argv) {
  CLI::App app{
      "Shows a whole channel on this machine: a throwaway trust domain, two nodes, an unchanged HTTP server and an "
      "unchanged curl that talk through them over mutual TLS, a recorder on the path between the nodes, and a report "
      "of what each could see. Needs no privileges and leaves nothing behind.",
      "cipherway quickstart"};
  bool as_json = false;
  app.add_flag("--json", as_json, "print the report as one JSON object");
  if (auto status = parse(app, argc, argv)) return *status;
  ::signal(SIGPIPE, SIG_IGN);

  bool terminal = ::isatty(STDERR_FILENO) == 1;
  auto report = tell_quickstart_story([&](const std::string& what) {
    if (terminal) std::fprintf(stderr, "%s ...\n", what.c_str());
  });
  if (!report) {
    std::fprintf(stderr, "cipherway quickstart: %s\n", report.error().what.c_str());
    return kFailed;
  }
  auto missing = report->shortcomings();
  std::string out = as_json ? report->to_json() : report->to_text();
  std::fputs(out.c_str(), stdout);
  if (as_json)
    for (const std::string& each : missing) std::fprintf(stderr, "cipherway quickstart: %s\n", each.c_str());
  return missing.empty() ? kDone : kFailed;
}

}  // namespace cipherway::cli
