#pragma once

#include "gateway/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cipherway::gateway {

/// A host with a loop; a client that is one end of a socket pair; targets that listen on UNIX sockets. No TLS: that is
/// for the tls module's tests and for the scenarios. What is tested here is who waits for what, and how it ends.
class ConnectionTest : public testing::Test, public ConnectionHost {
 public:
  event::EventLoop& loop() override { return loop_; }
  Scratch& scratch() override { return scratch_; }
  Turns& turns() override { return turns_; }
  RefusalLog& refusal_log() override { return refusal_log_; }
  void closed(Connection& connection) override {
    EXPECT_EQ(&connection, connection_.get());
    ++closed_;
    loop_.at_turn_end([this] { connection_.reset(); });
  }

 protected:
  struct Target {
    std::string path;
    Fd listening;
    Fd accepted;
  };

  void TearDown() override {
    for (auto& target : targets_) ::unlink(target.path.c_str());
  }

  void add_target(bool listens) {
    std::string path = testing::TempDir() + "/cw-" + std::to_string(::getpid()) + "-" + std::to_string(targets_.size());
    ::unlink(path.c_str());
    Address address = *Address::parse("unix:" + path);
    config_targets_.push_back({{.where = address}, {}});
    targets_.push_back({path, listens ? *listen_on(address, 8) : Fd(), {}});
  }

  /// `change` makes the channel another one than plaintext with default limits.
  void start(config::Timeouts timeouts = {}, const std::function<void(config::Channel&)>& change = {}) {
    config::Channel config;
    config.name.value = "test";
    config.from.listen.value.address = *Address::parse("127.0.0.1:1");
    config.to.targets = config_targets_;
    config.to.balance = config::Balance::InOrder;
    config.eject = eject_;
    config.timeouts = timeouts;
    if (change) change(config);
    auto targets = std::make_shared<gateway::Targets>(config, TargetSources{board_, resolver_, random_});
    entrance_->lead_into({std::make_shared<Channel>(Channel{config, nullptr, nullptr, traffic_, targets, nullptr})});
    SocketPair pair = *stream_pair();
    client_ = std::move(pair.ours);
    connect(std::move(pair.theirs));
  }

  void connect(Fd client) {
    connection_ = std::make_unique<Connection>(*this, entrance_, std::move(client), *Address::parse("unix:/client"));
    connection_->start();
  }

  void take_turns(int count = 10) {
    for (int i = 0; i < count; ++i) loop_.turn(std::chrono::milliseconds(1));
  }

  void accept(std::size_t target) {
    targets_[target].accepted = Fd(::accept4(targets_[target].listening.get(), nullptr, nullptr, SOCK_NONBLOCK));
    ASSERT_TRUE(targets_[target].accepted);
  }

  static std::string read_all(const Fd& fd, bool* end = nullptr) {
    std::string text;
    char buffer[65536];
    ssize_t got;
    while ((got = ::read(fd.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(got));
    if (end != nullptr) *end = got == 0;
    return text;
  }

  static void write_all(const Fd& fd, std::string_view text) {
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  event::EventLoop loop_;
  Scratch scratch_{loop_};
  Turns turns_{loop_, [](Guest& guest) { static_cast<Connection&>(guest).turn_came(); }};
  RefusalLog refusal_log_;
  std::shared_ptr<Board> board_ = Board::alone();
  Resolver resolver_{loop_};
  Random random_{1};
  config::Eject eject_;
  std::vector<Target> targets_;
  std::vector<config::Located<config::Target>> config_targets_;
  std::shared_ptr<Traffic> traffic_ = std::make_shared<Traffic>();
  std::shared_ptr<Entrance> entrance_ = std::make_shared<Entrance>("127.0.0.1:1");
  Fd client_;
  std::unique_ptr<Connection> connection_;
  int closed_ = 0;
};

}  // namespace cipherway::gateway
