#pragma once

#include "base/clock.h"
#include "event/frame_socket.h"
#include "keyholder/protocol.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace cipherway::keyholder {

/// The keyholder itself: identities, peers, phases, and the table of what each peer may ask (kRules in holder.cpp; as a
/// page: docs/guide/keyholder.md). It has no sandbox and no process of its own, so that tests can hold it in their
/// hand; keyholder_main.cpp puts it into both.
///
/// A request that the table does not list, or does not allow to this peer in this phase, ends the peer. So does asking
/// for what the peer was not admitted for, and a statement that is not one to sign: our own workers never do either, so
/// the peer is not our worker any more. Everything refused is logged as `keyholder.refused`.
class Holder {
 public:
  enum class Phase { Loading, Serving };

  /// What sealing achieved; part of Status.
  struct Sandbox {
    bool syscalls_restricted = false;
    std::uint8_t landlock_version = 0;
  };

  /// The process around the holder, or a test's idea of one.
  struct Surroundings {
    std::function<Result<SecretBytes>(const std::string& path)> read_key_file;
    /// Puts the process into its sandbox. A failure ends the holder: it must not serve outside.
    std::function<Result<Sandbox>(const Seal& request)> seal;
    std::function<WallClock::time_point()> now = &WallClock::now;
    /// The supervisor closed its socket, broke the rules, or sealing failed. Called once; nothing is served after it.
    std::function<void(Error)> ended;
  };

  Holder(event::EventLoop& loop, Fd supervisor, Surroundings surroundings);
  ~Holder();
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  Phase phase() const { return phase_; }
  Status status() const;

  /// The table as the Markdown that docs/guide/keyholder.md shows.
  static std::string rules_as_markdown();

 private:
  enum class From : std::uint8_t { Supervisor, Gateway };
  struct Identity;
  struct Peer;
  struct Refused {
    Error error;
    bool ends_peer = false;
  };
  using Outcome = std::expected<void, Refused>;
  using Handler = Outcome (Holder::*)(Peer&, event::Frame&);
  struct Rule {
    Request request;
    From from;
    Phase phase;
    std::size_t most_bytes;
    bool with_descriptor;
    Handler handler;
    std::string_view purpose;
  };
  static const Rule kRules[];

  static const Rule* rule_for(std::uint8_t type, From from);
  Result<std::size_t> most_payload(const Peer& peer, std::uint8_t type) const;
  void received(Peer& peer, event::Frame frame);
  void drop(Peer& peer, const Error& why);
  void end(Error why);
  std::unique_ptr<Peer> make_peer(From from, Fd socket);

  Outcome load_identity(Peer& from, event::Frame& frame);
  Outcome seal(Peer& from, event::Frame& frame);
  Outcome admit(Peer& from, event::Frame& frame);
  Outcome report_status(Peer& from, event::Frame& frame);
  Outcome sign_statement(Peer& from, event::Frame& frame);
  Outcome derive_ticket_key(Peer& from, event::Frame& frame);

  event::EventLoop& loop_;
  Surroundings surroundings_;
  Phase phase_ = Phase::Loading;
  Sandbox sandbox_;
  SecretBytes ticket_root_;
  std::map<std::string, std::unique_ptr<Identity>, std::less<>> identities_;
  std::map<const Peer*, std::unique_ptr<Peer>> peers_;
  std::unique_ptr<Peer> supervisor_;
  std::uint64_t peers_dropped_ = 0;
  bool ended_ = false;
};

}  // namespace cipherway::keyholder
