#pragma once

#include "crypto/key.h"
#include "keyholder/client.h"
#include "keyholder/holder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

namespace cipherway::keyholder {

/// For tests: a Holder without a process, served on the test's own loop, and its supervisor's end of the socket.
/// Key files are a map in memory.
class TestKeyholder {
 public:
  struct Reply {
    std::uint8_t type;
    Bytes payload;
    bool done() const { return type == static_cast<std::uint8_t>(keyholder::Reply::Done); }
    std::string refusal() const { return done() ? "" : Refusal::decode(payload).what; }
  };

  explicit TestKeyholder(event::EventLoop& loop) : loop_(loop) {
    SocketPair pair = *stream_pair();
    holder = std::make_unique<Holder>(loop, std::move(pair.theirs),
                                      Holder::Surroundings{
                                          .read_key_file = [this](const std::string& path) -> Result<SecretBytes> {
                                            auto found = files.find(path);
                                            if (found == files.end())
                                              return fail(ErrorKind::NotFound, "open key file " + path);
                                            return SecretBytes::copy_of(found->second.view());
                                          },
                                          .seal = [this](const Seal&) -> Result<Holder::Sandbox> {
                                            if (seal_fails) return fail(ErrorKind::System, "no sandbox");
                                            return Holder::Sandbox{true, 1};
                                          },
                                          .now = [this] { return now; },
                                          .ended = [this](Error error) { ended = std::move(error); },
                                      });
    supervisor = std::make_unique<event::FrameSocket>(
        loop, std::move(pair.ours),
        event::FrameSocket::Callbacks{
            .most_payload = [](std::uint8_t) -> Result<std::size_t> { return event::FrameSocket::kMostPayload; },
            .received =
                [this](event::Frame frame) {
                  replies[frame.id] = {frame.type, Bytes(frame.payload.begin(), frame.payload.end())};
                },
            .closed = [this](const Error&) { supervisor_closed = true; }});
  }

  /// Asks as the supervisor and waits for the answer; none if the socket was closed instead.
  std::optional<Reply> ask(Request request, BytesView payload, Fd descriptor = {}) {
    std::uint32_t id = ++last_id_;
    supervisor->send(static_cast<std::uint8_t>(request), id, payload, std::move(descriptor));
    for (int i = 0; i < 50 && !replies.contains(id) && !supervisor_closed; ++i)
      loop_.turn(std::chrono::milliseconds(1));
    if (!replies.contains(id)) return std::nullopt;
    return replies[id];
  }

  std::optional<Reply> load(const std::string& name, const crypto::KeyHandle& key) {
    files[name + ".key"] = *crypto::private_key_to_pem(key);
    return ask(Request::LoadIdentity, LoadIdentity{name, name + ".key", *crypto::public_key_der(key.get())}.encode());
  }

  std::optional<Reply> seal() { return ask(Request::Seal, Seal{}.encode()); }

  std::optional<Reply> admit(Admit request, Fd socket) {
    return ask(Request::Admit, request.encode(), std::move(socket));
  }

  /// Admits this very process as a gateway and gives back its end of the socket.
  Fd admit_gateway(std::vector<std::string> identities, std::vector<std::string> services = {}, bool tls12 = false) {
    SocketPair pair = *stream_pair();
    auto reply = admit({::getpid(), ::geteuid(), Role::Gateway, tls12, std::move(identities), std::move(services)},
                       std::move(pair.theirs));
    EXPECT_TRUE(reply && reply->done()) << (reply ? reply->refusal() : "closed");
    return std::move(pair.ours);
  }

  std::unique_ptr<Holder> holder;
  std::unique_ptr<event::FrameSocket> supervisor;
  std::map<std::string, SecretBytes> files;
  std::map<std::uint32_t, Reply> replies;
  std::optional<Error> ended;
  WallClock::time_point now = WallClock::now();
  bool seal_fails = false;
  bool supervisor_closed = false;

 private:
  event::EventLoop& loop_;
  std::uint32_t last_id_ = 0;
};

}  // namespace cipherway::keyholder
