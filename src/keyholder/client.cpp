#include "keyholder/client.h"

#include "base/log.h"
#include "keyholder/client_state.h"
#include "keyholder/provider.h"

#include <algorithm>

namespace cipherway::keyholder {

std::uint32_t Client::State::new_id() {
  do ++last_id;
  while (signatures.contains(last_id) || ticket_keys.contains(last_id));
  return last_id;
}

std::uint32_t Client::State::start(PendingSignature& signature) {
  std::uint32_t id = new_id();
  signature.asked = Clock::now();
  signatures.emplace(id, &signature);
  send_signature(id, signature);
  return id;
}

event::FrameSocket* Client::State::socket_for(std::uint32_t of_generation) const {
  if (auto found = sockets.find(of_generation); found != sockets.end()) return found->second.get();
  // Not there yet, or there no more.
  return !sockets.empty() && sockets.rbegin()->first > of_generation ? newest() : nullptr;
}

void Client::State::send_signature(std::uint32_t id, const PendingSignature& signature) {
  event::FrameSocket* socket = socket_for(signature.generation);
  if (socket == nullptr) return;  // connect sends it
  payload.clear();
  Sign{signature.identity, signature.scheme, signature.statement}.encode(payload);
  socket->send(static_cast<std::uint8_t>(Request::Sign), id, payload);
}

void Client::State::send_ticket_key(std::uint32_t id, const PendingTicketKey& request) {
  if (newest() == nullptr) return;
  payload.clear();
  TicketKey{request.service, request.epoch}.encode(payload);
  newest()->send(static_cast<std::uint8_t>(Request::TicketKey), id, payload);
}

void Client::State::connect(Fd fd) {
  std::uint32_t of_generation = generation;
  sockets.erase(of_generation);
  auto socket = std::make_unique<event::FrameSocket>(
      loop, std::move(fd),
      event::FrameSocket::Callbacks{
          .most_payload = [](std::uint8_t type) -> Result<std::size_t> {
            switch (static_cast<Reply>(type)) {
              case Reply::Done:
              case Reply::Refused: return 2048;  // the signature of an 8192-bit key has 1024 bytes
            }
            return fail(ErrorKind::Protocol, "not a reply of a keyholder");
          },
          .received = [this](event::Frame frame) { received(frame); },
          .closed = [this, of_generation](const Error& error) { lost_socket(of_generation, error); }},
      // Signatures are asked for together, but not so late that the first handshake of a turn waits for the last; and a
      // keyholder that shares our core has answered by the time that it was asked.
      event::FrameSocket::When::EventEnd);
  sockets.emplace(of_generation, std::move(socket));
  // What another keyholder has been asked, and still can answer, stays with it.
  for (const auto& [id, signature] : signatures) {
    bool has_its_own = signature->generation != of_generation && sockets.contains(signature->generation);
    if (signature->state == PendingSignature::State::Waiting && !has_its_own) send_signature(id, *signature);
  }
  for (const auto& [id, request] : ticket_keys) send_ticket_key(id, request);
}

void Client::State::lost_socket(std::uint32_t of_generation, const Error& error) {
  bool was_newest = !sockets.empty() && sockets.rbegin()->first == of_generation;
  if (was_newest)
    log::warn("keyholder.lost", {{"reason", error}, {"unanswered", signatures.size() + ticket_keys.size()}});
  sockets.erase(of_generation);
  if (was_newest) {
    if (lost) lost();
    return;
  }
  // One of before has gone, as it should. Whoever still waited for it is answered by the newest, with its key.
  for (const auto& [id, signature] : signatures)
    if (signature->state == PendingSignature::State::Waiting && signature->generation == of_generation)
      send_signature(id, *signature);
}

void Client::State::received(const event::Frame& frame) {
  bool done = frame.type == static_cast<std::uint8_t>(Reply::Done);
  if (auto found = signatures.find(frame.id); found != signatures.end()) {
    PendingSignature& signature = *found->second;
    signatures.erase(found);
    sign_time.observe(Clock::now() - signature.asked);
    if (done && frame.payload.size() <= signature.room.size()) {
      std::copy(frame.payload.begin(), frame.payload.end(), signature.room.begin());
      signature.size = frame.payload.size();
      signature.state = PendingSignature::State::Signed;
    } else {
      signature.state = PendingSignature::State::Failed;
      signature.reason =
          done ? "the keyholder's signature is longer than the key's" : Refusal::decode(frame.payload).what;
    }
    signature.waiter->signature_ready();  // may destroy the waiter, and with it the signature
    return;
  }
  if (auto found = ticket_keys.find(frame.id); found != ticket_keys.end()) {
    TicketKeyCallback callback = std::move(found->second.done);
    ticket_keys.erase(found);
    if (!done)
      callback(fail(ErrorKind::Unavailable, Refusal::decode(frame.payload).what));
    else if (frame.payload.size() != kTicketKeyBytes)
      callback(fail(ErrorKind::Unavailable, "the keyholder's ticket key has not 80 bytes"));
    else
      callback(SecretBytes::copy_of(frame.payload));
  }
  // Else: the reply to something that was abandoned.
}

Client::Client(event::EventLoop& loop, Fd socket, std::function<void()> lost)
    : state_(std::make_shared<State>(loop, std::move(lost))) {
  if (socket) state_->connect(std::move(socket));
}

Client::~Client() {
  state_->closed = true;
  state_->sockets.clear();
  state_->ticket_keys.clear();
  for (auto& [id, signature] : state_->signatures) {
    signature->state = PendingSignature::State::Failed;
    signature->reason = "this process has let go of its keyholder";
  }
  state_->signatures.clear();
}

void Client::begin_generation() {
  ++state_->generation;
}

void Client::reconnect(Fd socket) {
  state_->connect(std::move(socket));
}

const Histogram& Client::sign_time() const {
  return state_->sign_time;
}

bool Client::connected() const {
  return state_->newest() != nullptr;
}

void Client::ticket_key(const std::string& service, std::uint64_t epoch, TicketKeyCallback done) {
  std::uint32_t id = state_->new_id();
  auto at = state_->ticket_keys.emplace(id, State::PendingTicketKey{service, epoch, std::move(done)}).first;
  state_->send_ticket_key(id, at->second);
}

Result<crypto::KeyHandle> Client::key_for(const std::string& identity, const crypto::KeyHandle& public_key) {
  return make_key_object(state_, identity, public_key);
}

Client::Waiting::Waiting(Client& client, SignatureWaiter& waiter)
    : client_(client), before_(std::exchange(client.state_->waiter, &waiter)) {
  ++client.state_->calls;
}

Client::Waiting::~Waiting() {
  client_.state_->waiter = before_;
}

void Client::abandon(SignatureWaiter& waiter) {
  std::erase_if(state_->signatures, [&](const auto& entry) {
    PendingSignature& signature = *entry.second;
    if (signature.waiter != &waiter) return false;
    signature.state = PendingSignature::State::Failed;
    signature.reason = "the connection was given up";
    return true;
  });
}

}  // namespace cipherway::keyholder
