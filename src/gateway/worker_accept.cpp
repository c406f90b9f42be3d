#include "base/log.h"
#include "gateway/worker.h"

#include <sys/resource.h>

namespace cipherway::gateway {

namespace {

constexpr std::chrono::milliseconds kAcceptAgainAfter{50};
/// What a worker needs for itself: control, keyholder, epoll, logs, boards, resolvers, checks of targets, and some to
/// spare.
constexpr std::size_t kOwnDescriptors = 24;
constexpr int kMostEvictedForRoom = 4;

}  // namespace

void Worker::accept(Door& door, Fd socket, const Address& peer) {
  Entrance& entrance = *door.entrance;
  auto arriving = std::make_unique<Connection>(*this, door.entrance, std::move(socket), peer);
  bool is_proxy = entrance.expects_proxy_header(peer);
  auto answer = entrance.admission.enter(*arriving, peer, loop_.now(),
                                         is_proxy ? Admission::For::Others : Admission::For::Itself);
  if (answer != Admission::Answer::Welcome) {
    turn_away(entrance, peer, answer);
    // Politely: this one is turned away, the rest wait in the backlog until somebody leaves.
    if (answer == Admission::Answer::Full && entrance.admission.half_open() == 0)
      door.listener->pause_for(kAcceptAgainAfter);
    return;
  }
  Connection& connection = *arriving;
  connection.position = connections_.size();
  connections_.push_back(std::move(arriving));
  while (Guest* guest = entrance.admission.overcrowding(&connection))
    static_cast<Connection*>(guest)->evict("limit", "the oldest of the source that has the most handshakes under way");
  quiet_.set_after(kQuietAfter);
  connection.start();
}

void Worker::turn_away(Entrance& entrance, const Address& peer, Admission::Answer answer) {
  const Channel* only = entrance.only();
  (only != nullptr ? only->traffic->refusals : entrance.refusals).count(word(answer));
  std::uint64_t unlogged = 0;
  if (!refusal_log_.worth_a_line(loop_.now(), unlogged)) return;
  log::warn("connection.refused", {{"channel", only != nullptr ? only->name() : std::string()},
                                   {"listen", entrance.address()},
                                   {"from", peer.is_unix() ? "unix" : peer.to_string()},
                                   {"side", "client"},
                                   {"reason", word(answer)},
                                   {"detail", explain(answer)},
                                   {"unlogged", unlogged}});
}

/// A connection takes two descriptors. One that gets only the first would have to be refused after its handshake:
/// better not to accept it, and to let it wait.
void Worker::count_room() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = 1024;
  std::size_t own = kOwnDescriptors + doors_.size();
  most_connections_ = limit.rlim_cur > own + 2 ? (limit.rlim_cur - own) / 2 : 1;
}

/// Whether another connection may be accepted. When there are no descriptors left, whoever has the most handshakes
/// under way makes room; those that relay, and those who have a single one, stay.
bool Worker::make_room() {
  for (int i = 0; i < kMostEvictedForRoom; ++i) {
    if (connections_.size() + closed_.size() < most_connections_) return true;
    if (!closed_.empty()) {
      closed_.clear();  // a listener asks, so none of them is on the stack; their descriptors are free now
      continue;
    }
    Admission* fullest = nullptr;
    for (auto& [address, door] : doors_) {
      Admission& admission = door.entrance->admission;
      if (fullest == nullptr || admission.most_half_open() > fullest->most_half_open()) fullest = &admission;
    }
    if (fullest == nullptr || fullest->most_half_open() < 2) return false;
    static_cast<Connection*>(fullest->greediest())->evict("limit", "there are no descriptors for more handshakes");
  }
  return connections_.size() + closed_.size() < most_connections_;
}

}  // namespace cipherway::gateway
