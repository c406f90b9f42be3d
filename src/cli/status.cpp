#include "base/address.h"
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/status_text.h"
#include "config/config.h"
#include "node/state_directory.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace cipherway::cli {

namespace {

constexpr int kPatienceMs = 5'000;
constexpr std::size_t kMostReportBytes = 16 << 20;

/// The state directory that a config names. A config that is being edited still says where its node is.
Result<std::string> state_of_config(const std::string& path) {
  std::string text = TRY(read_file(path, 1 << 20));
  std::error_code error;
  std::string directory = std::filesystem::absolute(path, error).parent_path().lexically_normal().string();
  config::Decoded decoded = config::decode(text, path, directory);
  if (decoded.node) return decoded.node->state.value;
  return fail(ErrorKind::Invalid, path + " does not say where the node's state is, because of " +
                                      decoded.problems.front().to_string() + "; name it with --state DIR");
}

/// The report of the node on this state directory: connects, and reads to the end.
Result<std::string> ask(const std::string& state) {
  std::string path = node::control_socket_path(state);
  auto address = TRY(Address::parse("unix:" + path));
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("make a socket");
  if (::connect(socket.get(), address.get(), address.length()) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED)
      return fail(ErrorKind::Unavailable,
                  "no node runs on state directory " + state + " (nobody answers at " + path + ")");
    return fail_errno("ask the node at " + path);
  }
  std::string out;
  char buffer[16 * 1024];
  for (;;) {
    pollfd wait{socket.get(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) == 0)
      return fail(ErrorKind::TimedOut, "the node at " + path + " does not answer");
    ssize_t got = ::read(socket.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read from " + path);
    if (got == 0) break;
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > kMostReportBytes) return fail(ErrorKind::Limit, "the report from " + path + " does not end");
  }
  if (out.empty()) return fail(ErrorKind::Unavailable, "the node at " + path + " has too many who ask, or is ending");
  return out;
}

Result<std::string> report_of(const std::string& state, const std::string& config_or_state) {
  if (!state.empty()) return ask(state);
  if (std::filesystem::is_directory(config_or_state)) return ask(config_or_state);
  return ask(TRY(state_of_config(config_or_state)));
}

}  // namespace

int status(int argc, char** argv) {
  CLI::App app("Shows how a running node is doing: channels, identities, sessions, processes.", "cipherway status");
  std::string config, state;
  bool json = false, exposure = false;
  auto* config_option = app.add_option("CONFIG", config, "the node's config, or its state directory");
  app.add_option("--state", state, "the node's state directory")->excludes(config_option);
  app.add_flag("--json", json, "print the report as JSON (docs/guide/status.md)");
  app.add_flag("--exposure", exposure, "print only which process holds which key, and for how long");
  if (auto code = parse(app, argc, argv)) return *code;
  if (config.empty() && state.empty()) {
    std::fputs("cipherway status: which node? Name its CONFIG, or --state DIR\n", stderr);
    return kUsage;
  }

  Result<std::string> text = report_of(state, config);
  if (!text) {
    std::fprintf(stderr, "cipherway status: %s\n", text.error().what.c_str());
    return kFailed;
  }
  auto report = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!report.is_object()) {
    std::fputs("cipherway status: the node's answer is not JSON; is it another version?\n", stderr);
    return kFailed;
  }
  std::string out;
  if (json && exposure)
    out = report.value("exposure", nlohmann::ordered_json::array()).dump(2) + "\n";
  else if (json)
    out = report.dump(2) + "\n";
  else
    out = exposure ? exposure_text(report) : status_text(report, WallClock::now());
  std::fputs(out.c_str(), stdout);
  return kDone;
}

}  // namespace cipherway::cli
