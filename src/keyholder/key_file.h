#pragma once

#include "base/secret_bytes.h"

#include <string>

namespace cipherway::keyholder {

inline constexpr std::size_t kMostKeyFileBytes = 64 * 1024;

/// A key file's content, in secret memory. Denied if anybody but the owner could read or change the file, or if the
/// owner is neither root nor this process's user: such a key must be taken for known to others.
Result<SecretBytes> read_key_file(const std::string& path);

}  // namespace cipherway::keyholder
