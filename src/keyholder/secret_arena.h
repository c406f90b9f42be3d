#pragma once

#include <array>
#include <cstddef>

namespace cipherway::keyholder {

/// Memory for everything that OpenSSL allocates in a keyholder, since it keeps private keys, their parsed parts and
/// intermediate results in ordinary allocations: chunks of secret pages (base/secret_pages.h), free lists by size, and
/// every block wiped when it is freed. Never gives memory back, and is never destroyed. For one thread.
class SecretArena {
 public:
  /// As malloc, realloc and free; null when `size` is 0 or out of all proportion.
  void* allocate(std::size_t size);
  void* resize(void* block, std::size_t size);
  void release(void* block);

  /// Bytes of all chunks.
  std::size_t mapped() const { return mapped_; }

 private:
  struct Header;
  struct FreeBlock;
  static constexpr std::size_t kChunk = 256 * 1024;
  static constexpr std::size_t kLargestClass = 64 * 1024;
  static constexpr std::size_t kClasses = 25;

  static std::size_t class_of(std::size_t size);
  static std::size_t bytes_of(std::size_t size_class);

  std::array<FreeBlock*, kClasses> free_{};
  unsigned char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t mapped_ = 0;
};

/// Makes OpenSSL allocate from an arena of this process. Must come before any other call into OpenSSL; false if it
/// came too late.
bool install_secret_arena();

/// Runs `body` on a stack of secret pages: what a signature leaves on the stack is no more to be read than the key.
void run_on_secret_stack(void (*body)());

/// Clears the vector registers, where a key may have passed, so that a dump of the process taken while it waits does
/// not show it (x86-64 with AVX; elsewhere nothing).
void forget_registers();

}  // namespace cipherway::keyholder
