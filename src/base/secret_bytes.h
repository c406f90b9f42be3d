#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>

namespace cipherway {

/// Bytes that must not leak: a key, a ticket root, a file that holds one. The memory is locked (not swapped), left
/// out of core dumps and of children, and wiped when it is released. There is no copy, no operator<<, no comparison
/// by ==, and the logger and the formatter refuse it at compile time.
///
/// Where the kernel has memfd_secret (Linux 5.14, on by default since 6.5), not even root reads it through
/// /proc/PID/mem or ptrace. A forked child has no such memory at all: it may only exec or _exit.
///
/// Each SecretBytes takes whole pages: meant for tens of secrets per process, not for one per connection.
/// Not being able to leave the memory out of dumps aborts; not being able to lock it is remembered
/// (`memory_was_locked`) and reported by the process that owns it, because small RLIMIT_MEMLOCK limits are common.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size);
  static SecretBytes copy_of(BytesView bytes);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  BytesView view() const { return {data_, size_}; }

  /// Equal contents, in time that depends on the sizes alone.
  bool equals(BytesView other) const;

  /// Whether every SecretBytes of this process could be locked in memory so far.
  static bool memory_was_locked();
  /// Whether every SecretBytes of this process is in memory that the kernel shows to nobody else (memfd_secret).
  static bool memory_was_secret();

 private:
  void release();

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Overwrites memory in a way the compiler may not remove.
void wipe(void* memory, std::size_t size);

}  // namespace cipherway
