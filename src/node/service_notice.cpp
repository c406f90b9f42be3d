#include "node/service_notice.h"

#include "base/fd.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace cipherway::node {

void tell_service_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // abstract name space
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return;
  std::string message(state);
  if (state.starts_with("RELOADING=1")) {  // systemd wants to know since when (sd_notify(3), MONOTONIC_USEC)
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    message += "\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000LL + now.tv_nsec / 1000);
  }
  [[maybe_unused]] ssize_t put = ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                          reinterpret_cast<const sockaddr*>(&address),
                                          static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

std::optional<std::chrono::microseconds> watchdog_of_service_manager() {
  auto number = [](const char* name) -> std::optional<std::uint64_t> {
    const char* text = std::getenv(name);
    if (text == nullptr) return std::nullopt;
    std::uint64_t value = 0;
    const char* end = text + std::strlen(text);
    auto [at, error] = std::from_chars(text, end, value);
    return error == std::errc() && at == end ? std::optional(value) : std::nullopt;
  };
  constexpr std::uint64_t kLongest = std::uint64_t{365} * 24 * 3600 * 1'000'000;
  auto period = number("WATCHDOG_USEC");
  if (!period || *period == 0 || *period > kLongest) return std::nullopt;
  if (std::getenv("WATCHDOG_PID") != nullptr && number("WATCHDOG_PID") != static_cast<std::uint64_t>(::getpid()))
    return std::nullopt;
  return std::chrono::microseconds(*period);
}

}  // namespace cipherway::node
