#include "node/passed_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

namespace cipherway::node {
namespace {

/// Passed sockets have fixed numbers: each case runs in a child, where nothing else has them. What it finds wrong is on
/// standard error.
int in_child(const std::function<bool()>& check) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

int new_listener() {
  auto fd = listen_on(*Address::parse("127.0.0.1:0"), 1);
  return fd ? fd->release() : -1;
}

/// Puts `sockets` where a service manager does, and describes them for this process.
void pass(std::initializer_list<int> sockets, const char* names) {
  int high[8];
  int count = 0;
  for (int fd : sockets) high[count++] = ::fcntl(fd, F_DUPFD, 100);
  for (int i = 0; i < count; ++i) ::dup2(high[i], 3 + i);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
  if (names != nullptr) ::setenv("LISTEN_FDNAMES", names, 1);
}

bool says(const Error& error, const char* text) {
  if (error.what.find(text) != std::string::npos) return true;
  std::fprintf(stderr, "%s\n", error.what.c_str());
  return false;
}

TEST(PassedSockets, AreFoundByName) {
  EXPECT_EQ(in_child([] {
              pass({new_listener(), new_listener()}, "web:mail");
              auto passed = PassedSockets::take();
              if (!passed) return says(passed.error(), "?");
              auto web = passed->find("web"), mail = passed->find("mail");
              bool closed_on_exec = web && (::fcntl((*web)->fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
              bool never_waits = web && (::fcntl((*web)->fd.get(), F_GETFL) & O_NONBLOCK) != 0;
              return web && mail && (*web)->fd.get() == 3 && (*mail)->fd.get() == 4 && closed_on_exec && never_waits &&
                     (*web)->address.to_string().starts_with("127.0.0.1:") && std::getenv("LISTEN_FDS") == nullptr;
            }),
            0);
}

TEST(PassedSockets, AMissingNameSaysWhichThereAre) {
  EXPECT_EQ(in_child([] {
              pass({new_listener(), new_listener()}, "web:mail");
              auto passed = PassedSockets::take();
              return passed && says(passed->find("wbe").error(), "web, mail");
            }),
            0);
}

TEST(PassedSockets, TwoOfOneNameAreRefused) {
  EXPECT_EQ(in_child([] {
              pass({new_listener(), new_listener()}, "web:web");
              auto passed = PassedSockets::take();
              return passed && says(passed->find("web").error(), "more than one");
            }),
            0);
}

TEST(PassedSockets, WithoutNamesTheyAreUnknown) {
  EXPECT_EQ(in_child([] {
              pass({new_listener()}, nullptr);
              auto passed = PassedSockets::take();
              return passed && passed->find("unknown").has_value();
            }),
            0);
}

TEST(PassedSockets, ForAnotherProcessAreLeftAlone) {
  EXPECT_EQ(in_child([] {
              pass({new_listener()}, "web");
              ::setenv("LISTEN_PID", "1", 1);
              auto passed = PassedSockets::take();
              return passed && passed->empty() && ::fcntl(3, F_GETFD) >= 0;
            }),
            0);
}

TEST(PassedSockets, WhatIsNoListeningSocketIsRefused) {
  EXPECT_EQ(in_child([] {
              pass({::socket(AF_INET, SOCK_DGRAM, 0)}, "web");
              auto passed = PassedSockets::take();
              return !passed && says(passed.error(), "ListenStream=");
            }),
            0);
  EXPECT_EQ(in_child([] {
              pass({::open("/dev/null", O_RDONLY)}, "web");
              return !PassedSockets::take();
            }),
            0);
  EXPECT_EQ(in_child([] {
              pass({new_listener()}, "web");
              ::setenv("LISTEN_FDS", "100000", 1);
              return !PassedSockets::take();
            }),
            0);
}

}  // namespace
}  // namespace cipherway::node
