#include "config/shape.h"

#include "config/words.h"

#include <algorithm>

namespace cipherway::config {

namespace {

constexpr std::size_t kMostTextBytes = 4096;
constexpr std::size_t kMostItems = 1000;

std::string_view a_type(Type type) {
  switch (type) {
    case Type::Text: return "a string";
    case Type::Texts: return "a list of strings";
    case Type::Whole: return "an integer";
    case Type::Flag: return "true or false";
    case Type::Duration: return "a string like \"10s\"";
    case Type::Table: return "a table";
    case Type::Tables: return "a list of tables";
    case Type::NamedTables: return "a table of tables";
    case Type::Size: return "a string like \"256MiB\"";
    case Type::Choices: return "a list of strings or tables";
  }
  broken("Type out of range");
}

Value::Kind kind_of(Type type) {
  switch (type) {
    case Type::Text:
    case Type::Duration:
    case Type::Size: return Value::Kind::Text;
    case Type::Texts:
    case Type::Tables:
    case Type::Choices: return Value::Kind::List;
    case Type::Whole: return Value::Kind::Whole;
    case Type::Flag: return Value::Kind::Flag;
    case Type::Table:
    case Type::NamedTables: return Value::Kind::Table;
  }
  broken("Type out of range");
}

/// "node: state", "channel \"x\": from.listen", or "state" where there is nothing to be in front of it.
struct Path {
  std::string subject;  // "channel \"x\""
  std::string prefix;   // "from."
  std::string of(std::string_view key) const {
    return (subject.empty() ? "" : subject + ": ") + prefix + std::string(key);
  }
};

class Shape {
 public:
  explicit Shape(Report& report) : report_(report) {}

  void table(const Value& value, const Section& section, const Path& path) {
    for (const Member& member : value.members) {
      const Key* key = find(section, member.key.value);
      if (key == nullptr) {
        unknown(member.key, section, path);
      } else if (!key->in_this_version()) {
        report_.add(member.key.at, path.of(key->name) + " is not in this version; " + std::string(key->instead));
      } else {
        this->value(member, *key, path);
      }
    }
    for (const Key& key : section.keys) {
      if (key.required && value.find(key.name) == nullptr)
        report_.add(value.at, path.of(key.name) + " is missing; " + std::string(key.remedy));
    }
  }

 private:
  static const Key* find(const Section& section, std::string_view name) {
    for (const Key& key : section.keys)
      if (key.name == name) return &key;
    return nullptr;
  }

  static bool has_word(std::string_view words, std::string_view word) {
    while (!words.empty()) {
      std::string_view first = words.substr(0, words.find(' '));
      if (first == word) return true;
      words.remove_prefix(std::min(words.size(), first.size() + 1));
    }
    return false;
  }

  void unknown(const Located<std::string>& name, const Section& section, const Path& path) {
    std::vector<std::string_view> words;
    for (const Key& key : section.keys)
      if (key.in_this_version()) words.push_back(key.name);
    std::string what =
        (path.subject.empty() ? "" : path.subject + ": ") + "unknown key " + quoted(path.prefix + name.value);
    std::string suggestion = did_you_mean(name.value, words);
    for (const Key& key : section.keys)
      if (has_word(key.also, name.value)) suggestion = "; here it is called " + quoted(key.name);
    if (suggestion.empty()) suggestion = "; known here are " + listed(words);
    report_.add(name.at, what + suggestion);
  }

  void value(const Member& member, const Key& key, const Path& path) {
    const Value& value = member.value;
    if (value.kind != kind_of(key.type)) {
      std::string what =
          path.of(key.name) + " is " + std::string(a_type(key.type)) + ", not " + std::string(a_kind(value.kind));
      if (key.type == Type::Tables) what += "; write [[" + std::string(key.name) + "]]";
      if ((key.type == Type::Texts || key.type == Type::Choices) && value.kind == Value::Kind::Text)
        what += "; write [" + quoted(value.text) + "]";
      report_.add(value.at, what);
      return;
    }
    if (value.items.size() > kMostItems || (key.type == Type::NamedTables && value.members.size() > kMostItems)) {
      report_.add(value.at, path.of(key.name) + " has more than " + std::to_string(kMostItems) + " entries");
      return;
    }
    switch (key.type) {
      case Type::Text:
      case Type::Duration:
      case Type::Size: text(value, path.of(key.name)); break;
      case Type::Texts:
        for (std::size_t i = 0; i < value.items.size(); ++i) {
          std::string name = path.of(key.name) + "[" + std::to_string(i) + "]";
          if (value.items[i].kind == Value::Kind::Text) {
            text(value.items[i], name);
          } else {
            report_.add(value.items[i].at, name + " is a string, not " + std::string(a_kind(value.items[i].kind)));
          }
        }
        break;
      case Type::Table:
        table(value, *key.section,
              path.subject.empty() ? Path{std::string(key.name), ""} : Path{path.subject, std::string(key.name) + "."});
        break;
      case Type::Tables:
        for (std::size_t i = 0; i < value.items.size(); ++i) {
          if (value.items[i].kind == Value::Kind::Table) {
            table(value.items[i], *key.section, Path{channel_label(value.items[i], i), ""});
          } else {
            report_.add(value.items[i].at,
                        path.of(key.name) + " is a list of tables; write [[" + std::string(key.name) + "]]");
          }
        }
        break;
      case Type::NamedTables:
        for (const Member& named : value.members) {
          if (named.value.kind == Value::Kind::Table) {
            table(named.value, *key.section, Path{identity_label(named.key.value), ""});
          } else {
            report_.add(named.key.at, std::string(key.name) + " is a table of tables; write [" + std::string(key.name) +
                                          ".NAME] above " + quoted(named.key.value));
          }
        }
        break;
      case Type::Choices:
        for (std::size_t i = 0; i < value.items.size(); ++i) {
          const Value& item = value.items[i];
          std::string name = std::string(key.name) + "[" + std::to_string(i) + "]";
          if (item.kind == Value::Kind::Text) {
            text(item, path.of(name));
          } else if (item.kind == Value::Kind::Table) {
            table(item, *key.section, Path{path.subject, path.prefix + name + "."});
          } else {
            report_.add(item.at, path.of(name) + " is a string or a table, not " + std::string(a_kind(item.kind)));
          }
        }
        break;
      case Type::Whole:
      case Type::Flag: break;
    }
  }

  void text(const Value& value, const std::string& name) {
    if (value.text.empty()) report_.add(value.at, name + " is empty");
    if (value.text.size() > kMostTextBytes)
      report_.add(value.at, name + " is longer than " + std::to_string(kMostTextBytes) + " bytes");
    for (char c : value.text) {
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) continue;
      report_.add(value.at, name + " has a control character: " + quoted(value.text));
      break;
    }
  }

  Report& report_;
};

}  // namespace

void check_shape(const Value& document, Report& report) {
  Shape(report).table(document, document_section(), Path{});
}

std::string channel_label(const Value& channel, std::size_t index) {
  const Value* name = channel.find("name");
  if (name != nullptr && name->kind == Value::Kind::Text && !name->text.empty()) return "channel " + quoted(name->text);
  return "channel " + std::to_string(index + 1);
}

std::string identity_label(std::string_view name) {
  return "identity " + quoted(name);
}

}  // namespace cipherway::config
