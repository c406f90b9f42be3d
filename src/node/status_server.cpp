#include "node/status_server.h"

#include "base/log.h"
#include "base/sealed.h"
#include "node/status_control.h"

#include <nlohmann/json.hpp>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace cipherway::node {

namespace {

constexpr std::chrono::milliseconds kGoodbye{1'000};
constexpr std::chrono::milliseconds kAcceptAgainAfter{100};

Address address_of(const Fd& listener) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&storage), &length);
  return Address::from_socket(storage, length);
}

}  // namespace

/// One connection: a request, its answer, and a moment for the client to close, so that what it still sends does not
/// turn our close into a reset that loses the answer.
class StatusServer::Client final : public event::Watcher {
 public:
  enum class Phase { AwaitingRequest, AwaitingReport, Answering, AwaitingGoodbye, Gone };

  Client(StatusServer& server, Fd socket)
      : server_(server), socket_(std::move(socket)), limit_(server.loop_, [this] { too_slow(); }) {}
  ~Client() { server_.loop_.remove(socket_.get(), *this); }

  bool start() {
    limit_.set_after(server_.limits_.request);
    return server_.loop_.add(socket_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this).has_value();
  }

  bool awaits_report() const { return phase_ == Phase::AwaitingReport; }
  bool gone() const { return phase_ == Phase::Gone; }

  void answer(const Report* report) {
    if (phase_ == Phase::AwaitingReport) send(server_.site_.answer(request_, report, WallClock::now()));
  }

  void ready(std::uint32_t) override {
    switch (phase_) {
      case Phase::AwaitingRequest: return read();
      case Phase::AwaitingReport: return;
      case Phase::Answering: return write();
      case Phase::AwaitingGoodbye: return discard();
      case Phase::Gone: return;
    }
  }

  void leave() {
    if (phase_ == Phase::Gone) return;
    phase_ = Phase::Gone;
    limit_.cancel();
    server_.leave(*this);
  }

 private:
  void read() {
    std::array<char, 4096> buffer;
    while (phase_ == Phase::AwaitingRequest) {
      ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return leave();
      arrived_.append(buffer.data(), static_cast<std::size_t>(got));
      if (std::size_t end = end_of_head(arrived_); end > 0 && end <= HttpRequest::kMostHead) {
        auto request = parse_request(std::string_view(arrived_).substr(0, end));
        if (!request) return send(refusal(request.error()));
        request_ = std::move(*request);
        phase_ = Phase::AwaitingReport;
        limit_.cancel();
        server_.wants_report();
      } else if (arrived_.size() > HttpRequest::kMostHead) {
        return send(refusal(431));
      }
    }
  }

  void send(const HttpResponse& response) {
    out_ = to_wire(response, request_.head);
    phase_ = Phase::Answering;
    limit_.set_after(server_.limits_.response);
    write();
  }

  void write() {
    while (written_ < out_.size()) {
      ssize_t put = ::send(socket_.get(), out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EAGAIN) return;
      if (put < 0) return leave();
      written_ += static_cast<std::size_t>(put);
    }
    ::shutdown(socket_.get(), SHUT_WR);
    phase_ = Phase::AwaitingGoodbye;
    limit_.set_after(kGoodbye);
    discard();
  }

  void discard() {
    std::array<char, 4096> buffer;
    for (int batch = 0; batch < 16; ++batch) {  // who still sends more than this is cut off
      ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) break;
    }
    leave();
  }

  void too_slow() {
    if (phase_ == Phase::AwaitingRequest && !arrived_.empty()) return send(refusal(408));
    leave();
  }

  StatusServer& server_;
  Fd socket_;
  event::Timer limit_;
  Phase phase_ = Phase::AwaitingRequest;
  std::string arrived_;
  HttpRequest request_;
  std::string out_;
  std::size_t written_ = 0;
};

StatusServer::StatusServer(event::EventLoop& loop, Fd listener, Fd control, Limits limits, std::function<void()> stop)
    : loop_(loop),
      listener_(std::move(listener)),
      limits_(limits),
      site_(address_of(listener_)),
      patience_(loop,
                [this] {
                  log::warn("status.supervisor.silent");
                  answer_all();
                }),
      accept_again_(loop, [this] { ready(EPOLLIN); }) {
  control_ = std::make_unique<event::FrameSocket>(
      loop_, std::move(control),
      event::FrameSocket::Callbacks{.most_payload = [](std::uint8_t type) -> Result<std::size_t> {
                                      if (type == static_cast<std::uint8_t>(StatusFrame::Report)) return 0;
                                      return fail(ErrorKind::Protocol, "not a frame for a status server");
                                    },
                                    .received = [this](const event::Frame& frame) { received(frame); },
                                    .closed = [stop](const Error&) { stop(); }});
  if (!loop_.add(listener_.get(), EPOLLIN, *this)) broken("cannot watch the status listener");
}

StatusServer::~StatusServer() {
  clients_.clear();
  loop_.remove(listener_.get(), *this);
}

void StatusServer::ready(std::uint32_t) {
  for (int batch = 0; batch < 16; ++batch) {
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        accept_again_.set_after(kAcceptAgainAfter);
      return;
    }
    if (clients_.size() >= limits_.clients) {
      auto oldest = std::ranges::find_if(clients_, [](const auto& each) { return !each->gone(); });
      if (oldest == clients_.end()) return;  // all of them are leaving, at the end of this turn
      (*oldest)->leave();
    }
    auto& client = clients_.emplace_back(std::make_unique<Client>(*this, std::move(socket)));
    if (!client->start()) client->leave();
  }
}

/// Destroyed later, because its own code is still on the stack.
void StatusServer::leave(Client& client) {
  loop_.at_turn_end([this, &client] { clients_.remove_if([&](const auto& each) { return each.get() == &client; }); });
}

const Report* StatusServer::fresh_report() const {
  return report_ && Clock::now() - report_came_ < kReportAge ? &*report_ : nullptr;
}

/// Somebody waits: from the report that is there, if it is young enough, else all who wait share the next one.
void StatusServer::wants_report() {
  if (fresh_report() != nullptr) return answer_all();
  if (!patience_.is_set()) patience_.set_after(limits_.supervisor);
  if (asked_) return;  // and not again before the answer: it is the rule
  asked_ = true;
  control_->send(static_cast<std::uint8_t>(StatusFrame::Ask), ++last_id_, {});
}

void StatusServer::received(const event::Frame& frame) {
  if (frame.id != last_id_) return;
  asked_ = false;
  patience_.cancel();
  auto text = from_sealed_memory(frame.descriptor, kMostStatusReport);
  if (!text) {
    log::error("status.report.unreadable", {{"reason", text.error()}});
  } else {
    auto values = std::make_shared<const Json>(Json::parse(*text, nullptr, false));
    report_ = Report{std::move(*text), std::move(values)};
    report_came_ = Clock::now();
  }
  answer_all();
}

void StatusServer::answer_all() {
  const Report* report = fresh_report();
  for (const auto& client : clients_)
    if (client->awaits_report()) client->answer(report);
}

}  // namespace cipherway::node
