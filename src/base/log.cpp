#include "base/log.h"

#include "base/clock.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <string>

namespace cipherway::log {

namespace {

std::string_view process_name = "cipherway";
Level least_level = Level::Info;
int output = STDERR_FILENO;

std::string_view to_string(Level level) {
  switch (level) {
    case Level::Debug: return "debug";
    case Level::Info: return "info";
    case Level::Warn: return "warn";
    case Level::Error: return "error";
  }
  broken("log level out of range");
}

/// The length of the valid UTF-8 sequence at the start of `text`, or 0. Overlong forms and surrogates are invalid.
std::size_t utf8_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  unsigned char first = byte(0);
  if (first >= 0xc2 && first <= 0xdf && continues(1)) return 2;
  if (first >= 0xe0 && first <= 0xef && continues(1) && continues(2)) {
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4 && continues(1) && continues(2) && continues(3)) {
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

void append_quoted(std::string& out, std::string_view text) {
  bool cut = text.size() > kMostFieldBytes;
  if (cut) text = text.substr(0, kMostFieldBytes);
  out.push_back('"');
  while (!text.empty()) {
    unsigned char c = static_cast<unsigned char>(text[0]);
    std::size_t used = 1;
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c >= 0x20 && c < 0x7f) {
      out.push_back(static_cast<char>(c));
    } else if (std::size_t length = c >= 0x80 ? utf8_length(text) : 0; length > 0) {
      out.append(text.substr(0, length));
      used = length;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      out.append(escaped);
    }
    text.remove_prefix(used);
  }
  if (cut) out.append("...");
  out.push_back('"');
}

void append_value(std::string& out, const Field& field) {
  if (auto* text = std::get_if<std::string_view>(&field.value)) {
    append_quoted(out, *text);
  } else if (auto* whole = std::get_if<std::int64_t>(&field.value)) {
    out.append(std::to_string(*whole));
  } else if (auto* real = std::get_if<double>(&field.value)) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%.6g", *real);
    out.append(std::isfinite(*real) ? digits : "null");
  } else {
    out.append(std::get<bool>(field.value) ? "true" : "false");
  }
}

}  // namespace

void set_process_name(std::string_view name) {
  process_name = name;
}
void set_least_level(Level level) {
  least_level = level;
}
std::optional<Level> level_from(std::string_view word) {
  for (Level level : {Level::Debug, Level::Info, Level::Warn, Level::Error})
    if (to_string(level) == word) return level;
  return std::nullopt;
}

void set_output(int fd) {
  output = fd;
}

std::string line(Level level, std::string_view name, std::initializer_list<Field> fields) {
  std::string out = "{\"ts\":\"" + to_rfc3339(WallClock::now()) + "\",\"level\":\"";
  out.append(to_string(level)).append("\",\"event\":");
  append_quoted(out, name);
  out.append(",\"process\":");
  append_quoted(out, process_name);
  out.append(",\"pid\":").append(std::to_string(::getpid()));
  for (const Field& field : fields) {
    std::size_t before = out.size();
    out.push_back(',');
    append_quoted(out, field.key);
    out.push_back(':');
    append_value(out, field);
    if (out.size() > kMostLineBytes - 32) {  // leave the line whole and say that something is missing
      out.resize(before);
      out.append(",\"cut\":true");
      break;
    }
  }
  out.push_back('}');
  return out;
}

bool enabled(Level level) {
  return level >= least_level;
}

void event(Level level, std::string_view name, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  std::string text = line(level, name, fields);
  text.push_back('\n');
  // A log that cannot be written must not stop traffic: one try, repeated only when a signal interrupted it.
  while (::write(output, text.data(), text.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace cipherway::log
