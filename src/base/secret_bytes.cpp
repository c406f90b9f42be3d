#include "base/secret_bytes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <utility>

namespace cipherway {

namespace {

std::atomic<bool> every_page_locked{true};

std::size_t whole_pages(std::size_t size) {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  std::size_t length = whole_pages(size);
  void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) broken("no memory for a secret");
  if (::madvise(memory, length, MADV_DONTDUMP) != 0) broken("cannot keep a secret out of core dumps");
  if (::madvise(memory, length, MADV_WIPEONFORK) != 0) broken("cannot keep a secret from children");
  if (::mlock(memory, length) != 0) every_page_locked = false;
  data_ = static_cast<std::uint8_t*>(memory);
}

SecretBytes SecretBytes::copy_of(BytesView bytes) {
  SecretBytes secret(bytes.size());
  if (secret.data_ != nullptr) std::memcpy(secret.data_, bytes.data(), bytes.size());
  return secret;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() {
  release();
}

void SecretBytes::release() {
  if (data_ == nullptr) return;
  wipe(data_, size_);
  ::munmap(data_, whole_pages(size_));
  data_ = nullptr;
  size_ = 0;
}

bool SecretBytes::equals(BytesView other) const {
  if (other.size() != size_) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < size_; ++i) difference = static_cast<std::uint8_t>(difference | (data_[i] ^ other[i]));
  return difference == 0;
}

bool SecretBytes::memory_was_locked() {
  return every_page_locked;
}

void wipe(void* memory, std::size_t size) {
  ::explicit_bzero(memory, size);
}

}  // namespace cipherway
