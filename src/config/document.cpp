#include "config/document.h"

#include <algorithm>

// The whole parser is compiled here and nowhere else. Unreleased features are those of TOML 1.1.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_UNRELEASED_FEATURES 1
#define TOML_MAX_NESTED_VALUES 16
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#include <toml++/toml.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace cipherway::config {

namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr int kMostDots = 16;

Place place(const toml::source_position& position, const std::string& file) {
  return Place{file, position.line == 0 ? 1 : position.line, position.column == 0 ? 1 : position.column};
}

/// Walks over the text as a lexer would, strings and comments skipped, and refuses what no config needs and the parser
/// (toml++ 3.3) does not take well:
/// - A name of many dots: it makes a table for each and frees them by recursion, so a million dots exhaust the stack.
/// - Other than ASCII outside strings and comments: TOML has no such names, and asking whether U+00A1 to U+0499 is
/// white
///   space is undefined behaviour there (it found `é` after a name).
/// - Strings over several lines, where it asks the same of what follows a backslash.
std::optional<Problem> refused_before_parsing(std::string_view text, const std::string& file) {
  Place at{file, 1, 1};
  int dots = 0;
  int depth = 0;     // brackets that are open
  bool name = true;  // nothing but a name can stand here: before the `=` of a line that no bracket reaches into
  char quote = 0;    // of the string we are in
  std::size_t start = text.starts_with("\xef\xbb\xbf") ? 3 : 0;  // after a byte order mark
  for (std::size_t i = 0; i < text.size(); ++i, ++at.column) {
    char c = text[i];
    if (c == '\n') {
      ++at.line;
      at.column = 0;
      dots = 0;
      quote = 0;
      name = depth == 0;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"' && i + 1 < text.size() && text[i + 1] != '\n')
        ++i, ++at.column;
      else if (c == quote)
        quote = 0;
    } else if (c == '#') {
      while (i + 1 < text.size() && text[i + 1] != '\n') ++i;
    } else if (c == '"' || c == '\'') {
      if (text.substr(i, 3) == std::string(3, c))
        return Problem{at, "a string over several lines; nothing in a config needs one", {}};
      // The parser would read on as if this were no string, and meet there what it must not.
      bool begins = i == 0 || i == start || std::string_view(" \t\r\n=,[{").contains(text[i - 1]);
      if (!begins && !(name && text[i - 1] == '.')) return Problem{at, "a quote in the middle of a word", {}};
      quote = c;
    } else if (static_cast<unsigned char>(c) >= 0x80 && i >= start) {
      return Problem{at, "outside strings and comments a config is ASCII", {}};
    } else if (c == '.') {
      if (++dots > kMostDots) return Problem{at, "a name has more than 16 dots; nothing in a config is so deep", {}};
    } else if (c == '=' || c == ',' || c == '[' || c == '{') {
      dots = 0;
      name = name && c != '=';
      if (c == '[' || c == '{') ++depth;
    } else if (c == ']' || c == '}') {
      depth = std::max(0, depth - 1);
    }
  }
  return std::nullopt;
}

Value convert(const toml::node& node, const std::string& file) {
  Value value;
  value.at = place(node.source().begin, file);
  if (const toml::table* table = node.as_table()) {
    value.kind = Value::Kind::Table;
    for (const auto& [key, member] : *table)
      value.members.push_back(Member{{std::string(key.str()), place(key.source().begin, file)}, convert(member, file)});
  } else if (const toml::array* list = node.as_array()) {
    value.kind = Value::Kind::List;
    for (const toml::node& item : *list) value.items.push_back(convert(item, file));
  } else if (const auto* text = node.as_string()) {
    value.kind = Value::Kind::Text;
    value.text = text->get();
  } else if (const auto* whole = node.as_integer()) {
    value.kind = Value::Kind::Whole;
    value.whole = whole->get();
  } else if (const auto* flag = node.as_boolean()) {
    value.kind = Value::Kind::Flag;
    value.flag = flag->get();
  } else {
    value.kind = node.is_floating_point() ? Value::Kind::Fraction : Value::Kind::Date;
  }
  return value;
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  for (const Member& member : members)
    if (member.key.value == key) return &member.value;
  return nullptr;
}

std::string_view a_kind(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::Table: return "a table";
    case Value::Kind::List: return "a list";
    case Value::Kind::Text: return "a string";
    case Value::Kind::Whole: return "an integer";
    case Value::Kind::Fraction: return "a number with a fraction";
    case Value::Kind::Flag: return "true or false";
    case Value::Kind::Date: return "a date or time";
  }
  broken("Value::Kind out of range");
}

std::variant<Value, Problem> parse_document(std::string_view text, const std::string& file) {
  if (text.size() > kMostBytes) return Problem{{file, 1, 1}, "the file is larger than 1 MiB", {}};
  if (std::optional<Problem> problem = refused_before_parsing(text, file)) return *std::move(problem);
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    std::string what(parsed.error().description());
    return Problem{place(parsed.error().source().begin, file), "not TOML: " + what, {}};
  }
  return convert(parsed.table(), file);
}

}  // namespace cipherway::config
