#include "keyholder/secret_arena.h"

#include "base/error.h"
#include "base/secret_bytes.h"
#include "base/secret_pages.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

namespace cipherway::keyholder {

/// Before each block; keeps blocks aligned as malloc does.
struct alignas(16) SecretArena::Header {
  std::size_t size;        // of the block, less this header
  std::size_t size_class;  // kClasses: pages of its own
};

struct SecretArena::FreeBlock {
  FreeBlock* next;
};

// Classes: 16, 24 -> 32, 48, 64, 96, 128, 192, ... 65536: a power of two and one and a half times it, in turn.
std::size_t SecretArena::bytes_of(std::size_t size_class) {
  if (size_class == 0) return 16;
  std::size_t power = std::size_t{32} << ((size_class - 1) / 2);
  return (size_class - 1) % 2 == 0 ? power : power + power / 2;
}

std::size_t SecretArena::class_of(std::size_t size) {
  if (size <= 16) return 0;
  if (size <= 32) return 1;
  std::size_t power = std::bit_floor(size - 1);  // power < size <= 2 * power
  auto doublings = static_cast<std::size_t>(std::countr_zero(power)) - 5;
  return 1 + 2 * doublings + (size <= power + power / 2 ? 1 : 2);
}

void* SecretArena::allocate(std::size_t size) {
  if (size == 0 || size > PTRDIFF_MAX) return nullptr;
  if (size > kLargestClass) {
    void* pages = map_secret_pages(sizeof(Header) + size);
    mapped_ += sizeof(Header) + size;
    return new (pages) Header{size, kClasses} + 1;
  }
  std::size_t size_class = class_of(size);
  if (FreeBlock* block = free_[size_class]) {
    free_[size_class] = block->next;
    block->next = nullptr;
    return block;
  }
  std::size_t bytes = bytes_of(size_class);
  if (left_ < sizeof(Header) + bytes) {  // what is left of the old chunk stays unused: at most a quarter of it
    next_ = static_cast<unsigned char*>(map_secret_pages(kChunk));
    left_ = kChunk;
    mapped_ += kChunk;
  }
  auto* header = new (next_) Header{bytes, size_class};
  next_ += sizeof(Header) + bytes;
  left_ -= sizeof(Header) + bytes;
  return header + 1;
}

void SecretArena::release(void* block) {
  if (block == nullptr) return;
  Header* header = static_cast<Header*>(block) - 1;
  wipe(block, header->size);
  if (header->size_class == kClasses) {
    std::size_t whole = sizeof(Header) + header->size;
    mapped_ -= whole;
    unmap_secret_pages(header, whole);
    return;
  }
  FreeBlock*& first = free_[header->size_class];
  first = new (block) FreeBlock{first};
}

void* SecretArena::resize(void* block, std::size_t size) {
  if (block == nullptr) return allocate(size);
  if (size == 0) {
    release(block);
    return nullptr;
  }
  std::size_t old_size = (static_cast<Header*>(block) - 1)->size;
  if (size <= old_size && class_of(size) == class_of(old_size)) return block;
  void* moved = allocate(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(size, old_size));
  release(block);
  return moved;
}

namespace {

SecretArena& process_arena() {
  // Never destroyed: OpenSSL frees what it has after our destructors ran.
  alignas(SecretArena) static unsigned char room[sizeof(SecretArena)];
  static auto* arena = new (room) SecretArena;
  return *arena;
}

void* arena_malloc(std::size_t size, const char*, int) {
  return process_arena().allocate(size);
}
void* arena_realloc(void* block, std::size_t size, const char*, int) {
  return process_arena().resize(block, size);
}
void arena_free(void* block, const char*, int) {
  process_arena().release(block);
}

}  // namespace

bool install_secret_arena() {
  return CRYPTO_set_mem_functions(&arena_malloc, &arena_realloc, &arena_free) == 1;
}

void run_on_secret_stack(void (*body)()) {
#ifdef CIPHERWAY_SANITIZED
  body();  // the runtimes know one stack a thread
#else
  constexpr std::size_t kStack = 512 * 1024;
  constexpr std::size_t kGuard = 4096;
  void* stack = map_secret_pages(kStack);
  if (::mprotect(stack, kGuard, PROT_NONE) != 0) broken("cannot guard the stack");
  ucontext_t before{}, on_stack{};
  if (::getcontext(&on_stack) != 0) broken("cannot make a stack");
  on_stack.uc_stack.ss_sp = stack;
  on_stack.uc_stack.ss_size = kStack;
  on_stack.uc_link = &before;
  ::makecontext(&on_stack, body, 0);
  if (::swapcontext(&before, &on_stack) != 0) broken("cannot change the stack");
  ::munmap(stack, kStack);
#endif
}

void forget_registers() {
#if defined(__x86_64__)
  // VZEROALL clears registers 0 to 15 in their whole width; 16 to 31 exist with AVX-512 alone.
  static const bool has_avx = __builtin_cpu_supports("avx");
  static const bool has_avx512 = __builtin_cpu_supports("avx512f");
  if (has_avx)
    asm volatile("vzeroall" ::
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15");
  if (has_avx512)
    asm volatile(
        ".irp register, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
        "vpxorq %%zmm\\register, %%zmm\\register, %%zmm\\register\n\t"
        ".endr" ::);
#endif
}

}  // namespace cipherway::keyholder
