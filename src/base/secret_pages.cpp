#include "base/secret_pages.h"

#include "base/error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace cipherway {

namespace {

#ifdef SYS_memfd_secret
constexpr long kMemfdSecret = SYS_memfd_secret;
#else
constexpr long kMemfdSecret = 447;  // the same number on every architecture
#endif

std::atomic<bool> all_locked{true};
std::atomic<bool> all_secret{true};

std::size_t whole_pages(std::size_t size) {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

/// Pages that the kernel itself has unmapped: no ptrace, no /proc/PID/mem, no swap. Null if that is not to be had.
void* map_hidden(std::size_t length) {
  int fd = static_cast<int>(::syscall(kMemfdSecret, O_CLOEXEC));
  if (fd < 0) return nullptr;
  void* memory = MAP_FAILED;
  if (::ftruncate(fd, static_cast<off_t>(length)) == 0)
    memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory == MAP_FAILED) return nullptr;
  // The mapping is a shared one: a child that wiped it would wipe ours.
  if (::madvise(memory, length, MADV_DONTFORK) != 0) broken("cannot keep a secret from children");
  return memory;
}

void* map_plain(std::size_t length) {
  all_secret = false;
  void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) broken("no memory for a secret");
  if (::madvise(memory, length, MADV_DONTDUMP) != 0) broken("cannot keep a secret out of core dumps");
  if (::madvise(memory, length, MADV_DONTFORK) != 0) broken("cannot keep a secret from children");
  if (::mlock(memory, length) != 0) all_locked = false;
  return memory;
}

}  // namespace

void* map_secret_pages(std::size_t size) {
  std::size_t length = whole_pages(size);
  void* memory = map_hidden(length);
  return memory != nullptr ? memory : map_plain(length);
}

void unmap_secret_pages(void* memory, std::size_t size) {
  ::munmap(memory, whole_pages(size));
}

SecretPagesSoFar secret_pages_so_far() {
  return {all_locked, all_secret};
}

}  // namespace cipherway
