#pragma once

#include <string>
#include <vector>

namespace cipherway::cli {

/// Rows of text in columns as wide as they need to be. The first row is the heading.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) : rows_{std::move(heading)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  /// Each line begins with `indent` spaces; no line ends with one. Control characters become '?': a name that came
  /// from elsewhere must not steer a terminal.
  std::string to_string(std::size_t indent = 2) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cipherway::cli
