#pragma once

#include <span>
#include <string_view>

/// What a config may say, as a table: the decoder checks names and types against it, and a test checks the man page
/// against it.
namespace cipherway::config {

enum class Type {
  Text,
  Texts,        ///< a list of strings
  Whole,        ///< an integer
  Flag,         ///< true or false
  Duration,     ///< a string: a number and ms, s, m, h or d
  Size,         ///< a string: a number and KiB, MiB or GiB
  Table,        ///< [name], or { ... }
  Tables,       ///< [[name]]
  NamedTables,  ///< [name.NAME]
  Choices,      ///< a list of strings and tables, which may be mixed
};

struct Section;

struct Key {
  std::string_view name;
  Type type;
  bool required = false;
  /// What to write: completes "KEY is missing; ".
  std::string_view remedy = "";
  /// Words that other programs, or the other side of a channel, have for this, separated by spaces: whoever writes one
  /// is told the word that it has here.
  std::string_view also = "";
  /// Of tables: what stands in them.
  const Section* section = nullptr;
  /// Not empty for words of the design that this version does not carry: what to do instead.
  std::string_view instead = "";

  bool in_this_version() const { return instead.empty(); }
};

struct Section {
  std::string_view title;  ///< as the man page heads it: "[node]", "[[channel]] from"
  std::span<const Key> keys;
};

/// The document itself: its keys lead to all other sections.
const Section& document_section();

/// Every section that has keys of its own, in the order of the man page.
std::span<const Section* const> sections();

}  // namespace cipherway::config
