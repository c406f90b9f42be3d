#pragma once

#include "config/config.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A TOML document as a tree of located values: all that the rest of the module sees of the parser.
namespace cipherway::config {

struct Member;

/// One value of a document. Which of the fields below counts is told by `kind`.
struct Value {
  enum class Kind { Table, List, Text, Whole, Fraction, Flag, Date };

  Kind kind = Kind::Table;
  Place at;
  std::string text;             ///< Text
  std::int64_t whole = 0;       ///< Whole
  bool flag = false;            ///< Flag
  std::vector<Value> items;     ///< List
  std::vector<Member> members;  ///< Table: keys are unique

  const Value* find(std::string_view key) const;
};

struct Member {
  Located<std::string> key;
  Value value;
};

/// "a string", "an integer", "a table": how problems call what stands in a file.
std::string_view a_kind(Value::Kind kind);

/// Reads TOML 1.1 (the one difference from 1.0 that matters: an inline table may span lines). At most 1 MiB, and names
/// and values nested at most 16 deep, so that no input makes the parser recurse far; no strings over several lines. The
/// parser stops at the first error of syntax.
std::variant<Value, Problem> parse_document(std::string_view text, const std::string& file);

}  // namespace cipherway::config
