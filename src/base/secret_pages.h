#pragma once

#include <cstddef>

namespace cipherway {

/// At least `size` bytes of zeroed memory for secrets, in whole pages: left out of core dumps, not inherited by
/// children, locked if the limits allow, and hidden from everybody else (memfd_secret) if the kernel has that. Aborts
/// if there is none, or if it could not be kept out of dumps. SecretBytes and the keyholder's arena are made of it.
void* map_secret_pages(std::size_t size);
/// Gives them back, with the `size` they were asked for. The owner has wiped them.
void unmap_secret_pages(void* memory, std::size_t size);

/// Of all pages that this process has mapped until now.
struct SecretPagesSoFar {
  bool all_locked;
  bool all_secret;
};
SecretPagesSoFar secret_pages_so_far();

}  // namespace cipherway
