#include "node/passed_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace cipherway::node {

namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 1024;

std::optional<long> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  long number = 0;
  const char* end = text + std::strlen(text);
  auto [at, error] = std::from_chars(text, end, number);
  return error == std::errc() && at == end ? std::optional(number) : std::nullopt;
}

Result<PassedSockets::Socket> examine(std::string name, Fd fd) {
  std::string what = "socket \"" + name + "\" that the service manager passed";
  int type = 0, listens = 0, on = 1;
  socklen_t size = sizeof type;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0) return fail_errno("examine " + what);
  size = sizeof listens;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) return fail_errno("examine " + what);
  if (type != SOCK_STREAM || listens == 0)
    return fail(ErrorKind::Invalid,
                what + " is not one to accept connections on; its unit needs ListenStream= and Accept=no");
  if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 ||
      ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0)
    return fail_errno("take " + what);
  sockaddr_storage storage{};
  size = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return fail_errno("examine " + what);
  Address address = Address::from_socket(storage, size);
  // As in listen_on: accepted sockets inherit it.
  if (!address.is_unix()) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return PassedSockets::Socket{std::move(name), address, std::move(fd)};
}

}  // namespace

Result<PassedSockets> PassedSockets::take() {
  auto pid = number_in_environment("LISTEN_PID");
  auto count = number_in_environment("LISTEN_FDS");
  const char* listed = std::getenv("LISTEN_FDNAMES");
  std::string names = listed == nullptr ? "" : listed;
  bool for_us = pid && *pid == ::getpid() && count;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  PassedSockets out;
  if (!for_us) return out;
  if (*count < 0 || *count > kMost)
    return fail(ErrorKind::Invalid, "LISTEN_FDS says that " + std::to_string(*count) + " sockets were passed");
  std::string_view left = names;
  for (int i = 0; i < *count; ++i) {
    std::size_t colon = left.find(':');
    std::string name(left.substr(0, colon));
    left = colon == std::string_view::npos ? "" : left.substr(colon + 1);
    if (name.empty()) name = "unknown";  // what sd_listen_fds_with_names(3) calls one without a name
    out.sockets_.push_back(std::make_shared<const Socket>(TRY(examine(std::move(name), Fd(kFirst + i)))));
  }
  return out;
}

Result<std::shared_ptr<const PassedSockets::Socket>> PassedSockets::find(const std::string& name) const {
  std::shared_ptr<const Socket> found;
  std::string names;
  for (const auto& socket : sockets_) {
    names += (names.empty() ? "" : ", ") + socket->name;
    if (socket->name != name) continue;
    if (found)
      return fail(ErrorKind::Invalid, "the service manager passed more than one socket named \"" + name +
                                          "\"; give each its own FileDescriptorName=");
    found = socket;
  }
  if (found) return found;
  if (sockets_.empty())
    return fail(ErrorKind::NotFound,
                "the service manager passed no socket; it needs a socket unit with FileDescriptorName=" + name);
  return fail(ErrorKind::NotFound, "the service manager passed no socket named \"" + name + "\", but " + names +
                                       "; see FileDescriptorName=");
}

}  // namespace cipherway::node
