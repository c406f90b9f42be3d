#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

/// Reading JSON that may be of any shape: a member that is missing, or not what was looked for, is an empty one.
namespace cipherway::node {

using Json = nlohmann::ordered_json;

const Json& object_in(const Json& object, const char* name);
const Json& list_in(const Json& object, const char* name);
std::string text_in(const Json& object, const char* name);
std::uint64_t number_in(const Json& object, const char* name);
double real_in(const Json& object, const char* name);
bool flag_in(const Json& object, const char* name);

}  // namespace cipherway::node
