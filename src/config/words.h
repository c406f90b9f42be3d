#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

/// How problems speak of what an operator wrote.
namespace cipherway::config {

/// Control characters escaped, so that a terminal takes it for nothing but text; cut after `most` bytes.
std::string visible(std::string_view text, std::size_t most);

/// In double quotes, control characters escaped, cut after 64 bytes.
std::string quoted(std::string_view text);

/// The word that was probably meant: a typing error or two away, or what the text is the beginning of. Nothing when
/// none is near, and for texts longer than any word.
std::optional<std::string_view> nearest(std::string_view text, std::span<const std::string_view> words);

/// `; did you mean "state"?`, or nothing when no word is near.
std::string did_you_mean(std::string_view text, std::span<const std::string_view> words);

/// "a, b and c"
std::string listed(std::span<const std::string_view> words, std::string_view last = "and");

}  // namespace cipherway::config
