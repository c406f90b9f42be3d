#pragma once

#include "config/document.h"
#include "config/report.h"
#include "config/schema.h"

namespace cipherway::config {

/// Compares a document with the schema: unknown and missing keys, wrong types, words that this version does not carry,
/// strings and lists beyond their bounds. What it does not complain about has the type that the schema says.
void check_shape(const Value& document, Report& report);

/// How problems call the parts of a document: `node`, `identity "shop"`, `channel "orders"` or, without a usable name,
/// `channel 2` (counted from 1).
std::string channel_label(const Value& channel, std::size_t index);
std::string identity_label(std::string_view name);

}  // namespace cipherway::config
