#include "cli/stage.h"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace cipherway::cli {

namespace {

constexpr std::size_t kMostLogBytes = 64 << 20;
constexpr std::chrono::seconds kEndPatience{3};

Result<Fd> open_output(const std::string& path) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("open " + path);
  return fd;
}

/// The user's environment, less what would make a library tell its keys or a client go elsewhere.
std::vector<std::string> plain_environment() {
  return event::environment_of({"PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS"});
}

}  // namespace

Result<std::unique_ptr<Stage>> Stage::make(const std::string& name) {
  const char* base = std::getenv("TMPDIR");
  std::string folder = std::string(base != nullptr && base[0] != '\0' ? base : "/tmp") + "/" + name + "-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return fail_errno("make a folder " + folder);
  return std::unique_ptr<Stage>(new Stage(std::move(folder)));
}

Stage::Stage(std::string folder)
    : folder_(std::move(folder)), signals_(loop_, {SIGINT, SIGTERM, SIGHUP}, [this](int) { interrupted_ = true; }) {}

Stage::~Stage() {
  while (!programs_.empty()) {
    end(*programs_.back());
    programs_.pop_back();
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Stage::end(Program& program) {
  if (program.end) return;
  program.process->send_signal(SIGTERM);
  auto limit = Clock::now() + kEndPatience;
  while (!program.end && Clock::now() < limit) loop_.turn(std::chrono::milliseconds(50));
}

Result<Stage::Program*> Stage::launch(const std::string& name, const std::string& program,
                                      std::vector<std::string> arguments) {
  Fd out = TRY(open_output(path(name + ".out")));
  Fd log = TRY(open_output(path(name + ".log")));
  auto made = std::make_unique<Program>();
  made->name = name;
  Program* self = made.get();
  made->process = TRY(event::ChildProcess::start(
      loop_,
      {.program = program,
       .name = program == "/proc/self/exe" ? "cipherway" : program,
       .arguments = std::move(arguments),
       .environment = plain_environment(),
       .descriptors = {{out.get(), 1}, {log.get(), 2}},
       .own_process_group = true,
       .dies_with_parent = true},
      [self](event::ProcessEnd end) { self->end = std::make_unique<event::ProcessEnd>(end); }));
  programs_.push_back(std::move(made));
  return self;
}

Result<pid_t> Stage::start(const std::string& name, const std::string& program, std::vector<std::string> arguments) {
  return TRY(launch(name, program, std::move(arguments)))->process->pid();
}

Result<void> Stage::run(const std::string& name, const std::string& program, std::vector<std::string> arguments,
                        Clock::duration most) {
  Program* self = TRY(launch(name, program, std::move(arguments)));
  auto remove = [&] { std::erase_if(programs_, [&](auto& each) { return each.get() == self; }); };
  auto limit = Clock::now() + most;
  while (!self->end && !interrupted_ && Clock::now() < limit) loop_.turn(std::chrono::milliseconds(50));
  std::unique_ptr<event::ProcessEnd> end = std::move(self->end);
  remove();
  if (interrupted_) return fail(ErrorKind::Closed, "interrupted");
  if (!end) return fail(ErrorKind::TimedOut, name + " did not end in time\n" + last_words(name));
  if (!end->clean()) return fail(ErrorKind::Unavailable, name + ": " + end->to_string() + "\n" + last_words(name));
  return {};
}

Result<void> Stage::signal(const std::string& name, int signal) {
  auto found = std::ranges::find(programs_, name, [](const auto& each) { return each->name; });
  if (found == programs_.end() || (*found)->end) return fail(ErrorKind::NotFound, name + " does not run");
  (*found)->process->send_signal(signal);
  return {};
}

Result<void> Stage::wait_for(const std::string& what, Clock::duration most, const std::function<bool()>& done) {
  auto limit = Clock::now() + most;
  while (!done()) {
    if (interrupted_) return fail(ErrorKind::Closed, "interrupted");
    for (const auto& program : programs_)
      if (program->end)
        return fail(ErrorKind::Unavailable,
                    program->name + " ended: " + program->end->to_string() + "\n" + last_words(program->name));
    if (Clock::now() > limit) return fail(ErrorKind::TimedOut, "waited too long for " + what);
    loop_.turn(std::chrono::milliseconds(5));
  }
  return {};
}

std::vector<nlohmann::json> Stage::events(const std::string& name, const std::string& event) const {
  std::vector<nlohmann::json> out;
  auto text = read_file(path(name + ".log"), kMostLogBytes);
  if (!text) return out;
  std::string_view rest = *text;
  for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    std::string_view line = rest.substr(0, end);
    if (line.find(event) == std::string_view::npos) continue;  // parsing hundreds of lines again and again takes time
    auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (parsed.is_object() && parsed.value("event", "") == event) out.push_back(std::move(parsed));
  }
  return out;
}

std::string Stage::last_words(const std::string& name) const {
  constexpr std::size_t kMost = 1500;
  std::string out;
  for (const char* kind : {".log", ".out"}) {
    auto text = read_file(path(name + kind), kMostLogBytes);
    if (!text || text->empty()) continue;
    out += text->size() > kMost ? "..." + text->substr(text->size() - kMost) : *text;
  }
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

Result<Address> free_port(const std::string& host) {
  auto any = TRY(Address::parse(host + ":0"));
  Fd probe = TRY(listen_on(any, 1));
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0)
    return fail_errno("find a free port on " + host);
  return Address::from_socket(bound, length);
}

}  // namespace cipherway::cli
