#include "config/words.h"

#include <algorithm>
#include <array>

namespace cipherway::config {

namespace {

constexpr std::size_t kMostQuotedBytes = 64;
constexpr std::size_t kLongestWord = 40;

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). Both at most kLongestWord.
std::size_t distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kLongestWord + 1>, kLongestWord + 1> d{};
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

/// Typing -, _ or a capital differently is no error worth counting.
std::string plain(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_' || c == ' ') c = '-';
  }
  return out;
}

}  // namespace

std::string visible(std::string_view text, std::size_t most) {
  static constexpr char kHex[] = "0123456789abcdef";
  most = std::min(text.size(), most);
  // Not in the middle of a character: what is cut must still be UTF-8.
  while (most > 0 && most < text.size() && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  std::string out;
  for (char c : text.substr(0, most)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  if (text.size() > most) out += "...";
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : visible(text, kMostQuotedBytes)) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::optional<std::string_view> nearest(std::string_view text, std::span<const std::string_view> words) {
  if (text.empty() || text.size() > kLongestWord) return std::nullopt;
  std::string wanted = plain(text);
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(1, text.size() / 3) + 1;
  for (std::string_view word : words) {
    if (word.size() > kLongestWord) continue;
    std::size_t d = distance(wanted, plain(word));
    if (d < best_distance) {
      best = word;
      best_distance = d;
    }
  }
  if (!best && wanted.size() >= 3) {
    for (std::string_view word : words)
      if (plain(word).starts_with(wanted)) return word;
  }
  return best;
}

std::string did_you_mean(std::string_view text, std::span<const std::string_view> words) {
  std::optional<std::string_view> word = nearest(text, words);
  return word ? "; did you mean " + quoted(*word) + "?" : std::string();
}

std::string listed(std::span<const std::string_view> words, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace cipherway::config
