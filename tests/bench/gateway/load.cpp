// The load on a TLS relay, and what the relay spent for it: CPU time and anonymous memory of the processes that it
// consists of, read from /proc around the measured part.
//
//   relay_load full     HOST:PORT --count N            connect, full handshake, 1 KiB request, close
//   relay_load resumed  HOST:PORT --count N            the same with a session of the connection before
//   relay_load requests HOST:PORT --count N            1 KiB requests on kept connections
//   relay_load bulk     HOST:PORT --count N            objects of 64 MiB, each on a connection of its own
//   relay_load idle     HOST:PORT --count N            N connections, one request each, then silence
//   relay_load paced    HOST:PORT --count N --rate R   R handshakes a second, whether or not earlier ones are done
//
// --parallel P: so many at a time (not for idle and paced). --watch PID,PID: the relay's processes. Prints one JSON
// object; exits 1 if anything went wrong, because a relay that fails is not fast.

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kSmall = 1024;
constexpr std::size_t kLarge = std::size_t{64} << 20;
constexpr std::string_view kSmallRequest = "GET /small HTTP/1.1\r\nHost: bench\r\n\r\n";
constexpr std::string_view kLargeRequest = "GET /large HTTP/1.1\r\nHost: bench\r\n\r\n";

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "relay_load: %s\n", why.c_str());
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

struct Plan {
  std::string kind;
  sockaddr_in address{};
  std::size_t count = 1;
  std::size_t parallel = 1;
  double rate = 0;
  std::vector<int> watched;
};

// ---------------------------------------------------------------------------------------------- what a relay spends

/// Nanoseconds that all threads of the watched processes have run.
double cpu_nanoseconds(const Plan& plan) {
  double sum = 0;
  for (int pid : plan.watched) {
    std::string folder = "/proc/" + std::to_string(pid) + "/task";
    DIR* threads = ::opendir(folder.c_str());
    if (threads == nullptr) give_up("process " + std::to_string(pid) + " is gone");
    while (dirent* entry = ::readdir(threads)) {
      if (entry->d_name[0] == '.') continue;
      std::ifstream file(folder + "/" + entry->d_name + "/schedstat");
      double ran = 0;
      file >> ran;
      sum += ran;
    }
    ::closedir(threads);
  }
  return sum;
}

double anonymous_kb(const Plan& plan) {
  double sum = 0;
  for (int pid : plan.watched) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("RssAnon:")) sum += std::atof(line.c_str() + 8);
  }
  return sum;
}

// ---------------------------------------------------------------------------------------------- one client

class Load;

/// One connection at a time, again and again: what it does next is the load's business.
class Client {
 public:
  enum class Phase { Closed, Handshaking, Waiting, Receiving };

  explicit Client(Load& load) : load_(load) {}
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void connect();
  void request(std::string_view text, std::size_t answer);
  void close();
  void advance();
  Phase phase() const { return phase_; }

  SSL_SESSION* session = nullptr;  ///< to resume; replaced by every ticket
  Clock::time_point due{};         ///< when the connection should have begun
  bool polite = true;              ///< says close_notify

 private:
  Load& load_;
  Phase phase_ = Phase::Closed;
  int socket_ = -1;
  SSL* ssl_ = nullptr;
  std::size_t left_ = 0;
};

/// The clients and their epoll. `connected` and `answered` say what happens next.
class Load {
 public:
  explicit Load(Plan plan) : plan_(std::move(plan)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
    SSL_CTX_set_read_ahead(context_, 1);  // one read for many records: the load has to be faster than the relays
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto* client = static_cast<Client*>(SSL_get_app_data(ssl));
      SSL_SESSION_free(client->session);
      client->session = session;
      return 1;
    });
  }

  const Plan& plan() const { return plan_; }
  SSL_CTX* context() const { return context_; }
  int epoll() const { return epoll_; }

  std::function<void(Client&)> connected;
  std::function<void(Client&)> answered;
  bool resumes = false;  ///< every handshake must be a resumption; else none may be
  std::string cipher;    ///< what the last handshake agreed on

  void turn(int milliseconds) {
    epoll_event events[256];
    int count = ::epoll_wait(epoll_, events, 256, milliseconds);
    for (int i = 0; i < count; ++i) static_cast<Client*>(events[i].data.ptr)->advance();
  }

  Client& add_client() { return *clients_.emplace_back(std::make_unique<Client>(*this)); }
  std::vector<std::unique_ptr<Client>>& clients() { return clients_; }

 private:
  Plan plan_;
  int epoll_;
  SSL_CTX* context_ = nullptr;
  std::vector<std::unique_ptr<Client>> clients_;
};

void Client::connect() {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) give_up("no socket");
  int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in& to = load_.plan().address;
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
    give_up(std::string("connect: ") + std::strerror(errno));
  ssl_ = SSL_new(load_.context());
  SSL_set_fd(ssl_, socket_);
  SSL_set_app_data(ssl_, this);
  SSL_set_connect_state(ssl_);
  if (load_.resumes && session != nullptr) SSL_set_session(ssl_, session);
  phase_ = Phase::Handshaking;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = this;
  ::epoll_ctl(load_.epoll(), EPOLL_CTL_ADD, socket_, &event);
  advance();
}

void Client::request(std::string_view text, std::size_t answer) {
  std::size_t put = 0;
  if (SSL_write_ex(ssl_, text.data(), text.size(), &put) != 1) give_up("a request could not be sent");
  left_ = answer;
  phase_ = Phase::Receiving;
}

void Client::close() {
  if (ssl_ == nullptr) return;
  if (polite) SSL_shutdown(ssl_);
  SSL_set_quiet_shutdown(ssl_, 1);
  SSL_shutdown(ssl_);  // else its session would count as broken
  SSL_free(ssl_);
  ssl_ = nullptr;
  ::close(socket_);
  phase_ = Phase::Closed;
}

void Client::advance() {
  static std::vector<char> buffer(std::size_t{64} << 10);
  while (phase_ != Phase::Closed) {
    ERR_clear_error();
    int result = 0;
    std::size_t got = 0;
    if (phase_ == Phase::Handshaking) {
      result = SSL_do_handshake(ssl_);
      if (result == 1) {
        if ((SSL_session_reused(ssl_) == 1) != (load_.resumes && session != nullptr))
          give_up(load_.resumes ? "the relay did not resume a session" : "the relay resumed a session");
        load_.cipher = SSL_get_cipher_name(ssl_);
        phase_ = Phase::Waiting;
        load_.connected(*this);
        continue;
      }
    } else {
      result = SSL_read_ex(ssl_, buffer.data(), buffer.size(), &got);
      if (result == 1) {
        if (phase_ != Phase::Receiving || got > left_) give_up("an answer that nobody asked for");
        left_ -= got;
        if (left_ > 0) continue;
        phase_ = Phase::Waiting;
        load_.answered(*this);
        if (phase_ == Phase::Receiving && SSL_has_pending(ssl_) == 0) return;  // whatever comes raises an edge
        continue;
      }
    }
    int error = SSL_get_error(ssl_, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
    give_up(phase_ == Phase::Handshaking ? "a handshake failed" : "a connection ended early");
  }
}

// ---------------------------------------------------------------------------------------------- the kinds of load

struct Spent {
  double nanoseconds = 0;
  double seconds = 0;
};

/// Runs `work` and says what the relay spent on it, its tidying up included.
Spent measure(Load& load, const std::function<void()>& work) {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  double before = cpu_nanoseconds(load.plan());
  auto began = Clock::now();
  work();
  double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  return {cpu_nanoseconds(load.plan()) - before, seconds};
}

/// `count` times connect, request, close; so many clients at once.
void connections(Load& load, std::size_t count, std::string_view text, std::size_t answer) {
  std::size_t begun = 0, done = 0;
  std::deque<Client*> idle;  // in turn, so that each client is used
  load.connected = [&](Client& client) { client.request(text, answer); };
  load.answered = [&](Client& client) {
    client.close();
    ++done;
    idle.push_back(&client);
  };
  for (auto& client : load.clients()) idle.push_back(client.get());
  while (done < count) {
    while (!idle.empty() && begun < count) {
      Client* client = idle.front();
      idle.pop_front();
      ++begun;
      client->connect();
    }
    load.turn(10'000);
  }
}

void requests(Load& load, std::size_t count) {
  std::size_t begun = 0, done = 0;
  auto next = [&](Client& client) {
    if (begun++ < count) client.request(kSmallRequest, kSmall);
  };
  load.answered = [&](Client& client) {
    ++done;
    next(client);
  };
  for (auto& client : load.clients()) next(*client);
  while (done < count) load.turn(10'000);
}

void open_all(Load& load) {
  std::size_t open = 0;
  load.connected = [&](Client& client) { client.request(kSmallRequest, kSmall); };
  load.answered = [&](Client&) { ++open; };
  std::size_t begun = 0;
  while (open < load.clients().size()) {
    while (begun < load.clients().size() && begun < open + 32) load.clients()[begun++]->connect();
    load.turn(10'000);
  }
}

double at(const std::vector<double>& sorted, double part) {
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))];
}

/// Arrivals of a Poisson process, the same for every relay; a latency counts from the moment a handshake was due.
void paced(Load& load) {
  const Plan& plan = load.plan();
  std::mt19937_64 random(1);
  std::exponential_distribution<double> gap(plan.rate);
  std::vector<double> latencies;
  std::vector<Client*> idle;
  std::vector<Client*> done;
  load.connected = [&](Client& client) {
    latencies.push_back(std::chrono::duration<double, std::milli>(Clock::now() - client.due).count());
    done.push_back(&client);
  };
  load.answered = [](Client&) {};
  auto began = Clock::now();
  double due = 0;
  std::size_t begun = 0;
  while (latencies.size() < plan.count) {
    for (Client* client : done) {
      client->close();
      idle.push_back(client);
    }
    done.clear();
    double now = std::chrono::duration<double>(Clock::now() - began).count();
    if (begun < plan.count && due <= now) {
      if (idle.empty()) idle.push_back(&load.add_client());
      Client* client = idle.back();
      idle.pop_back();
      client->due = began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(due));
      due += gap(random);
      ++begun;
      client->connect();
      load.turn(0);
      continue;
    }
    // Waiting in the kernel is coarse; the last millisecond is spent looking.
    load.turn(begun < plan.count && due - now < 0.002 ? 0 : 1);
  }
  double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  latencies.erase(latencies.begin(), latencies.begin() + static_cast<std::ptrdiff_t>(latencies.size() / 10));
  std::ranges::sort(latencies);
  std::printf("{\"rate\": %.1f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"cipher\": \"%s\"}\n",
              static_cast<double>(plan.count) / seconds, at(latencies, 0.50), at(latencies, 0.99), load.cipher.c_str());
}

void print(const Load& load, const Spent& spent, double operations) {
  std::printf("{\"cpu_us\": %.3f, \"per_second\": %.1f, \"cipher\": \"%s\"}\n", spent.nanoseconds / 1e3 / operations,
              operations / spent.seconds, load.cipher.c_str());
}

void run(Load& load) {
  const Plan& plan = load.plan();
  auto count = static_cast<double>(plan.count);
  if (plan.kind != "idle" && plan.kind != "paced")
    for (std::size_t i = 0; i < plan.parallel; ++i) load.add_client();
  if (plan.kind == "full") {
    connections(load, plan.parallel, kSmallRequest, kSmall);
    print(load, measure(load, [&] { connections(load, plan.count, kSmallRequest, kSmall); }), count);
  } else if (plan.kind == "resumed") {
    load.resumes = true;
    // A relay may give a ticket now and then only to an address that has thrown them all away so far, as ours has.
    auto has_none = [](const auto& client) { return client->session == nullptr; };
    for (int attempt = 0; attempt < 16 && std::ranges::any_of(load.clients(), has_none); ++attempt)
      connections(load, plan.parallel, kSmallRequest, kSmall);
    if (std::ranges::any_of(load.clients(), has_none)) give_up("the relay gave no ticket");
    print(load, measure(load, [&] { connections(load, plan.count, kSmallRequest, kSmall); }), count);
  } else if (plan.kind == "requests") {
    open_all(load);
    requests(load, plan.count / 20);
    print(load, measure(load, [&] { requests(load, plan.count); }), count);
  } else if (plan.kind == "bulk") {
    connections(load, plan.parallel, kSmallRequest, kSmall);
    print(load, measure(load, [&] { connections(load, plan.count, kLargeRequest, kLarge); }), count);
  } else if (plan.kind == "idle") {
    load.add_client();
    open_all(load);
    load.clients().clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    double before = anonymous_kb(plan);
    for (std::size_t i = 0; i < plan.count; ++i) load.add_client();
    open_all(load);
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    std::printf("{\"kb\": %.3f, \"before_kb\": %.0f, \"cipher\": \"%s\"}\n", (anonymous_kb(plan) - before) / count,
                before, load.cipher.c_str());
  } else if (plan.kind == "paced") {
    if (plan.rate <= 0) give_up("--rate is missing");
    paced(load);
  } else {
    give_up("no such load: " + plan.kind);
  }
}

Plan plan_from(int argc, char** argv) {
  if (argc < 3) give_up("usage: relay_load KIND HOST:PORT [--count N] [--parallel P] [--rate R] [--watch PID,PID]");
  Plan plan;
  plan.kind = argv[1];
  std::string where = argv[2];
  std::size_t colon = where.rfind(':');
  plan.address.sin_family = AF_INET;
  plan.address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(where.c_str() + colon + 1)));
  if (colon == std::string::npos || ::inet_pton(AF_INET, where.substr(0, colon).c_str(), &plan.address.sin_addr) != 1)
    give_up(where + " is not HOST:PORT");
  for (int i = 3; i + 1 < argc; i += 2) {
    std::string_view flag = argv[i];
    if (flag == "--count")
      plan.count = static_cast<std::size_t>(std::atoll(argv[i + 1]));
    else if (flag == "--parallel")
      plan.parallel = static_cast<std::size_t>(std::atoll(argv[i + 1]));
    else if (flag == "--rate")
      plan.rate = std::atof(argv[i + 1]);
    else if (flag == "--watch") {
      std::istringstream pids(argv[i + 1]);
      for (std::string pid; std::getline(pids, pid, ',');) plan.watched.push_back(std::atoi(pid.c_str()));
    } else
      give_up("unknown flag " + std::string(flag));
  }
  return plan;
}

}  // namespace

int main(int argc, char** argv) {
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  Load load(plan_from(argc, argv));
  run(load);
  // Connections that are still open end with the process.
  std::fflush(stdout);
  ::_exit(0);
}
