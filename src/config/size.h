#pragma once

#include "base/error.h"

#include <cstddef>
#include <string_view>

namespace cipherway::config {

/// "512KiB", "256MiB", "4GiB": a whole number and a unit, from 1 KiB to 1 TiB. In bytes.
Result<std::size_t> parse_size(std::string_view text);

}  // namespace cipherway::config
