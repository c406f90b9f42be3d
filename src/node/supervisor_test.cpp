// The supervisor against processes that behave and misbehave as asked (fake_process_main.cpp).
#include "node/supervisor.h"

#include "base/log.h"
#include "gateway/certificate_for_tests.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace cipherway::node {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    std::string path = testing::TempDir() + "supervisorXXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
    put("shop.pem", gateway::to_pem({.alternative_names = "DNS:shop.example.org"}));
    put("bundle.pem", gateway::to_pem({.authority = true}));
    put("shop.key", "good");
    ::chmod(at("shop.key").c_str(), 0600);
    write_config(1, {"in"});
  }
  ~SupervisorTest() override {
    supervisor_.reset();
    log::set_output(2);
    std::filesystem::remove_all(directory_);
  }

  std::string at(const std::string& name) const { return directory_ + "/" + name; }
  void put(const std::string& name, std::string_view content) const { std::ofstream(at(name)) << content; }
  void remove(const std::string& name) const { std::filesystem::remove(at(name)); }

  void write_config(unsigned workers, const std::vector<std::string>& channels) {
    std::string text = "[node]\nstate = \"state\"\nuser = \"nobody\"\nworkers = " + std::to_string(workers) +
                       "\n[identity.shop]\ncertificate = \"shop.pem\"\nkey = \"shop.key\"\ntrust = \"bundle.pem\"\n";
    for (const std::string& channel : channels)
      text += "[[channel]]\nname = \"" + channel + "\"\nfrom = { listen = \"unix:" + at(channel) +
              "\", protect = \"mutual-tls\", identity = \"shop\", allow = [\"any\"] }\n"
              "to = { targets = [\"127.0.0.1:2\"], protect = \"none\" }\ntimeouts = { drain = \"200ms\" }\n";
    put("node.toml", text);
  }

  void start() {
    auto loaded = load(at("node.toml"));
    ASSERT_TRUE(loaded) << loaded.error().all().front().to_string();
    supervisor_ = std::make_unique<Supervisor>(loop_, SupervisorOptions{.config = at("node.toml"),
                                                                        .log_file = at("log"),
                                                                        .worker_program = FAKE_PROCESS,
                                                                        .keyholder_program = FAKE_PROCESS,
                                                                        .watchdog = watchdog_});
    auto started = supervisor_->start(std::move(*loaded));
    ASSERT_TRUE(started) << started.error().what;
  }

  std::vector<Json> events(const std::string& name) const {
    std::vector<Json> out;
    std::ifstream log(at("log"));
    for (std::string line; std::getline(log, line);) {
      Json event = Json::parse(line, nullptr, false);
      if (event.is_object() && event["event"] == name) out.push_back(event);
    }
    return out;
  }

  bool turn_until(const std::function<bool()>& done, Clock::duration most = 10s) {
    auto end = Clock::now() + most;
    while (!done()) {
      if (Clock::now() > end) return false;
      loop_.turn(5ms);
    }
    return true;
  }
  void wait_for(const std::string& name, std::size_t count = 1) {
    ASSERT_TRUE(turn_until([&] { return events(name).size() >= count; })) << name << "\n"
                                                                          << *read_file(at("log"), 1 << 20);
  }

  Json status() {
    auto socket = connect_to(*Address::parse("unix:" + control_socket_path(at("state"))));
    EXPECT_TRUE(socket) << socket.error().what;
    std::string text;
    turn_until([&] {
      char buffer[4096];
      ssize_t got;
      while ((got = ::read(socket->get(), buffer, sizeof buffer)) > 0)
        text.append(buffer, static_cast<std::size_t>(got));
      return got == 0;
    });
    return Json::parse(text, nullptr, false);
  }
  /// 0 when there is none.
  pid_t pid_of(const std::string& process) {
    Json report = status();
    for (const Json& row : report["processes"])
      if (row["process"] == process) return row["pid"];
    return 0;
  }
  /// Kills one process of the node, and never what 0 and -1 mean to kill(2).
  pid_t kill_process(const std::string& process) {
    pid_t pid = pid_of(process);
    EXPECT_GT(pid, 1) << process;
    if (pid > 1) ::kill(pid, SIGKILL);
    return pid;
  }

  /// What a client of a channel hears: the channel's name, from a worker; "" when nobody listens there.
  std::string call(const std::string& channel) {
    auto socket = connect_to(*Address::parse("unix:" + at(channel)));
    if (!socket) return "";
    char buffer[64];
    ssize_t got = -1;
    turn_until([&] { return (got = ::read(socket->get(), buffer, sizeof buffer)) > 0; });
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : "silence";
  }

  int run_to_the_end() {
    bool ended = false;
    auto log_of_end = [&] { return ended = events("node.stopped").size() + events("node.start.failed").size() > 0; };
    EXPECT_TRUE(turn_until([&] { return log_of_end() || supervisor_->exit_code() != 0; }));
    for (int i = 0; i < 20; ++i) loop_.turn(1ms);
    return supervisor_->exit_code();
  }

  event::EventLoop loop_;
  std::string directory_;
  std::unique_ptr<Supervisor> supervisor_;
  std::optional<std::chrono::microseconds> watchdog_;
};

TEST_F(SupervisorTest, BringsAllProcessesUpAndReportsThem) {
  write_config(2, {"in"});
  start();
  wait_for("node.ready");
  EXPECT_EQ(call("in"), "in");
  Json report = status();
  EXPECT_EQ(report["node"]["phase"], "serving");
  ASSERT_EQ(report["processes"].size(), 4u) << report.dump(2);
  EXPECT_TRUE(report["silent"].empty());
  EXPECT_EQ(report["channels"][0]["total"], 4) << "the sum over both workers";
  EXPECT_EQ(report["identities"][0]["key"]["process"], "keyholder");
  std::set<std::string> holders;
  for (const Json& row : report["exposure"])
    holders.insert(std::string(row["key"]) + " in " + std::string(row["process"]));
  EXPECT_EQ(holders, (std::set<std::string>{"private key of shop in keyholder", "ticket root of shop in keyholder",
                                            "a in gateway-0", "a in gateway-1"}));
}

TEST_F(SupervisorTest, AKilledWorkerComesBackAndNoConnectionIsLost) {
  start();
  wait_for("node.ready");
  pid_t before = kill_process("gateway-0");
  EXPECT_EQ(call("in"), "in") << "the connection waited in the supervisor's socket";
  auto died = events("worker.died");
  ASSERT_EQ(died.size(), 1u);
  EXPECT_EQ(died[0]["signal"], 9);
  EXPECT_NE(pid_of("gateway-0"), before);
}

TEST_F(SupervisorTest, AKilledKeyholderComesBackAndWorkersAreAdmittedAgain) {
  write_config(2, {"in"});
  start();
  wait_for("node.ready");
  pid_t before = kill_process("keyholder");
  wait_for("keyholder.started", 2);
  wait_for("keyholder.died");
  ASSERT_TRUE(turn_until([&] { return pid_of("keyholder") > 0 && !status()["exposure"].empty(); }));
  EXPECT_NE(pid_of("keyholder"), before);
  ASSERT_TRUE(turn_until([&] { return status()["identities"][0].contains("key"); }));
  // The ticket service is known to a keyholder from its peers alone: somebody has been admitted.
  EXPECT_TRUE(turn_until([&] { return status().dump().find("ticket root of shop") != std::string::npos; }));
  EXPECT_EQ(events("worker.died").size(), 0u);
}

TEST_F(SupervisorTest, AWorkerThatDoesNotAnswerIsKilledAndStartedAgain) {
  watchdog_ = 2s;
  start();
  wait_for("node.ready");
  pid_t before = pid_of("gateway-0");
  ASSERT_GT(before, 1);
  ::kill(before, SIGSTOP);
  wait_for("worker.stuck");
  wait_for("worker.started", 2);
  EXPECT_EQ(call("in"), "in");
  EXPECT_NE(pid_of("gateway-0"), before);
  EXPECT_EQ(events("worker.died")[0]["signal"], 9);
  EXPECT_EQ(events("keyholder.stuck").size(), 0u);
}

TEST_F(SupervisorTest, AKeyholderThatDoesNotAnswerIsKilledAndStartedAgain) {
  watchdog_ = 2s;
  start();
  wait_for("node.ready");
  pid_t before = pid_of("keyholder");
  ASSERT_GT(before, 1);
  ::kill(before, SIGSTOP);
  wait_for("keyholder.stuck");
  wait_for("keyholder.started", 2);
  ASSERT_TRUE(turn_until([&] { return pid_of("keyholder") > 0 && pid_of("keyholder") != before; }));
  EXPECT_EQ(events("worker.stuck").size(), 0u);
}

TEST_F(SupervisorTest, TheServiceManagerHearsNothingWhileAProcessIsMissing) {
  watchdog_ = 1s;
  start();
  wait_for("node.ready");
  put("shop.key", "bad");
  kill_process("keyholder");
  wait_for("node.watchdog.withheld");
  EXPECT_EQ(call("in"), "in");
  EXPECT_EQ(events("worker.died").size(), 0u);
}

TEST_F(SupervisorTest, AReloadBringsNewChannelsAndWorkersAndEndsOldOnes) {
  write_config(1, {"in", "old"});
  start();
  wait_for("node.ready");
  EXPECT_EQ(call("old"), "old");
  write_config(3, {"in", "new"});
  ::kill(::getpid(), SIGHUP);
  wait_for("node.reloaded");
  EXPECT_EQ(call("new"), "new");
  EXPECT_EQ(call("in"), "in");
  EXPECT_EQ(call("old"), "");
  EXPECT_EQ(status()["processes"].size(), 5u);
  write_config(1, {"in"});
  ::kill(::getpid(), SIGHUP);
  wait_for("worker.ended", 2);
  EXPECT_EQ(status()["processes"].size(), 3u);
  EXPECT_EQ(call("in"), "in");
  EXPECT_EQ(events("worker.died").size(), 0u);
}

TEST_F(SupervisorTest, AReloadWithABadConfigChangesNothingAndNamesEveryProblem) {
  start();
  wait_for("node.ready");
  pid_t keyholder = pid_of("keyholder");
  put("node.toml", "[node]\nstate = 5\nwrokers = 1\n");
  ::kill(::getpid(), SIGHUP);
  wait_for("node.kept");
  auto failed = events("node.reload.failed");
  ASSERT_EQ(failed.size(), 3u);
  std::size_t i = 0;
  for (const char* place : {"node.toml:1:1: ", "node.toml:2:9: ", "node.toml:3:1: "}) {
    EXPECT_NE(std::string(failed[i]["problem"]).find(place), std::string::npos) << failed[i];
    ++i;
  }
  EXPECT_EQ(call("in"), "in");
  EXPECT_EQ(pid_of("keyholder"), keyholder);
}

TEST_F(SupervisorTest, AReloadWithAKeyThatCannotBeLoadedChangesNothing) {
  start();
  wait_for("node.ready");
  pid_t keyholder = pid_of("keyholder");
  put("shop.key", "bad");
  ::kill(::getpid(), SIGHUP);
  wait_for("node.kept");
  EXPECT_NE(
      std::string(events("node.reload.failed")[0]["problem"]).find("identity \"shop\": not this certificate's key"),
      std::string::npos);
  EXPECT_EQ(pid_of("keyholder"), keyholder);
}

TEST_F(SupervisorTest, AReloadThatAWorkerRefusesIsRolledBack) {
  start();
  wait_for("node.ready");
  pid_t keyholder = pid_of("keyholder");
  put("refuse-config", "");
  write_config(1, {"in", "new"});
  ::kill(::getpid(), SIGHUP);
  wait_for("worker.refused");
  remove("refuse-config");
  wait_for("node.kept");
  EXPECT_EQ(pid_of("keyholder"), keyholder);
  EXPECT_EQ(call("in"), "in");
  EXPECT_EQ(call("new"), "");
}

TEST_F(SupervisorTest, AReplacedCertificateIsTakenWithoutASignal) {
  start();
  wait_for("node.ready");
  std::string before = status()["identities"][0]["not_after"];
  put("shop.pem", gateway::to_pem({.alternative_names = "DNS:shop.example.org", .not_after = "20950101000000Z"}));
  wait_for("node.reloaded");
  EXPECT_NE(status()["identities"][0]["not_after"], before);
}

TEST_F(SupervisorTest, TheFirstStartWithAKeyThatCannotBeLoadedFails) {
  put("shop.key", "bad");
  start();
  EXPECT_EQ(run_to_the_end(), 1);
  ASSERT_EQ(events("node.start.failed").size(), 1u);
}

TEST_F(SupervisorTest, TermLetsConnectionsEndAndThenTheNode) {
  start();
  wait_for("node.ready");
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(run_to_the_end(), 0);
  EXPECT_FALSE(std::filesystem::exists(at("in")));
  EXPECT_FALSE(std::filesystem::exists(control_socket_path(at("state"))));
}

TEST_F(SupervisorTest, TermEndsWithOneWhenTheLimitIsReached) {
  put("never-drain", "");
  start();
  wait_for("node.ready");
  auto begin = Clock::now();
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(run_to_the_end(), 1);
  EXPECT_GE(Clock::now() - begin, 200ms);
}

TEST_F(SupervisorTest, ASecondSignalStopsAtOnce) {
  put("never-drain", "");
  std::string text = *read_file(at("node.toml"), 10000);
  text.replace(text.find("200ms"), 5, "60s");
  put("node.toml", text);
  start();
  wait_for("node.ready");
  ::kill(::getpid(), SIGTERM);
  wait_for("node.stopping");
  ::kill(::getpid(), SIGINT);
  EXPECT_EQ(run_to_the_end(), 1);
  EXPECT_EQ(events("node.stopped.early").size(), 1u);
}

TEST_F(SupervisorTest, ANodeOnTheSameStateIsRefused) {
  start();
  wait_for("node.ready");
  Supervisor second(loop_, SupervisorOptions{.config = at("node.toml")});
  auto started = second.start(std::move(*load(at("node.toml"))));
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().what.find("another node runs"), std::string::npos);
}

}  // namespace
}  // namespace cipherway::node
