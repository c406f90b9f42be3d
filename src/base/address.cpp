#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace cipherway {

namespace {

sockaddr_in& ipv4(sockaddr_storage& storage) {
  return reinterpret_cast<sockaddr_in&>(storage);
}
sockaddr_in6& ipv6(sockaddr_storage& storage) {
  return reinterpret_cast<sockaddr_in6&>(storage);
}
sockaddr_un& local(sockaddr_storage& storage) {
  return reinterpret_cast<sockaddr_un&>(storage);
}
const sockaddr_in& ipv4(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr_in&>(storage);
}
const sockaddr_in6& ipv6(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr_in6&>(storage);
}
const sockaddr_un& local(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr_un&>(storage);
}

std::unexpected<Error> not_an_address(std::string_view text, std::string_view why) {
  return fail(ErrorKind::Invalid, "\"" + std::string(text) + "\" is not an address: " + std::string(why) +
                                      "; write HOST:PORT, [IPV6]:PORT or unix:PATH");
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  Address address;
  if (text.starts_with("unix:")) {
    std::string_view path = text.substr(5);
    sockaddr_un& to = local(address.storage_);
    if (path.empty()) return not_an_address(text, "the path is empty");
    if (path.size() >= sizeof to.sun_path) return not_an_address(text, "the path is longer than 107 bytes");
    if (path.find('\0') != std::string_view::npos) return not_an_address(text, "the path has a zero byte");
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.data(), path.size());
    address.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
  }

  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return not_an_address(text, "there is no port");
  std::string_view port_text = text.substr(colon + 1);
  std::string host(text.substr(0, colon));
  unsigned port = 0;
  auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port > 65535)
    return not_an_address(text, "the port is not a number from 0 to 65535");

  if (host.starts_with('[') && host.ends_with(']')) {
    sockaddr_in6& to = ipv6(address.storage_);
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &to.sin6_addr) != 1)
      return not_an_address(text, "the part in brackets is not an IPv6 address");
    address.length_ = sizeof to;
    return address;
  }
  if (host.find(':') != std::string::npos) return not_an_address(text, "an IPv6 address needs brackets");
  if (host == "localhost") host = "127.0.0.1";
  sockaddr_in& to = ipv4(address.storage_);
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET, host.c_str(), &to.sin_addr) != 1)
    return not_an_address(text, "the host is not an IP address");
  address.length_ = sizeof to;
  return address;
}

Address Address::from_socket(const sockaddr_storage& storage, socklen_t length) {
  Address address;
  address.storage_ = storage;
  address.length_ = length;
  return address;
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage_.ss_family == AF_INET) ::inet_ntop(AF_INET, &ipv4(storage_).sin_addr, text, sizeof text);
  if (storage_.ss_family == AF_INET6) ::inet_ntop(AF_INET6, &ipv6(storage_).sin6_addr, text, sizeof text);
  return is_unix() ? "unix" : text;
}

std::string Address::to_string() const {
  if (storage_.ss_family == AF_INET) return host() + ":" + std::to_string(ntohs(ipv4(storage_).sin_port));
  if (storage_.ss_family == AF_INET6) return "[" + host() + "]:" + std::to_string(ntohs(ipv6(storage_).sin6_port));
  const sockaddr_un& path = local(storage_);
  std::size_t most = length_ > offsetof(sockaddr_un, sun_path) ? length_ - offsetof(sockaddr_un, sun_path) : 0;
  return "unix:" + std::string(path.sun_path, ::strnlen(path.sun_path, most));
}

bool Address::is_local() const {
  if (is_unix()) return true;
  if (storage_.ss_family == AF_INET) return (ntohl(ipv4(storage_).sin_addr.s_addr) >> 24) == 127;
  const in6_addr& six = ipv6(storage_).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&six)) return six.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&six);
}

bool Address::operator==(const Address& other) const {
  return to_string() == other.to_string() && storage_.ss_family == other.storage_.ss_family;
}

namespace {

/// A UNIX socket that nobody listens on refuses; one whose backlog is full (EAGAIN) has somebody.
bool somebody_listens(const Address& address) {
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return ::connect(probe.get(), address.get(), address.length()) == 0 || errno != ECONNREFUSED;
}

}  // namespace

Result<Fd> listen_on(const Address& address, int backlog) {
  std::string doing = "listen on " + address.to_string();
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(doing);
  int on = 1;
  if (!address.is_unix()) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (address.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), address.get(), address.length()) != 0) {
    if (errno != EADDRINUSE || !address.is_unix()) return fail_errno(doing);
    if (somebody_listens(address)) return fail_errno(doing, EADDRINUSE);
    std::string path = address.to_string().substr(5);
    struct stat about{};
    if (::lstat(path.c_str(), &about) != 0 || !S_ISSOCK(about.st_mode)) return fail_errno(doing, EADDRINUSE);
    ::unlink(path.c_str());
    if (::bind(fd.get(), address.get(), address.length()) != 0) return fail_errno(doing);
  }
  if (::listen(fd.get(), backlog) != 0) return fail_errno(doing);
  return fd;
}

Result<Fd> connect_to(const Address& address, FirstData first) {
  auto failed = [&](int error) { return fail_errno("connect to " + address.to_string(), error); };
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failed(errno);
  if (!address.is_unix()) {
    int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // The last ACK of the handshake then waits for the data that carries it: a segment and a wake-up less.
    int off = 0;
    if (first == FirstData::AtHand) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
  }
  if (::connect(fd.get(), address.get(), address.length()) != 0 && errno != EINPROGRESS) return failed(errno);
  return fd;
}

}  // namespace cipherway
