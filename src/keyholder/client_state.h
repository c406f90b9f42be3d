#pragma once

#include "event/frame_socket.h"
#include "keyholder/client.h"
#include "keyholder/protocol.h"

#include <map>
#include <unordered_map>

namespace cipherway::keyholder {

/// A signature that was asked for. Lives on the stack of the paused ASYNC job that waits for it, and so do the bytes
/// that its views show; nothing is allocated for one.
struct PendingSignature {
  enum class State { Waiting, Signed, Failed };

  std::string_view identity;
  std::uint32_t generation = 0;  ///< of the key
  std::uint16_t scheme = 0;
  BytesView statement;
  SignatureWaiter* waiter = nullptr;
  std::span<std::uint8_t> room;  ///< where the signature goes
  std::size_t size = 0;          ///< of the signature
  State state = State::Waiting;
  Clock::time_point asked{};
  std::string reason;  ///< of the failure
};

/// What a Client shares with the key objects that OpenSSL holds: it lives as long as the last of them.
struct Client::State {
  State(event::EventLoop& l, std::function<void()> lost_callback) : loop(l), lost(std::move(lost_callback)) {}

  /// Queues a request, to be sent at the end of the loop's event or when there is a keyholder again.
  std::uint32_t start(PendingSignature& signature);
  void forget(std::uint32_t id) { signatures.erase(id); }

  void connect(Fd socket);
  void lost_socket(std::uint32_t of_generation, const Error& error);
  void received(const event::Frame& frame);
  /// Where a request for a key of this generation goes: to the keyholder that was there with it; when that one is gone,
  /// to the newest. Null: nowhere yet.
  event::FrameSocket* socket_for(std::uint32_t of_generation) const;
  event::FrameSocket* newest() const { return sockets.empty() ? nullptr : sockets.rbegin()->second.get(); }
  void send_signature(std::uint32_t id, const PendingSignature& signature);

  struct PendingTicketKey {
    std::string service;
    std::uint64_t epoch;
    TicketKeyCallback done;
  };
  void send_ticket_key(std::uint32_t id, const PendingTicketKey& request);
  std::uint32_t new_id();

  event::EventLoop& loop;
  std::function<void()> lost;
  std::uint32_t generation = 0;                                          ///< of the keys that are made now
  std::map<std::uint32_t, std::unique_ptr<event::FrameSocket>> sockets;  ///< by the generation they came with
  std::unordered_map<std::uint32_t, PendingSignature*> signatures;
  std::map<std::uint32_t, PendingTicketKey> ticket_keys;
  Bytes payload;  // of the request that is being sent; kept for its memory
  std::uint32_t last_id = 0;
  SignatureWaiter* waiter = nullptr;  // of the SSL call that is under way
  std::uint64_t calls = 0;            // of SSL functions, to notice a pause that did not pause
  bool closed = false;                // the Client is gone
  Histogram sign_time;
};

}  // namespace cipherway::keyholder
