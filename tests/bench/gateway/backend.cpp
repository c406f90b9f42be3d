// What stands behind the relays that are compared: accepts on loopback and answers `GET /small` with 1 KiB and
// `GET /large` with 64 MiB, headers included. One process, one event loop, as little work as it can do.
//
//   relay_backend PORT

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kSmall = 1024;
constexpr std::size_t kLarge = std::size_t{64} << 20;
constexpr std::size_t kPiece = std::size_t{256} << 10;

/// One connection: bytes of the request that is being read, and how much of the answer is still to be sent.
struct Peer {
  int socket = -1;
  std::string request;
  std::size_t left = 0;
  bool first_piece = false;
};

std::string answer_header(std::size_t all) {
  std::string header = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ";
  std::string end = "\r\n\r\n";
  std::size_t body = all - header.size() - end.size() - std::to_string(all).size();
  std::string length = std::to_string(body);
  length.insert(0, std::to_string(all).size() - length.size(), '0');
  return header + length + end;
}

class Backend {
 public:
  explicit Backend(int port) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    small_ = answer_header(kSmall);
    small_.resize(kSmall, 'x');
    large_header_ = answer_header(kLarge);
    piece_.assign(kPiece, 'x');
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 4096) != 0) {
      std::perror("relay_backend");
      std::exit(1);
    }
    watch(listener_, EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    epoll_event events[256];
    for (;;) {
      int count = ::epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        auto* peer = static_cast<Peer*>(events[i].data.ptr);
        if (peer == nullptr) {
          accept_all();
        } else if (!serve(*peer, (events[i].events & EPOLLRDHUP) != 0)) {
          ::close(peer->socket);
          delete peer;
        }
      }
    }
  }

 private:
  void watch(int socket, std::uint32_t events, Peer* peer) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = peer;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  }

  void accept_all() const {
    for (;;) {
      int socket = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) return;
      watch(socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, new Peer{.socket = socket});
    }
  }

  /// False: the connection is over.
  bool serve(Peer& peer, bool end_is_near) const {
    char buffer[4096];
    for (;;) {
      if (peer.left > 0) {
        if (!send_large(peer)) return false;
        if (peer.left > 0) return true;
      }
      ssize_t got = ::recv(peer.socket, buffer, sizeof buffer, 0);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN;
      peer.request.append(buffer, static_cast<std::size_t>(got));
      if (!answer(peer)) return false;
      bool is_empty = static_cast<std::size_t>(got) < sizeof buffer && !end_is_near;
      if (is_empty && peer.left == 0) return true;  // whatever comes raises an edge
    }
  }

  bool answer(Peer& peer) const {
    for (std::size_t end; (end = peer.request.find("\r\n\r\n")) != std::string::npos;) {
      bool large = std::string_view(peer.request).starts_with("GET /large");
      peer.request.erase(0, end + 4);
      if (large) {
        peer.left = kLarge;
        peer.first_piece = true;
        return true;
      }
      // An answer of 1 KiB to a client that reads fits into every socket buffer.
      if (::send(peer.socket, small_.data(), small_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(small_.size()))
        return false;
    }
    return peer.request.size() < 8192;
  }

  bool send_large(Peer& peer) const {
    while (peer.left > 0) {
      std::string_view piece = peer.first_piece ? large_header_ : std::string_view(piece_).substr(0, peer.left);
      ssize_t put = ::send(peer.socket, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (put < 0) return errno == EAGAIN;
      if (peer.first_piece && static_cast<std::size_t>(put) != piece.size()) return false;
      peer.first_piece = false;
      peer.left -= static_cast<std::size_t>(put);
    }
    return true;
  }

  int epoll_;
  int listener_;
  std::string small_;
  std::string large_header_;
  std::string piece_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: relay_backend PORT\n");
    return 2;
  }
  Backend(std::atoi(argv[1])).run();
}
