#include "config/schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace cipherway::config {
namespace {

/// A key of a section, as "[node] state", and whether a config must have it.
struct Documented {
  std::string key;
  bool required;
  auto operator<=>(const Documented&) const = default;
};

void PrintTo(const Documented& one, std::ostream* out) {
  *out << one.key << (one.required ? " (required)" : "");
}

/// Sections are `.SS` headings; a key is a line `.B KEY` after `.TP`, and required when the next line begins with that
/// word.
std::vector<Documented> in_the_man_page() {
  std::ifstream page(SOURCE_DIR "/docs/man/node.toml.5");
  std::vector<Documented> found;
  std::string section, line, before;
  while (std::getline(page, line)) {
    if (line.starts_with(".SH")) section.clear();
    if (line.starts_with(".SS ")) section = line.substr(4);
    if (!section.empty() && before == ".TP" && line.starts_with(".B ")) {
      std::string key = section + " " + line.substr(3);
      std::string next;
      std::getline(page, next);
      found.push_back({key, next.starts_with("Required,") || next == "Required."});
      line = next;
    }
    before = line;
  }
  return found;
}

std::vector<Documented> in_the_decoder() {
  std::vector<Documented> known;
  for (const Section* section : sections())
    for (const Key& key : section->keys)
      if (key.in_this_version())
        known.push_back({std::string(section->title) + " " + std::string(key.name), key.required});
  return known;
}

TEST(Schema, TheManPageHasEveryKeyAndNoOther) {
  EXPECT_EQ(in_the_man_page(), in_the_decoder());
  EXPECT_GE(in_the_decoder().size(), 30U);
}

void count(const Section& section, std::vector<const Section*>& reached) {
  for (const Key& key : section.keys) {
    if (key.section == nullptr) continue;
    reached.push_back(key.section);
    count(*key.section, reached);
  }
}

TEST(Schema, EverySectionIsListedInItsOrder) {
  std::vector<const Section*> reached;
  count(document_section(), reached);
  EXPECT_EQ(std::vector(sections().begin(), sections().end()), reached);
}

TEST(Schema, WhatIsRequiredSaysWhatToWrite) {
  std::vector<const Section*> all(sections().begin(), sections().end());
  all.push_back(&document_section());
  for (const Section* section : all)
    for (const Key& key : section->keys)
      EXPECT_EQ(key.required, !key.remedy.empty()) << section->title << " " << key.name;
}

}  // namespace
}  // namespace cipherway::config
