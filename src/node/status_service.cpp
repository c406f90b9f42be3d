#include "node/status_service.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace cipherway::node {

/// One connection: gets its report written as it takes it, within a few seconds.
class StatusService::Client final : public event::Watcher {
 public:
  Client(StatusService& service, Fd socket)
      : service_(service), socket_(std::move(socket)), limit_(service.loop_, [this] { end(); }) {}
  ~Client() {
    if (watched_) service_.loop_.remove(socket_.get(), *this);
  }

  void give(const std::string& report) {
    report_ = report;
    limit_.set_after(std::chrono::seconds(5));
    watched_ = service_.loop_.add(socket_.get(), EPOLLOUT, *this).has_value();
    if (!watched_) end();
  }

  void ready(std::uint32_t) override {
    while (written_ < report_.size()) {
      ssize_t put = ::send(socket_.get(), report_.data() + written_, report_.size() - written_, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EAGAIN) return;
      if (put < 0) return end();
      written_ += static_cast<std::size_t>(put);
    }
    end();
  }

 private:
  void end() {
    limit_.cancel();
    service_.loop_.at_turn_end([&service = service_, self = this] {
      service.clients_.remove_if([&](const auto& each) { return each.get() == self; });
    });
    if (watched_) service_.loop_.remove(socket_.get(), *this);
    watched_ = false;
  }

  StatusService& service_;
  Fd socket_;
  event::Timer limit_;
  std::string report_;
  std::size_t written_ = 0;
  bool watched_ = false;
};

StatusService::StatusService(event::EventLoop& loop, Fd listener, Sources sources)
    : loop_(loop), listener_(std::move(listener)), sources_(std::move(sources)), patience_(loop, [this] { finish(); }) {
  if (!loop_.add(listener_.get(), EPOLLIN, *this)) broken("cannot watch the control socket");
}

StatusService::~StatusService() {
  loop_.remove(listener_.get(), *this);
}

void StatusService::ready(std::uint32_t) {
  for (;;) {
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) break;
    if (clients_.size() >= kMostClients) continue;  // closed unanswered
    Client* client = clients_.emplace_back(std::make_unique<Client>(*this, std::move(socket))).get();
    ask([client](const std::string& report) { client->give(report); });
  }
}

void StatusService::ask(Receive receive) {
  waiting_.push_back(std::move(receive));
  if (asked_.empty()) begin();
}

void StatusService::begin() {
  asked_.swap(waiting_);
  workers_.clear();
  keyholder_.reset();
  missing_ = sources_.ask(++round_);
  if (missing_ == 0) return finish();
  patience_.set_after(kPatience);
}

void StatusService::worker_answered(std::uint32_t id, unsigned index, std::string json) {
  if (id != round_ || asked_.empty()) return;
  if (!workers_.emplace(index, std::move(json)).second) return;
  one_answer();
}

void StatusService::keyholder_answered(std::uint32_t id, Result<keyholder::Status> status) {
  if (id != round_ || asked_.empty()) return;
  if (status) keyholder_ = std::move(*status);
  one_answer();
}

void StatusService::one_answer() {
  if (missing_ > 0 && --missing_ == 0) finish();
}

void StatusService::finish() {
  patience_.cancel();
  std::string report = status_report(sources_.facts(), workers_, keyholder_);
  for (Receive& receive : std::exchange(asked_, {})) receive(report);
  if (!waiting_.empty() && asked_.empty()) begin();
}

}  // namespace cipherway::node
