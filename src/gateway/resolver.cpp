#include "gateway/resolver.h"

#include "base/log.h"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace cipherway::gateway {

namespace {

/// One question to one server may take so long, and is asked so often. Followers are not kept waiting for it: they have
/// the last answer.
constexpr int kTimeoutMs = 2'000;
constexpr int kTries = 2;

struct CallbackState {
  Resolver* resolver;
  HostPort name;
  std::uint64_t question;
};

struct AnswerFree {
  void operator()(ares_addrinfo* answer) const { ::ares_freeaddrinfo(answer); }
};

}  // namespace

/// c-ares' own state; made before the sandbox, so it may be there before its Resolver.
struct Resolver::Channel {
  ares_channel ares = nullptr;
  Resolver* owner = nullptr;

  static Result<std::unique_ptr<Channel>> make() {
    if (int status = ::ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS)
      return fail(ErrorKind::System, std::string("start c-ares: ") + ::ares_strerror(status));
    auto channel = std::make_unique<Channel>();
    ares_options options{};
    // No files: which servers to ask, and for which names, comes from NameService.
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = kTimeoutMs;
    options.tries = kTries;
    options.ndots = 0;
    options.ndomains = 0;
    char lookups[] = "b";
    options.lookups = lookups;
    options.sock_state_cb = [](void* data, ares_socket_t fd, int readable, int writable) {
      if (Resolver* owner = static_cast<Channel*>(data)->owner) owner->socket_wanted(fd, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = channel.get();
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS |
               ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    if (int status = ::ares_init_options(&channel->ares, &options, mask); status != ARES_SUCCESS)
      return fail(ErrorKind::System, std::string("set up c-ares: ") + ::ares_strerror(status));
    return channel;
  }
  ~Channel() {
    if (ares != nullptr) ::ares_destroy(ares);
  }

  /// The one that set_up made, until a Resolver takes it.
  static std::unique_ptr<Channel>& waiting() {
    static std::unique_ptr<Channel> channel;
    return channel;
  }
};

struct Resolver::Name {
  Name(event::EventLoop& loop, const HostPort& what, std::function<void()> again)
      : name(what), timer(loop, std::move(again)) {}

  HostPort name;
  std::vector<Address> addresses;
  std::map<std::uint64_t, Changed> followers;
  event::Timer timer;
  std::vector<std::string> questions;
  std::size_t next_question = 0;
  std::string failure;         // of the questions so far
  std::uint64_t question = 0;  // the one under way, or 0
  unsigned failures = 0;       // in a row
  bool settled = false;
};

class Resolver::Socket final : public event::Watcher {
 public:
  Socket(Resolver& resolver, int fd) : resolver_(resolver), fd_(fd) {}
  void ready(std::uint32_t events) override {
    // Errors are found by reading and by writing.
    bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    int fd = fd_;  // this object may be gone before `process` returns
    resolver_.process((events & EPOLLIN) != 0 || failed ? fd : ARES_SOCKET_BAD,
                      (events & EPOLLOUT) != 0 || failed ? fd : ARES_SOCKET_BAD);
  }

 private:
  Resolver& resolver_;
  int fd_;
};

Result<void> Resolver::set_up() {
  Channel::waiting() = TRY(Channel::make());
  return {};
}

Resolver::Resolver(event::EventLoop& loop)
    : loop_(loop), channel_(nullptr), timer_(loop, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }) {
  if (!Channel::waiting()) {
    auto made = Channel::make();
    if (!made) broken("c-ares cannot be set up");
    Channel::waiting() = std::move(*made);
  }
  channel_ = Channel::waiting().release();
  channel_->owner = this;
  use(NameService::parse("", ""));
}

Resolver::~Resolver() {
  channel_->owner = nullptr;
  for (auto& [fd, socket] : sockets_) loop_.remove(fd, *socket);
  names_.clear();
  delete channel_;  // ends every question, which finds its name gone
}

void Resolver::use(NameService service) {
  if (service == service_) return;
  service_ = std::move(service);
  std::vector<Name*> again;
  for (auto& [key, name] : names_) {
    name->question = 0;  // an answer of the old servers is not waited for
    again.push_back(name.get());
  }
  ::ares_cancel(channel_->ares);
  std::string servers;
  for (const Address& server : service_.servers) servers += (servers.empty() ? "" : ",") + server.to_string();
  if (int status = ::ares_set_servers_ports_csv(channel_->ares, servers.c_str()); status != ARES_SUCCESS)
    log::error("dns.servers.refused", {{"servers", servers}, {"reason", ::ares_strerror(status)}});
  for (Name* name : again) ask(*name);
}

Resolver::Subscription Resolver::follow(const HostPort& what, Changed changed) {
  auto& name = names_[what];
  bool is_new = !name;
  if (is_new) {
    name = std::make_unique<Name>(loop_, what, [this, what] {
      if (auto found = names_.find(what); found != names_.end()) ask(*found->second);
    });
  }
  Subscription subscription;
  subscription.resolver_ = this;
  subscription.name_ = what;
  subscription.id_ = ++last_id_;
  auto told = name->followers.emplace(subscription.id_, std::move(changed)).first;
  told->second(name->addresses);
  if (is_new) ask(*name);
  return subscription;
}

void Resolver::unfollow(const HostPort& what, std::uint64_t id) {
  auto found = names_.find(what);
  if (found == names_.end()) return;
  found->second->followers.erase(id);
  if (found->second->followers.empty()) names_.erase(found);
}

Resolver::Subscription::Subscription(Subscription&& other) noexcept
    : resolver_(std::exchange(other.resolver_, nullptr)), name_(std::move(other.name_)), id_(other.id_) {}

Resolver::Subscription& Resolver::Subscription::operator=(Subscription&& other) noexcept {
  std::swap(resolver_, other.resolver_);
  std::swap(name_, other.name_);
  std::swap(id_, other.id_);
  return *this;
}

Resolver::Subscription::~Subscription() {
  if (resolver_ != nullptr) resolver_->unfollow(name_, id_);
}

void Resolver::when_settled(std::function<void()> settled) {
  settled_.push_back(std::move(settled));
  tell_if_settled();
}

void Resolver::tell_if_settled() {
  if (settled_.empty()) return;
  for (const auto& [key, name] : names_)
    if (!name->settled) return;
  std::vector<std::function<void()>> told;
  told.swap(settled_);
  for (auto& each : told) each();
}

void Resolver::ask(Name& name) {
  if (name.question != 0) return;
  if (auto known = service_.local(name.name.host, name.name.port); !known.empty())
    return accept(name, std::move(known), std::chrono::minutes(5));  // a change of the file is a reload
  name.questions = service_.questions(name.name.host);
  name.next_question = 0;
  name.failure.clear();
  ask_next(name);
}

void Resolver::ask_next(Name& name) {
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  name.question = ++last_id_;
  const std::string& host = name.questions[name.next_question++];
  auto* state = new CallbackState{this, name.name, name.question};
  // May call back before it returns.
  ::ares_getaddrinfo(
      channel_->ares, host.c_str(), nullptr, &hints,
      [](void* data, int status, int, ares_addrinfo* answer) {
        std::unique_ptr<CallbackState> asked(static_cast<CallbackState*>(data));
        std::unique_ptr<ares_addrinfo, AnswerFree> owned(answer);
        if (status == ARES_EDESTRUCTION) return;
        asked->resolver->answered(asked->name, asked->question, status, answer);
      },
      state);
  set_timer();
}

void Resolver::answered(const HostPort& what, std::uint64_t question, int status, void* result) {
  auto found = names_.find(what);
  if (found == names_.end() || found->second->question != question) return;  // nobody waits for it any more
  Name& name = *found->second;
  name.question = 0;
  std::vector<Address> addresses;
  std::int64_t time_to_live = std::numeric_limits<std::int32_t>::max();
  if (status == ARES_SUCCESS && result != nullptr) {
    const auto& answer = *static_cast<const ares_addrinfo*>(result);
    for (const ares_addrinfo_node* node = answer.nodes; node != nullptr; node = node->ai_next) {
      if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
      sockaddr_storage storage{};
      std::memcpy(&storage, node->ai_addr, std::min<std::size_t>(node->ai_addrlen, sizeof storage));
      std::uint16_t port = htons(what.port);
      if (node->ai_family == AF_INET)
        reinterpret_cast<sockaddr_in&>(storage).sin_port = port;
      else
        reinterpret_cast<sockaddr_in6&>(storage).sin6_port = port;
      addresses.push_back(Address::from_socket(storage, node->ai_addrlen));
      time_to_live = std::min<std::int64_t>(time_to_live, node->ai_ttl);
    }
    for (const ares_addrinfo_cname* alias = answer.cnames; alias != nullptr; alias = alias->next)
      time_to_live = std::min<std::int64_t>(time_to_live, alias->ttl);
  }
  if (!addresses.empty())
    return accept(name, std::move(addresses), std::chrono::seconds(std::max<std::int64_t>(time_to_live, 0)));
  if (status != ARES_SUCCESS && name.failure.empty()) name.failure = ::ares_strerror(status);
  // A server that is silent about one name will not answer about the next one.
  bool says_no = status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_SUCCESS;
  if (says_no && name.next_question < name.questions.size()) return ask_next(name);
  failed(name, name.failure.empty() ? "there is no address" : name.failure);
}

void Resolver::accept(Name& name, std::vector<Address> addresses, std::chrono::seconds time_to_live) {
  std::ranges::sort(addresses, {}, &Address::to_string);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (addresses.size() > NameService::kMostAddresses) addresses.resize(NameService::kMostAddresses);
  auto again = after_answer(time_to_live);
  bool changed = addresses != name.addresses;
  if (changed || name.failures > 0) {
    std::string text;
    for (const Address& each : addresses) text += (text.empty() ? "" : " ") + each.to_string();
    log::info("dns.resolved", {{"name", name.name.to_string()},
                               {"addresses", text},
                               {"count", addresses.size()},
                               {"ttl_s", time_to_live.count()}});
  }
  name.failures = 0;
  name.settled = true;
  name.timer.set_after(again);
  if (changed) {
    name.addresses = std::move(addresses);
    HostPort what = name.name;
    std::vector<std::uint64_t> ids;
    for (const auto& [id, follower] : name.followers) ids.push_back(id);
    for (std::uint64_t id : ids) {  // any of them may unfollow any other
      auto found = names_.find(what);
      if (found == names_.end()) break;
      auto follower = found->second->followers.find(id);
      if (follower != found->second->followers.end()) follower->second(found->second->addresses);
    }
  }
  tell_if_settled();
}

void Resolver::failed(Name& name, const std::string& reason) {
  if (name.failures++ == 0)
    log::warn("dns.failed",
              {{"name", name.name.to_string()}, {"reason", reason}, {"kept_addresses", name.addresses.size()}});
  name.settled = true;
  name.timer.set_after(after_failure(name.failures));
  tell_if_settled();
}

void Resolver::socket_wanted(int fd, bool readable, bool writable) {
  auto& socket = sockets_[fd];
  if (!readable && !writable) {
    if (socket) loop_.remove(fd, *socket);
    sockets_.erase(fd);
    return;
  }
  std::uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  bool is_new = !socket;
  if (is_new) socket = std::make_unique<Socket>(*this, fd);
  Result<void> watched = is_new ? loop_.add(fd, events, *socket) : loop_.change(fd, events, *socket);
  if (!watched) log::error("dns.socket.failed", {{"reason", watched.error()}});  // the question times out
}

void Resolver::process(int read_fd, int write_fd) {
  ::ares_process_fd(channel_->ares, read_fd, write_fd);
  set_timer();
}

void Resolver::set_timer() {
  timeval wait{};
  if (::ares_timeout(channel_->ares, nullptr, &wait) == nullptr) return timer_.cancel();
  timer_.set_after(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec) +
                   std::chrono::milliseconds(1));
}

}  // namespace cipherway::gateway
