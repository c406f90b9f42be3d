#include "config/fields.h"

namespace cipherway::config {

std::optional<Located<std::string>> Fields::text(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr || value->kind != Value::Kind::Text || value->text.empty()) return std::nullopt;
  return Located<std::string>{value->text, value->at};
}

std::vector<Located<std::string>> Fields::texts(std::string_view key) const {
  std::vector<Located<std::string>> out;
  const Value* value = find(key);
  if (value == nullptr || value->kind != Value::Kind::List) return out;
  for (const Value& item : value->items)
    if (item.kind == Value::Kind::Text) out.push_back({item.text, item.at});
  return out;
}

bool Fields::empty_list(std::string_view key) const {
  const Value* value = find(key);
  return value != nullptr && value->kind == Value::Kind::List && value->items.empty();
}

bool Fields::flag(std::string_view key) const {
  const Value* value = find(key);
  return value != nullptr && value->kind == Value::Kind::Flag && value->flag;
}

std::optional<Fields> Fields::table(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr || value->kind != Value::Kind::Table) return std::nullopt;
  return Fields(*value);
}

}  // namespace cipherway::config
