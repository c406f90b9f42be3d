// Frames from a peer that says what it likes, into a keyholder: it never crashes, answers no peer beyond the table, and
// signs nothing that is not a TLS statement. Input: a byte that says who speaks, and the bytes of the socket.
#include "base/log.h"
#include "crypto/signature.h"
#include "keyholder/holder.h"
#include "keyholder/ticket_epoch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

using cipherway::broken;
using cipherway::Bytes;
using cipherway::BytesView;
using cipherway::Error;
using cipherway::Fd;
using cipherway::Result;
using cipherway::SecretBytes;
using cipherway::SocketPair;
using cipherway::event::EventLoop;
using cipherway::event::FrameSocket;
namespace crypto = cipherway::crypto;
namespace keyholder = cipherway::keyholder;

namespace {

enum class Speaker : std::uint8_t { Worker, WorkerWithTls12, LoadingSupervisor, ServingSupervisor };

constexpr std::uint8_t kCarriesDescriptor = 0x80;
constexpr auto kNow = 500'000 * keyholder::kTicketEpoch;  // so that an input means the same tomorrow

void must(bool condition, const char* what) {
  if (!condition) broken(what);
}

/// One frame as it stands in a stream of them.
struct Cut {
  std::uint8_t type;
  std::uint32_t id;
  BytesView payload;
};

std::vector<Cut> cut(BytesView stream) {
  std::vector<Cut> frames;
  cipherway::ByteReader reader(stream);
  for (;;) {
    auto length = reader.u32();
    auto type = reader.u8();
    auto id = reader.u32();
    if (!length || !type || !id) return frames;
    auto payload = reader.bytes(*length);
    if (!payload) return frames;
    frames.push_back({*type, *id, *payload});
  }
}

/// What is signed must look like this; written apart from statement.cpp on purpose.
bool is_a_tls_statement(BytesView bytes, bool tls12) {
  auto begins_with = [&](std::size_t at, std::string_view text) {
    return bytes.size() >= at + text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
  };
  std::string padding(64, ' ');
  for (std::string_view side : {"server", "client"}) {
    std::string head = padding + "TLS 1.3, " + std::string(side) + " CertificateVerify" + '\0';
    if (begins_with(0, head) && (bytes.size() == head.size() + 32 || bytes.size() == head.size() + 48)) return true;
  }
  if (!tls12) return false;
  constexpr std::string_view kX25519("\x03\x00\x1d\x20", 4), kP256("\x03\x00\x17\x41\x04", 5),
      kP384("\x03\x00\x18\x61\x04", 5);
  return (begins_with(64, kX25519) && bytes.size() == 100) || (begins_with(64, kP256) && bytes.size() == 133) ||
         (begins_with(64, kP384) && bytes.size() == 165) ||
         (begins_with(0, std::string_view("\x01\x00", 2)) && begins_with(4, "\x03\x03"));
}

const std::vector<std::string>& names() {
  static const std::vector<std::string> both{"shop", "bank"};
  return both;
}

const crypto::KeyHandle& key() {
  static const crypto::KeyHandle made = *crypto::generate_key(crypto::KeyType::Ed25519);
  return made;
}

/// A keyholder whose supervisor is this test.
class Keyholder {
 public:
  explicit Keyholder(EventLoop& loop) : loop_(loop) {
    SocketPair pair = *cipherway::stream_pair();
    supervisor = std::move(pair.ours);
    holder_ = std::make_unique<keyholder::Holder>(
        loop, std::move(pair.theirs),
        keyholder::Holder::Surroundings{
            .read_key_file = [](const std::string&) -> Result<SecretBytes> {
              return *crypto::private_key_to_pem(key());
            },
            .seal = [](const keyholder::Seal&) -> Result<keyholder::Holder::Sandbox> { return {}; },
            .now = [] { return cipherway::WallClock::time_point(kNow); },
            .ended = [this](const Error&) { ended = true; }});
  }

  void turn() {
    for (int i = 0; i < 6; ++i) loop_.turn(std::chrono::milliseconds(0));
  }

  void ask(keyholder::Request request, BytesView payload, const Fd& descriptor = {}) {
    Bytes frame;
    cipherway::ByteWriter writer(frame);
    writer.u32(static_cast<std::uint32_t>(payload.size()));
    writer.u8(static_cast<std::uint8_t>(static_cast<unsigned>(request) | (descriptor ? kCarriesDescriptor : 0U)));
    writer.u32(1);
    writer.bytes(payload);
    send(supervisor, frame, descriptor);
    turn();
    Bytes reply = receive(supervisor);
    must(reply.size() > 4 && reply[4] == static_cast<std::uint8_t>(keyholder::Reply::Done),
         "the supervisor is refused");
  }

  void serve() {
    Bytes public_key = *crypto::public_key_der(key().get());
    for (const std::string& name : names())
      ask(keyholder::Request::LoadIdentity, keyholder::LoadIdentity{name, "/key", public_key}.encode());
    ask(keyholder::Request::Seal, keyholder::Seal{}.encode());
  }

  /// This process's end of a new peer's socket.
  Fd admit(bool tls12) {
    SocketPair pair = *cipherway::stream_pair();
    keyholder::Admit admit{::getpid(), ::geteuid(), keyholder::Role::Gateway, tls12, {"shop"}, {"web"}};
    ask(keyholder::Request::Admit, admit.encode(), pair.theirs);
    return std::move(pair.ours);
  }

  static void send(const Fd& socket, BytesView bytes, const Fd& descriptor) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      int number = descriptor.get();
      std::memcpy(CMSG_DATA(header), &number, sizeof number);
    }
    ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  }

  static Bytes receive(const Fd& socket) {
    static Bytes piece(64 * 1024);
    Bytes all;
    for (ssize_t got; (got = ::recv(socket.get(), piece.data(), piece.size(), 0)) > 0;)
      all.insert(all.end(), piece.begin(), piece.begin() + got);
    return all;
  }

  keyholder::Status status() const { return holder_->status(); }

  Fd supervisor;
  bool ended = false;

 private:
  EventLoop& loop_;
  std::unique_ptr<keyholder::Holder> holder_;
};

void check_worker(Keyholder& serving, bool tls12, BytesView stream) {
  Fd worker = serving.admit(tls12);
  Keyholder::send(worker, stream, {});
  serving.turn();
  Bytes answers = Keyholder::receive(worker);
  std::vector<Cut> asked = cut(stream);
  for (const Cut& answer : cut(answers)) {
    if (answer.type != static_cast<std::uint8_t>(keyholder::Reply::Done)) {
      must(answer.type == static_cast<std::uint8_t>(keyholder::Reply::Refused), "an answer is Done or Refused");
      continue;
    }
    bool explained = std::any_of(asked.begin(), asked.end(), [&](const Cut& request) {
      if (request.id != answer.id) return false;
      if (request.type == static_cast<std::uint8_t>(keyholder::Request::TicketKey)) {
        auto ticket = keyholder::TicketKey::decode(request.payload);
        return ticket && ticket->service == "web" && answer.payload.size() == keyholder::kTicketKeyBytes;
      }
      if (request.type != static_cast<std::uint8_t>(keyholder::Request::Sign)) return false;
      auto sign = keyholder::Sign::decode(request.payload);
      return sign && sign->identity == "shop" && is_a_tls_statement(sign->statement, tls12) &&
             crypto::verify(key().get(), crypto::SignatureScheme::Ed25519, sign->statement, answer.payload);
    });
    must(explained, "a worker was given something that it may not have");
  }
  must(!serving.ended, "a worker ends the keyholder");
  worker.reset();
  serving.turn();
  must(serving.status().peers.empty(), "a peer without a socket is still there");
}

void check_supervisor(EventLoop& loop, bool serving, BytesView stream) {
  Keyholder fresh(loop);
  Bytes bytes(stream.begin(), stream.end());
  Fd descriptor;
  if (serving) {
    fresh.ask(keyholder::Request::Seal, keyholder::Seal{}.encode());
    // An Admit that names us comes with a socket of ours: the input cannot know who we are.
    if (bytes.size() >= 17 && bytes[4] == (static_cast<unsigned>(keyholder::Request::Admit) | kCarriesDescriptor)) {
      Bytes who;
      cipherway::ByteWriter writer(who);
      writer.u32(static_cast<std::uint32_t>(::getpid()));
      writer.u32(::geteuid());
      std::copy(who.begin(), who.end(), bytes.begin() + FrameSocket::kHeaderBytes);
      SocketPair pair = *cipherway::stream_pair();
      descriptor = std::move(pair.theirs);
    }
  }
  Keyholder::send(fresh.supervisor, bytes, descriptor);
  fresh.turn();
  keyholder::Status status = fresh.status();
  must(!serving || status.identities.empty(), "something was loaded after Seal");
  must(status.sealed || status.peers.empty(), "somebody was admitted before Seal");
  auto again = keyholder::Status::decode(status.encode());
  must(again && again->encode() == status.encode(), "a status that is written and read is the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = [] {
    static const Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    cipherway::log::set_output(nowhere.get());
    return true;
  }();
  static EventLoop loop;
  static Keyholder serving(loop);
  static const bool served = (serving.serve(), true);
  if (size == 0 || size > FrameSocket::kMostPayload || !quiet || !served) return 0;
  BytesView stream(data + 1, size - 1);
  switch (static_cast<Speaker>(data[0] % 4)) {
    case Speaker::Worker: check_worker(serving, false, stream); break;
    case Speaker::WorkerWithTls12: check_worker(serving, true, stream); break;
    case Speaker::LoadingSupervisor: check_supervisor(loop, false, stream); break;
    case Speaker::ServingSupervisor: check_supervisor(loop, true, stream); break;
  }
  return 0;
}
