#include "node/json_fields.h"

#include <nlohmann/json.hpp>

namespace cipherway::node {

namespace {

const Json& member(const Json& object, const char* name) {
  static const Json none;
  if (!object.is_object()) return none;
  auto found = object.find(name);
  return found != object.end() ? *found : none;
}

}  // namespace

const Json& object_in(const Json& object, const char* name) {
  static const Json none = Json::object();
  const Json& value = member(object, name);
  return value.is_object() ? value : none;
}

const Json& list_in(const Json& object, const char* name) {
  static const Json none = Json::array();
  const Json& value = member(object, name);
  return value.is_array() ? value : none;
}

std::string text_in(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_string() ? value.get<std::string>() : "";
}

std::uint64_t number_in(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_number_integer() ? value.get<std::uint64_t>() : 0;
}

double real_in(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_number() ? value.get<double>() : 0;
}

bool flag_in(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_boolean() && value.get<bool>();
}

}  // namespace cipherway::node
