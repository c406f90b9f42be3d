#pragma once

#include <string_view>

namespace cipherway::node {

/// The page for people: page.html, built in.
extern const std::string_view kPage;

}  // namespace cipherway::node
