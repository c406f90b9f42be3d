#include "tls/wiping_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace cipherway::tls {

namespace {

void* allocate(std::size_t size, const char*, int) {
  return std::malloc(size);
}

void release(void* block, const char*, int) {
  if (block == nullptr) return;
  ::explicit_bzero(block, ::malloc_usable_size(block));
  std::free(block);
}

/// What realloc leaves behind when it moves a block would not be wiped, so it is not used.
void* resize(void* block, std::size_t size, const char* file, int line) {
  if (block == nullptr) return std::malloc(size);
  std::size_t before = ::malloc_usable_size(block);
  if (size > 0 && size <= before && size >= before / 2) return block;
  void* moved = size > 0 ? std::malloc(size) : nullptr;
  if (size > 0 && moved == nullptr) return nullptr;
  if (moved != nullptr) std::memcpy(moved, block, std::min(before, size));
  release(block, file, line);
  return moved;
}

}  // namespace

bool wipe_freed_memory() {
  return CRYPTO_set_mem_functions(&allocate, &resize, &release) == 1;
}

}  // namespace cipherway::tls
