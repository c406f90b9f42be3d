// Stands in for a gateway worker and for a keyholder in the supervisor's tests: speaks their protocols (control.h,
// protocol.h) and holds no key. What it does wrong is asked for by files in the folder of the config: "refuse-config",
// "never-drain"; a key file whose text begins with "bad" cannot be loaded.
#include "base/log.h"
#include "base/sealed.h"
#include "config/snapshot.h"
#include "event/frame_socket.h"
#include "gateway/control.h"
#include "keyholder/protocol.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

namespace cipherway::node {
namespace {

/// Greets whoever connects with the channel's name.
class Greeter final : public event::Watcher {
 public:
  Greeter(event::EventLoop& loop, Fd listener, std::string channel)
      : loop_(loop), listener_(std::move(listener)), channel_(std::move(channel)) {
    if (!loop_.add(listener_.get(), EPOLLIN, *this)) std::abort();
  }
  ~Greeter() { loop_.remove(listener_.get(), *this); }
  void ready(std::uint32_t) override {
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket) ::send(socket.get(), channel_.data(), channel_.size(), MSG_NOSIGNAL);
  }

 private:
  event::EventLoop& loop_;
  Fd listener_;
  std::string channel_;
};

class FakeWorker {
 public:
  explicit FakeWorker(event::EventLoop& loop, std::string index)
      : loop_(loop),
        index_(std::move(index)),
        end_(loop, [] { ::_exit(1); }),
        control_(loop, Fd(gateway::kControlDescriptor),
                 {.most_payload = [](std::uint8_t) -> Result<std::size_t> { return event::FrameSocket::kMostPayload; },
                  .received = [this](event::Frame frame) { received(std::move(frame)); },
                  .closed = [](const Error&) { ::_exit(0); }}) {}

 private:
  void answer(gateway::Answer type, std::uint32_t id, std::string_view payload, Fd fd = {}) {
    control_.send(static_cast<std::uint8_t>(type), id, as_bytes(payload), std::move(fd));
  }
  bool asked_to(const char* what) const { return ::access((directory_ + "/" + what).c_str(), F_OK) == 0; }

  void received(event::Frame frame) {
    switch (static_cast<gateway::Order>(frame.type)) {
      case gateway::Order::Board: break;
      case gateway::Order::Listener:
        listeners_[std::string(as_text(frame.payload))] = std::move(frame.descriptor);
        return;
      case gateway::Order::Configure: {
        auto snapshot = config::Snapshot::from_sealed_fd(frame.descriptor);
        if (!snapshot) return answer(gateway::Answer::Configured, frame.id, snapshot.error().what);
        directory_ = snapshot->directory;
        if (asked_to("refuse-config")) return answer(gateway::Answer::Configured, frame.id, "asked to refuse");
        auto decoded = config::decode(snapshot->text, snapshot->file, snapshot->directory);
        std::map<std::string, std::unique_ptr<Greeter>> next;
        for (const auto& channel : decoded.node->channels) {
          std::string address = channel.from.listen.value.to_string();
          if (auto fresh = listeners_.find(address); fresh != listeners_.end())
            next[address] = std::make_unique<Greeter>(loop_, std::move(fresh->second), channel.name.value);
          else
            next[address] = std::move(greeters_[address]);
        }
        listeners_.clear();
        greeters_ = std::move(next);
        return answer(gateway::Answer::Configured, frame.id, "");
      }
      case gateway::Order::NewKeyholder: {
        auto pair = stream_pair();
        keyholder_ = std::make_unique<event::FrameSocket>(
            loop_, std::move(pair->ours),
            event::FrameSocket::Callbacks{
                .most_payload = [](std::uint8_t) -> Result<std::size_t> { return 1024; },
                .received = [](const event::Frame&) {},
                .closed = [this](const Error&) { answer(gateway::Answer::KeyholderLost, 0, ""); }});
        return answer(gateway::Answer::Keyholder, frame.id, "", std::move(pair->theirs));
      }
      case gateway::Order::Drain: {
        greeters_.clear();
        if (!asked_to("never-drain")) {  // as a real one: its socket goes first, its exit code comes later
          ::close(gateway::kControlDescriptor);
          ::usleep(50'000);
          ::_exit(0);
        }
        std::uint32_t most = *ByteReader(frame.payload).u32();
        return end_.set_after(std::chrono::milliseconds(most));
      }
      case gateway::Order::AreYouAlive: return answer(gateway::Answer::Alive, frame.id, "");
      case gateway::Order::ReportStatus:
        return answer(
            gateway::Answer::Status, frame.id, "",
            std::move(*to_sealed_memory(
                "report",
                as_bytes(R"({"worker":)" + index_ +
                         R"(,"channels":[{"name":"in","open":1,"total":2}],"keys":[{"key":"a","lifetime":"b"}]})"))));
    }
  }

  event::EventLoop& loop_;
  std::string index_;
  std::string directory_;
  event::Timer end_;
  std::map<std::string, Fd> listeners_;
  std::map<std::string, std::unique_ptr<Greeter>> greeters_;
  std::unique_ptr<event::FrameSocket> keyholder_;
  event::FrameSocket control_;
};

class FakeKeyholder {
 public:
  explicit FakeKeyholder(event::EventLoop& loop)
      : socket_(loop, Fd(keyholder::kSupervisorDescriptor),
                {.most_payload = [](std::uint8_t) -> Result<std::size_t> { return event::FrameSocket::kMostPayload; },
                 .received = [this](event::Frame frame) { received(std::move(frame)); },
                 .closed = [](const Error&) { ::_exit(0); }}) {
    status_.pid = ::getpid();
  }

 private:
  void reply(std::uint32_t id, BytesView payload, bool done = true) {
    auto type = done ? keyholder::Reply::Done : keyholder::Reply::Refused;
    socket_.send(static_cast<std::uint8_t>(type), id, payload);
  }

  void received(event::Frame frame) {
    switch (static_cast<keyholder::Request>(frame.type)) {
      case keyholder::Request::LoadIdentity: {
        auto load = keyholder::LoadIdentity::decode(frame.payload);
        auto text = read_file(load->key_path, 1000);
        if (!text || text->starts_with("bad"))
          return reply(frame.id, keyholder::Refusal::encode(Error{ErrorKind::Invalid, "not this certificate's key"}),
                       false);
        status_.identities.push_back({.name = load->name});
        return reply(frame.id, {});
      }
      case keyholder::Request::Seal: status_.sealed = true; return reply(frame.id, {});
      case keyholder::Request::Admit: {
        auto admit = keyholder::Admit::decode(frame.payload);
        status_.peers.push_back({.pid = admit->pid, .uid = admit->uid});
        status_.services = admit->services;
        peers_.push_back(std::move(frame.descriptor));
        return reply(frame.id, {});
      }
      case keyholder::Request::Status: return reply(frame.id, status_.encode());
      default: std::abort();
    }
  }

  keyholder::Status status_;
  std::vector<Fd> peers_;
  event::FrameSocket socket_;
};

}  // namespace
}  // namespace cipherway::node

int main(int count, char** values) {
  using namespace cipherway;
  event::EventLoop loop;
  if (count > 3 && std::strcmp(values[1], "gateway-worker") == 0) {
    node::FakeWorker worker(loop, values[3]);
    loop.run();
  }
  node::FakeKeyholder keyholder(loop);
  loop.run();
}
