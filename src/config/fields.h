#pragma once

#include "config/document.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway::config {

/// The fields of one table, of which shape.h has already checked names and types: what is of another type than asked
/// for counts as absent here, and somebody has complained about it.
class Fields {
 public:
  explicit Fields(const Value& table) : table_(table) {}

  const Place& at() const { return table_.at; }
  const Value* find(std::string_view key) const { return table_.find(key); }
  bool has(std::string_view key) const { return find(key) != nullptr; }

  std::optional<Located<std::string>> text(std::string_view key) const;
  std::vector<Located<std::string>> texts(std::string_view key) const;
  /// An empty list. A list of the wrong things is not empty: it has been complained about.
  bool empty_list(std::string_view key) const;
  bool flag(std::string_view key) const;
  std::optional<Fields> table(std::string_view key) const;

 private:
  const Value& table_;
};

/// One table of a channel while it is being read.
struct Part {
  Fields fields;
  std::string channel;  // "channel \"orders\""
  std::string side;     // "from", "to", "health"

  std::string of(std::string_view key) const { return channel + ": " + side + "." + std::string(key); }
};

}  // namespace cipherway::config
