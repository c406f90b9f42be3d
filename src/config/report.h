#pragma once

#include "config/config.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace cipherway::config {

inline constexpr std::size_t kMostProblems = 100;

/// Collects problems in whatever order they are found and hands them out in the order of the file.
class Report {
 public:
  /// Whatever `what` quotes, it comes out as one line of text of at most about 1,000 bytes.
  void add(const Place& at, std::string_view what, std::optional<Place> because = std::nullopt);
  bool empty() const { return problems_.empty(); }
  /// The first kMostProblems by place.
  std::vector<Problem> take() &&;

 private:
  std::vector<Problem> problems_;
};

}  // namespace cipherway::config
