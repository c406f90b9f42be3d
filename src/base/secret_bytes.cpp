#include "base/secret_bytes.h"

#include "base/secret_pages.h"

#include <unistd.h>

#include <cstring>
#include <utility>

namespace cipherway {

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  data_ = static_cast<std::uint8_t*>(map_secret_pages(size));
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
  unmap_secret_pages(data_, size_);
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
  return secret_pages_so_far().all_locked;
}

bool SecretBytes::memory_was_secret() {
  return secret_pages_so_far().all_secret;
}

void wipe(void* memory, std::size_t size) {
  ::explicit_bzero(memory, size);
}

}  // namespace cipherway
