// Names and patterns from untrusted text: they never crash, are canonical once parsed, and keep the rules of access.
// Input: a pattern and a name, with a newline between.
#include "base/bytes.h"
#include "identity/name.h"

#include <cstdint>
#include <string_view>

using cipherway::broken;
using cipherway::identity::AccessPolicy;
using cipherway::identity::KeyPin;
using cipherway::identity::Name;
using cipherway::identity::NameKind;
using cipherway::identity::NamePattern;

namespace {

void must(bool condition, const char* what) {
  if (!condition) broken(what);
}

void check(const Name& name) {
  auto again = Name::parse(name.text);
  must(again && *again == name, "a parsed name parses to itself");
  for (char c : name.text) must(c > ' ' && c < 0x7f, "a name is printable ASCII");
  must(name.kind != NameKind::Spiffe || !trust_domain_of(name).empty(), "a SPIFFE ID has a trust domain");
  must(name.kind == NameKind::Spiffe || name.text.find('/') == std::string::npos, "only SPIFFE IDs have paths");
  auto any = NamePattern::parse("any");
  must(any && any->matches(name), "any accepts a name");
  // As a pattern, a name stands for itself ("any" is a word of its own), and a wildcard for its very text.
  auto itself = NamePattern::parse(name.text);
  must(itself && itself->matches(name), "a name matches itself");
  must(AccessPolicy({}).accepts({name}) == nullptr, "nobody is accepted unless a pattern says so");
  must(AccessPolicy({*any}).accepts({}) == nullptr, "nobody without a name is accepted");
}

void check(const NamePattern& pattern, const Name& name) {
  auto again = NamePattern::parse(pattern.text());
  must(again && again->text() == pattern.text(), "a parsed pattern parses to itself");
  must(again->matches(name) == pattern.matches(name), "a canonical pattern means the same");
  if (!pattern.matches(name) || pattern.text() == "any") return;
  bool spiffe = pattern.text().starts_with("spiffe://");
  must(spiffe == (name.kind == NameKind::Spiffe), "kinds do not mix");
  if (pattern.text().find('*') == std::string::npos && name.text.find('*') == std::string::npos)
    must(pattern.text() == name.text, "without a wildcard only the same text matches");
  if (!spiffe) return;
  auto domain = Name{NameKind::Spiffe, pattern.text()};
  must(trust_domain_of(domain) == trust_domain_of(name), "a pattern never reaches into another trust domain");
  Name deeper{NameKind::Spiffe, name.text + "/x"};
  must(pattern.matches(deeper) == pattern.text().ends_with("/**"), "only ** takes more segments");
}

/// A pin has one text, is no name, and accepts one key.
void check_pin(std::string_view text) {
  auto pin = KeyPin::parse(text);
  auto pattern = NamePattern::parse(text);
  must(pin.has_value() == (pattern && pattern->is_pin()), "what is a pin is a pattern that names a key");
  if (!pin) return;
  must(pin->to_string() == text && pattern->text() == text, "a pin has one text");
  must(!Name::parse(text), "a pin is no name");
  must(pattern->matches(*pin), "a pin matches itself");
  KeyPin other = KeyPin::of(cipherway::as_bytes(text));
  must(!pattern->matches(other), "and no other key");
  must(AccessPolicy({*pattern}).accepts_key(*pin) && !AccessPolicy({*pattern}).accepts_key(other), "nor does a policy");
  must(!AccessPolicy({*NamePattern::parse("any")}).accepts_key(*pin), "any is no key");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t newline = text.find('\n');
  auto pattern = NamePattern::parse(text.substr(0, newline));
  auto name = Name::parse(newline == std::string_view::npos ? text : text.substr(newline + 1));
  check_pin(text.substr(0, newline));
  if (name) check(*name);
  if (name && pattern) check(*pattern, *name);
  return 0;
}
