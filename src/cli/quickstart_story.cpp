#include "cli/quickstart_story.h"

#include "authority/authority.h"
#include "cli/stage.h"
#include "crypto/kdf.h"
#include "lab/recorder.h"

#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <optional>

namespace cipherway::cli {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::size_t kFileBytes = std::size_t{64} << 20;
constexpr std::size_t kSmallRequests = 300;
constexpr const char* kTrustDomain = "example.org";
constexpr const char* kNameA = "spiffe://example.org/frontend";
constexpr const char* kNameB = "spiffe://example.org/storefront";
// Each on a loopback address of its own, as if they were different machines.
constexpr const char* kHostA = "127.0.0.2";
constexpr const char* kHostB = "127.0.0.3";
constexpr const char* kHostC = "127.0.0.4";
constexpr const char* kHostServer = "127.0.0.5";

Result<std::string> needed_program(const std::string& name, const std::string& what_for) {
  auto found = event::find_program(name);
  if (found) return found;
  return fail(ErrorKind::NotFound,
              name + " is needed as " + what_for + " and is not on PATH; on Debian: apt-get install " + name);
}

std::string toml_text(const std::string& text) {
  return json(text).dump();  // TOML's basic strings are written as JSON's
}

class Story {
 public:
  Story(Stage& stage, const Progress& progress, std::string curl, std::string python)
      : stage_(stage), progress_(progress), curl_(std::move(curl)), python_(std::move(python)) {}

  Result<QuickstartReport> tell() {
    auto began = Clock::now();
    progress_("1/6 making a throwaway trust domain and two identities");
    TRY(make_identities());
    TRY(make_files());
    progress_("2/6 starting an HTTP server, node B before it, a recorder, and node A");
    TRY(start_server());
    TRY(start_nodes());
    progress_("3/6 moving a file of 64 MB and " + std::to_string(kSmallRequests) +
              " small requests through the channel");
    TRY(move_data());
    progress_("4/6 asking the processes what they saw and which keys they hold");
    TRY(ask_nodes());
    TRY(read_logs());
    progress_("5/6 the control: the same path with protect = \"none\"");
    TRY(take_control());
    progress_("6/6 taking everything down");
    report_.seconds = std::chrono::duration<double>(Clock::now() - began).count();
    return report_;
  }

 private:
  Result<void> make_identities() {
    using authority::Authority;
    auto made =
        TRY_IN("make the trust domain", Authority::init(stage_.path("authority"), {.trust_domain = kTrustDomain}));
    TRY(write_file(stage_.path("bundle.pem"), as_bytes(made.bundle()), 0644));
    for (auto [file, name] : {std::pair("a", kNameA), std::pair("b", kNameB)}) {
      auto issued = TRY_IN("issue an identity", made.issue({.names = {name}, .lifetime = 1h}));
      TRY(write_file(stage_.path(std::string(file) + ".pem"), as_bytes(issued.chain_pem), 0644));
      TRY(write_file(stage_.path(std::string(file) + ".key"), issued.key_pem->view(), 0600));
    }
    return {};
  }

  Result<void> make_files() {
    std::string folder = stage_.path("www");
    if (::mkdir(folder.c_str(), 0755) != 0) return fail_errno("make " + folder);
    Bytes file(kFileBytes);
    crypto::random_bytes(file);
    report_.file_bytes = kFileBytes;
    report_.sha256_sent = to_hex(crypto::sha256(file));
    TRY(write_file(folder + "/large.bin", file, 0644));
    Bytes random(16);
    crypto::random_bytes(random);
    report_.marker = "marker-" + to_hex(random);
    return write_file(folder + "/small.txt", as_bytes("Only A and B can read this: " + report_.marker + "\n"), 0644);
  }

  Result<void> start_server() {
    TRY(stage_.start("http-server", python_,
                     {"-u", "-m", "http.server", "0", "--bind", kHostServer, "--directory", stage_.path("www")}));
    // "Serving HTTP on 127.0.0.5 port 40123 (http://127.0.0.5:40123/) ..."
    TRY(stage_.wait_for("the HTTP server", 15s, [this] {
      auto text = read_file(stage_.path("http-server.out"), 1 << 20);
      std::size_t at = text ? text->find(" port ") : std::string::npos;
      if (at == std::string::npos || text->find('\n') == std::string::npos) return false;
      std::string port = text->substr(at + 6, text->find_first_not_of("0123456789", at + 6) - at - 6);
      report_.server = std::string(kHostServer) + ":" + port;
      return true;
    }));
    return {};
  }

  /// `protect` is what runs between A and B.
  Result<void> write_configs(const std::string& protect) {
    auto config = [&](const std::string& name, const std::string& from, const std::string& to) {
      std::string text = "[node]\nstate = " + toml_text(stage_.path(name + ".state")) + "\nworkers = 2\n\n[identity." +
                         name + "]\ncertificate = \"" + name + ".pem\"\nkey = \"" + name +
                         ".key\"\ntrust = \"bundle.pem\"\n\n[[channel]]\nname = \"quickstart\"\nfrom = { " + from +
                         " }\nto = { " + to + " }\n";
      return write_file(stage_.path(name + ".toml"), as_bytes(text), 0644);
    };
    bool tls = protect != "none";
    std::string side = "protect = " + toml_text(protect);
    TRY(config("b",
               "listen = " + toml_text(report_.listen_b) + ", " + side +
                   (tls ? ", identity = \"b\", allow = [" + toml_text(kNameA) + "]" : ""),
               "targets = [" + toml_text(report_.server) + "], protect = \"none\""));
    return config("a", "listen = " + toml_text(report_.listen_a) + ", protect = \"none\"",
                  "targets = [" + toml_text(recorder_->address().to_string()) + "], " + side +
                      (tls ? ", identity = \"a\", expect = [" + toml_text(kNameB) + "]" : ""));
  }

  Result<void> start_nodes() {
    Address b = TRY(free_port(kHostB));
    report_.listen_b = b.to_string();
    report_.listen_a = TRY(free_port(kHostA)).to_string();
    Address c = TRY(Address::parse(std::string(kHostC) + ":0"));
    recorder_ = TRY(lab::Recorder::start(stage_.loop(), c, b));
    TRY(write_configs("mutual-tls"));
    for (const char* name : {"b", "a"})
      TRY(stage_.start(name, "/proc/self/exe", {"run", stage_.path(std::string(name) + ".toml")}));
    for (const char* name : {"b", "a"})
      TRY(stage_.wait_for(std::string("node ") + name + " to be ready", 20s,
                          [&] { return !stage_.events(name, "node.ready").empty(); }));
    return {};
  }

  std::string url(const std::string& file) const { return "http://" + report_.listen_a + "/" + file; }

  Result<void> curl(const std::string& name, std::vector<std::string> arguments) {
    std::vector<std::string> all = {"-q", "--silent", "--show-error", "--fail", "--max-time", "40", "--noproxy", "*"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return stage_.run(name, curl_, std::move(all), 45s);
  }

  Result<void> move_data() {
    TRY(curl("curl-large", {"--output", stage_.path("received.bin"), url("large.bin")}));
    auto received = TRY(read_file(stage_.path("received.bin"), 2 * kFileBytes));
    report_.sha256_received = to_hex(crypto::sha256(as_bytes(received)));
    // The server closes after every answer, so that each of these is a connection of its own.
    TRY(curl("curl-small", {url("small.txt?" + report_.marker + "&[1-" + std::to_string(kSmallRequests) + "]")}));
    auto answers = TRY(read_file(stage_.path("curl-small.out"), 1 << 20));
    std::size_t at = 0;
    while ((at = answers.find(report_.marker, at)) != std::string::npos) {
      ++report_.requests;
      at += report_.marker.size();
    }
    if (report_.requests != kSmallRequests)
      return fail(ErrorKind::Protocol, "only " + std::to_string(report_.requests) + " of " +
                                           std::to_string(kSmallRequests) + " small requests were answered");
    report_.recorded_protected = recorder_->bytes();
    report_.marker_seen_protected = recorder_->saw(report_.marker);
    return {};
  }

  Result<json> status_of(const std::string& name) {
    std::string run = "status-" + name + "-" + std::to_string(++asked_);
    TRY(stage_.run(run, "/proc/self/exe", {"status", "--state", stage_.path(name + ".state"), "--json"}, 10s));
    std::string text = TRY(read_file(stage_.path(run + ".out"), 16 << 20));
    auto report = json::parse(text, nullptr, false);
    if (!report.is_object() || !report["silent"].empty())
      return fail(ErrorKind::Unavailable, "node " + name + " does not report");
    return report;
  }

  /// Sums are taken when no connection is open, so that all bytes are counted; keys while one is.
  Result<void> ask_nodes() {
    for (int tries = 0;; ++tries) {
      json b = TRY(status_of("b"));
      const json& channel = b["channels"][0];
      if (channel["open"] != 0 && tries < 20) continue;
      report_.protect = channel["from"]["protect"];
      report_.full = channel["full"];
      report_.resumed = channel["resumed"];
      report_.bytes = channel["bytes_in"].get<std::uint64_t>() + channel["bytes_out"].get<std::uint64_t>();
      break;
    }
    std::size_t before = stage_.events("b", "connection.open").size();
    Address a = TRY(Address::parse(report_.listen_a));
    Fd held = TRY(connect_to(a));
    TRY(stage_.wait_for("a connection through the channel", 10s,
                        [&] { return stage_.events("b", "connection.open").size() > before; }));
    for (const char* name : {"a", "b"}) {
      json status = TRY(status_of(name));
      for (const json& row : status["exposure"]) {
        report_.exposure.push_back(
            {.key = row["key"].get<std::string>(),
             .process = row["process"].get<std::string>() + " of node " + (name[0] == 'a' ? "A" : "B"),
             .pid = row["pid"].get<std::int64_t>(),
             .lifetime = row["lifetime"].get<std::string>()});
      }
    }
    return {};
  }

  Result<void> read_logs() {
    auto at_a = stage_.events("a", "connection.open");
    auto at_b = stage_.events("b", "connection.open");
    if (at_a.empty() || at_b.empty()) return fail(ErrorKind::Protocol, "a node did not log its connections");
    report_.protocol = at_b.front().value("protocol", "");
    report_.group = at_b.front().value("group", "");
    report_.cipher = at_b.front().value("cipher", "");
    report_.client = at_b.front().value("client", "");
    report_.server_name = at_a.front().value("server", "");
    // One connection that differs is reported in the place of all that agree.
    for (const json& each : at_b) {
      if (each.value("protocol", "") != report_.protocol) report_.protocol = each.value("protocol", "");
      if (each.value("client", "") != report_.client) report_.client = each.value("client", "");
    }
    return {};
  }

  /// The same recorder, nodes and request, without protection: shows that the recorder would have seen the marker.
  Result<void> take_control() {
    recorder_->forget();
    TRY(write_configs("none"));
    for (const char* name : {"b", "a"}) {
      TRY(stage_.signal(name, SIGHUP));
      TRY(stage_.wait_for(std::string("node ") + name + " to reload", 20s,
                          [&] { return !stage_.events(name, "node.reloaded").empty(); }));
    }
    TRY(curl("curl-clear", {url("small.txt?" + report_.marker)}));
    report_.recorded_clear = recorder_->bytes();
    report_.marker_seen_clear = recorder_->saw(report_.marker);
    return {};
  }

  Stage& stage_;
  const Progress& progress_;
  std::string curl_;
  std::string python_;
  std::unique_ptr<lab::Recorder> recorder_;
  QuickstartReport report_;
  unsigned asked_ = 0;
};

}  // namespace

Result<QuickstartReport> tell_quickstart_story(const Progress& progress) {
  std::string curl = TRY(needed_program("curl", "the unchanged client"));
  std::string python = TRY(needed_program("python3", "the unchanged HTTP server"));
  auto stage = TRY(Stage::make("cipherway-quickstart"));
  Story story(*stage, progress, std::move(curl), std::move(python));
  auto report = story.tell();
  return report;
}

}  // namespace cipherway::cli
