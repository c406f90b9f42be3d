#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cipherway {

/// Counts how long something took, in fixed buckets of the form 1-2-5 from 50 microseconds to 10 seconds: what a
/// Prometheus histogram needs. Observing is a few comparisons and two additions; nothing is allocated.
class Histogram {
 public:
  /// The upper bounds of all buckets but the last, which has none.
  static constexpr std::array<std::uint32_t, 17> kBoundsUs = {
      50,     100,     200,     500,     1'000,     2'000,     5'000,     10'000,    20'000,
      50'000, 100'000, 200'000, 500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000};
  static constexpr std::size_t kBuckets = kBoundsUs.size() + 1;

  void observe(std::chrono::nanoseconds took) {
    std::int64_t signed_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    auto us = static_cast<std::uint64_t>(signed_us < 0 ? 0 : signed_us);
    std::size_t bucket = 0;
    while (bucket < kBoundsUs.size() && us > kBoundsUs[bucket]) ++bucket;
    ++counts_[bucket];
    sum_us_ += us;
  }

  /// Observations a bucket, not added up.
  const std::array<std::uint64_t, kBuckets>& counts() const { return counts_; }
  std::uint64_t sum_us() const { return sum_us_; }
  std::uint64_t total() const {
    std::uint64_t all = 0;
    for (std::uint64_t count : counts_) all += count;
    return all;
  }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t sum_us_ = 0;
};

}  // namespace cipherway
