#pragma once

#include "gateway/budget.h"
#include "gateway/busy_endpoints.h"
#include "tls/session.h"

#include <cstdint>
#include <vector>

namespace cipherway::gateway {

/// Buffers of a worker that every connection uses while it is being served, and none keeps. Large reads are what makes
/// bulk traffic cheap, and one set of them costs nothing per connection.
struct Scratch {
  static constexpr std::size_t kMostBatch = 512 * 1024;

  explicit Scratch(event::EventLoop& loop) : busy(loop) {}

  std::vector<std::uint8_t> cipher = std::vector<std::uint8_t>(kMostBatch);
  /// A batch, and the record that began in the batch before.
  std::vector<std::uint8_t> plain = std::vector<std::uint8_t>(kMostBatch + 32 * 1024);
  tls::Output output;
  BusyEndpoints busy;
  Budget budget;  ///< for what connections keep all the same
  Bytes hello;    ///< a ClientHello that came in several records
};

}  // namespace cipherway::gateway
