#include "config/decoder.h"
#include "config/duration.h"
#include "config/words.h"

namespace cipherway::config {

std::string Decoder::resolved_path(std::string_view path) const {
  if (path.starts_with('/') || node_.directory.empty()) return std::string(path);
  return node_.directory + (node_.directory.ends_with('/') ? "" : "/") + std::string(path);
}

Located<std::string> Decoder::resolved(const Located<std::string>& path) const {
  return Located<std::string>{resolved_path(path.value), path.at};
}

std::optional<Located<Address>> Decoder::address(const Located<std::string>& text, const std::string& name) {
  if (text.value.starts_with("systemd:")) {
    report_.add(text.at, name + " is " + quoted(text.value) +
                             ": only from.listen takes a socket of systemd; give HOST:PORT, [IPV6]:PORT or unix:PATH");
    return std::nullopt;
  }
  std::string full = text.value;
  if (full.starts_with("unix:") && full.size() > 5) full = "unix:" + resolved_path(std::string_view(full).substr(5));
  Result<Address> parsed = Address::parse(full);
  if (parsed) return Located<Address>{*parsed, text.at};
  report_.add(text.at, name + ": " + parsed.error().what);
  return std::nullopt;
}

std::optional<unsigned> Decoder::whole(const Fields& fields, std::string_view key, const std::string& name,
                                       unsigned least, unsigned most) {
  const Value* value = fields.find(key);
  if (value == nullptr || value->kind != Value::Kind::Whole) return std::nullopt;
  if (value->whole < static_cast<std::int64_t>(least) || value->whole > static_cast<std::int64_t>(most)) {
    report_.add(value->at, name + " is " + std::to_string(value->whole) + "; it must be from " + std::to_string(least) +
                               " to " + std::to_string(most));
    return std::nullopt;
  }
  return static_cast<unsigned>(value->whole);
}

void Decoder::duration(const Part& part, std::string_view key, std::chrono::milliseconds& out,
                       std::chrono::milliseconds least) {
  auto text = part.fields.text(key);
  if (!text) return;
  Result<std::chrono::milliseconds> parsed = parse_duration(text->value);
  if (!parsed)
    report_.add(text->at, part.of(key) + " is " + quoted(text->value) + "; " + parsed.error().what);
  else if (*parsed < least)
    report_.add(text->at, part.of(key) + " is " + quoted(text->value) + "; it must be at least \"" +
                              std::to_string(least.count()) + "ms\"");
  else
    out = *parsed;
}

std::optional<std::size_t> Decoder::one_of(const Part& part, std::string_view key,
                                           std::span<const std::string_view> words) {
  auto text = part.fields.text(key);
  if (!text) return std::nullopt;
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i] == text->value) return i;
  std::vector<std::string> in_quotes;
  for (std::string_view word : words) in_quotes.push_back(quoted(word));
  std::vector<std::string_view> views(in_quotes.begin(), in_quotes.end());
  // A choice of few is quicker named than guessed at.
  std::string suggestion = words.size() > 3 ? did_you_mean(text->value, words) : "";
  report_.add(text->at, part.of(key) + " is " + quoted(text->value) +
                            (suggestion.empty() ? "; it can be " + listed(views, "or") : suggestion));
  return std::nullopt;
}

}  // namespace cipherway::config
