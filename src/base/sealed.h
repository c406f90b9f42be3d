#pragma once

#include "base/bytes.h"
#include "base/fd.h"

#include <string>

namespace cipherway {

/// Bytes in a memfd that nobody can change any more (F_SEAL_WRITE and the others): what a process hands to another that
/// is too large for a frame. `name` is what /proc shows.
Result<Fd> to_sealed_memory(const char* name, BytesView content);

/// What is in it. An error when it is not sealed, because its sender could still change what has been checked, and when
/// it is larger than `most`.
Result<std::string> from_sealed_memory(const Fd& fd, std::size_t most);

}  // namespace cipherway
