#pragma once

#include "base/address.h"
#include "event/event_loop.h"

#include <list>
#include <memory>
#include <string>
#include <string_view>

namespace cipherway::lab {

/// Process C, who only listens: a place on the path that hands every byte on and keeps a copy. It stands where a switch
/// port mirror or a tapped line would, and needs no privileges: whoever should be recorded is told its address instead
/// of the real one. Lives in the process that measures.
class Recorder final : public event::Watcher {
 public:
  /// A recording has an end: a flow that would make it longer than this is cut.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;

  /// Listens on `address` (port 0: one that is free) and connects each that comes to `forward_to`.
  static Result<std::unique_ptr<Recorder>> start(event::EventLoop& loop, const Address& address,
                                                 const Address& forward_to);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  const Address& address() const { return address_; }

  /// Whether `text` stands anywhere in what passed, in either direction of any connection: found also where it was
  /// split over packets.
  bool saw(std::string_view text) const;
  std::size_t bytes() const { return bytes_; }
  std::size_t connections() const { return connections_; }
  /// Starts the recording anew; connections go on.
  void forget();

  void ready(std::uint32_t events) override;  ///< somebody connected

 private:
  class Flow;
  Recorder(event::EventLoop& loop, Address address, Address forward_to, Fd listener);

  event::EventLoop& loop_;
  Address address_;
  Address forward_to_;
  Fd listener_;
  std::list<std::unique_ptr<Flow>> flows_;
  std::list<std::string> streams_;  // one a direction of a connection; flows append to theirs
  std::size_t bytes_ = 0;
  std::size_t connections_ = 0;
};

}  // namespace cipherway::lab
