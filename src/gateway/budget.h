#pragma once

#include <algorithm>
#include <cstddef>

namespace cipherway::gateway {

/// What the relay buffers of a worker hold over all its connections, and how much more a connection may take in. With
/// room there is no limit but the largest batch; as the budget fills, batches shrink, so that it is never exceeded; and
/// once it is used up, a connection that holds something takes nothing in before that is delivered, and one that holds
/// nothing goes on in small steps, for which there is a reserve. So slow readers stop, and everybody else passes.
class Budget {
 public:
  static constexpr std::size_t kDefault = std::size_t{256} << 20;
  /// What a connection may take in however little is left.
  static constexpr std::size_t kLeastBatch = 4096;
  /// Set aside for each connection: a least batch per direction, with the framing of its records. Half of the limit is
  /// set aside in any case, for connections that come when the rest is used up already.
  static constexpr std::size_t kReserve = 2 * (kLeastBatch + 128);
  /// No batch is larger than this part of what is free, so that what is left is shared.
  static constexpr std::size_t kPart = 32;

  explicit Budget(std::size_t limit = kDefault) : limit_(limit) {}

  void set_limit(std::size_t limit) { limit_ = limit; }
  void connection_began() { ++connections_; }
  void connection_ended() { --connections_; }
  /// A buffer that had room for `before` bytes has room for `after` now.
  void changed(std::size_t before, std::size_t after) { held_ = held_ + after - before; }

  /// How much may be read at once for a connection whose buffers hold `own` bytes; 0: nothing, before they hold none.
  std::size_t most_batch(std::size_t own) const {
    std::size_t taken = held_ + std::max(connections_ * kReserve, limit_ / 2);
    std::size_t batch = taken < limit_ ? (limit_ - taken) / kPart : 0;
    if (batch >= kLeastBatch) return batch;
    return own == 0 ? kLeastBatch : 0;
  }

  std::size_t held() const { return held_; }
  std::size_t limit() const { return limit_; }
  bool is_short() const { return most_batch(1) == 0; }

 private:
  std::size_t limit_;
  std::size_t held_ = 0;
  std::size_t connections_ = 0;
};

}  // namespace cipherway::gateway
