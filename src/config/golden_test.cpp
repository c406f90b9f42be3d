#include "config/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace cipherway::config {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Every golden/NAME.toml has all the problems of golden/NAME.txt, word for word, and no others. After a change of
/// words, `CIPHERWAY_GOLDEN=write config_test` writes them anew: read what changed.
TEST(Golden, EveryProblemHasItsWordsAndItsPlace) {
  const char* mode = std::getenv("CIPHERWAY_GOLDEN");
  bool write = mode != nullptr && std::string_view(mode) == "write";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SOURCE_DIR "/src/config/golden")) {
    std::filesystem::path toml = entry.path();
    if (toml.extension() != ".toml") continue;
    ++files;
    Decoded decoded = decode(content(toml), toml.filename(), "/etc/cipherway");
    EXPECT_FALSE(decoded.node) << toml;
    std::string problems;
    for (const Problem& problem : decoded.problems) problems += problem.to_string() + "\n";
    std::filesystem::path expected = toml;
    expected.replace_extension(".txt");
    if (write) std::ofstream(expected) << problems;
    EXPECT_EQ(problems, content(expected)) << toml;
  }
  EXPECT_GE(files, 10);
}

}  // namespace
}  // namespace cipherway::config
