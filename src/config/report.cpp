#include "config/report.h"

#include "config/words.h"

#include <algorithm>
#include <tuple>

namespace cipherway::config {

namespace {
/// Finding stops being worth memory long before sorting and cutting: a hostile file could hold a problem every few
/// bytes.
constexpr std::size_t kMostKept = 10 * kMostProblems;
constexpr std::size_t kMostWhatBytes = 1000;
}  // namespace

std::string Place::to_string() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Problem::to_string() const {
  std::string text = at.to_string() + ": " + what;
  if (because) text += " (see " + because->to_string() + ")";
  return text;
}

void sort_by_place(std::vector<Problem>& problems) {
  std::ranges::sort(problems, [](const Problem& a, const Problem& b) {
    return std::tie(a.at.line, a.at.column, a.what) < std::tie(b.at.line, b.at.column, b.what);
  });
}

void Report::add(const Place& at, std::string_view what, std::optional<Place> because) {
  if (problems_.size() < kMostKept) problems_.push_back(Problem{at, visible(what, kMostWhatBytes), std::move(because)});
}

std::vector<Problem> Report::take() && {
  sort_by_place(problems_);
  if (problems_.size() > kMostProblems) problems_.resize(kMostProblems);
  return std::move(problems_);
}

}  // namespace cipherway::config
