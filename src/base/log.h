#pragma once

#include "base/error.h"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <variant>

namespace cipherway {
class SecretBytes;
}

/// Logs: one JSON object a line, one write(2) a line, with a stable event name ("connection.refused").
/// Text is escaped and cut to `kMostFieldBytes`; nothing a peer sent can add a field, a line or unbounded bytes.
/// A SecretBytes is not a field: the call does not compile.
namespace cipherway::log {

enum class Level { Debug, Info, Warn, Error };

inline constexpr std::size_t kMostFieldBytes = 512;
/// A whole line fits in PIPE_BUF, so lines of several processes on one pipe never mix.
inline constexpr std::size_t kMostLineBytes = 4096;

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Field(std::string_view k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
  Field(std::string_view k, const Error& e) : key(k), value(std::string_view(e.what)) {}
  Field(std::string_view, const SecretBytes&) = delete;
};

/// The name this process has in every line: "supervisor", "keyholder", "gateway-0". Kept by reference: pass a literal
/// or something that lives as long as the process.
void set_process_name(std::string_view name);
void set_least_level(Level level);
/// "debug", "info", "warn" or "error".
std::optional<Level> level_from(std::string_view word);
/// Where lines go; standard error by default. The descriptor stays the caller's.
void set_output(int fd);

/// Whether such a line would be written: for those who would have to work for its fields.
bool enabled(Level level);

void event(Level level, std::string_view name, std::initializer_list<Field> fields = {});

inline void debug(std::string_view name, std::initializer_list<Field> fields = {}) {
  event(Level::Debug, name, fields);
}
inline void info(std::string_view name, std::initializer_list<Field> fields = {}) {
  event(Level::Info, name, fields);
}
inline void warn(std::string_view name, std::initializer_list<Field> fields = {}) {
  event(Level::Warn, name, fields);
}
inline void error(std::string_view name, std::initializer_list<Field> fields = {}) {
  event(Level::Error, name, fields);
}

/// The line that `event` writes, without the newline: for tests and for those who write elsewhere.
std::string line(Level level, std::string_view name, std::initializer_list<Field> fields);

}  // namespace cipherway::log
