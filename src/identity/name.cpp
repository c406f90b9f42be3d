#include "identity/name.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

namespace cipherway::identity {

std::string_view to_string(NameKind kind) {
  switch (kind) {
    case NameKind::Spiffe: return "spiffe";
    case NameKind::Dns: return "dns";
    case NameKind::Ip: return "ip";
  }
  broken("NameKind out of range");
}

namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr std::size_t kMostDnsBytes = 253;
constexpr std::size_t kMostLabelBytes = 63;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// What a person typed, for an error message: bounded, and without bytes that a terminal would act on.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string shown = "\"";
  for (char c : text.substr(0, kMost)) shown += c >= 0x20 && c < 0x7f ? c : '?';
  return shown + (text.size() > kMost ? "...\"" : "\"");
}

std::unexpected<Error> wrong(std::string_view text, std::string_view rule) {
  return fail(ErrorKind::Invalid, quoted(text) + ": " + std::string(rule));
}

/// Calls `each` with every piece of `text` between separators, until one returns an error.
template <class Each>
Result<void> split(std::string_view text, char separator, Each each) {
  for (;;) {
    std::size_t end = text.find(separator);
    bool last = end == std::string_view::npos;
    TRY(each(text.substr(0, end), last));
    if (last) return {};
    text.remove_prefix(end + 1);
  }
}

/// SPIFFE-ID, section 2.1.
Result<void> check_trust_domain_of(std::string_view domain, std::string_view whole) {
  if (domain.empty()) return wrong(whole, "the trust domain is empty");
  if (domain.size() > kMostTrustDomainBytes) return wrong(whole, "the trust domain is longer than 255 bytes");
  for (char c : domain) {
    if (is_upper(c)) return wrong(whole, "write the trust domain in lower case");
    if (c == ':') return wrong(whole, "a trust domain has no port");
    if (c == '@') return wrong(whole, "a trust domain has no user");
    if (!is_lower(c) && !is_digit(c) && c != '.' && c != '-' && c != '_')
      return wrong(whole, "a trust domain consists of a-z, 0-9, '.', '-' and '_'");
  }
  return {};
}

/// SPIFFE-ID, section 2.2: one segment of a path.
Result<void> check_segment(std::string_view segment, std::string_view whole) {
  if (segment.empty()) return wrong(whole, "the path has an empty segment or ends in '/'");
  if (segment == "." || segment == "..") return wrong(whole, "the path has a '.' or '..' segment");
  for (char c : segment) {
    if (c == '%') return wrong(whole, "a SPIFFE ID is not percent-encoded");
    if (c == '?' || c == '#') return wrong(whole, "a SPIFFE ID has no query and no fragment");
    if (!is_lower(c) && !is_upper(c) && !is_digit(c) && c != '.' && c != '-' && c != '_')
      return wrong(whole, "a path segment consists of letters, digits, '.', '-' and '_'");
  }
  return {};
}

/// What makes inet_aton and browsers read a whole name as an IPv4 address when it is the last label: "7", "0x7f".
bool is_number(std::string_view label) {
  if (!label.starts_with("0x")) return std::ranges::all_of(label, is_digit);
  return std::ranges::all_of(label.substr(2), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

enum class Wildcards { No, Yes };

Result<void> check_spiffe(std::string_view text, Wildcards wildcards) {
  if (text.size() > kMostSpiffeBytes) return wrong(text, "a SPIFFE ID has at most 2,048 bytes");
  if (!text.starts_with(kScheme)) return wrong(text, "a SPIFFE ID starts with spiffe:// in lower case");
  std::string_view rest = text.substr(kScheme.size());
  std::size_t slash = rest.find('/');
  TRY(check_trust_domain_of(rest.substr(0, slash), text));
  if (slash == std::string_view::npos) return {};
  return split(rest.substr(slash + 1), '/', [&](std::string_view segment, bool last) -> Result<void> {
    if (wildcards == Wildcards::Yes && segment.find('*') != std::string_view::npos) {
      if (segment == "*" || (segment == "**" && last)) return {};
      if (segment == "**") return wrong(text, "'**' stands for the rest of a path: it must be the last segment");
      return wrong(text, "'*' stands for a whole segment");
    }
    return check_segment(segment, text);
  });
}

/// A DNS name in canonical form. Labels as in RFC 1123, section 2.1; internationalised names in their ASCII form.
Result<std::string> canonical_dns(std::string_view text) {
  std::string dns(text);
  if (dns.ends_with('.')) dns.pop_back();
  if (dns.empty()) return wrong(text, "a name is empty");
  if (dns.size() > kMostDnsBytes) return wrong(text, "a DNS name has at most 253 bytes");
  for (char& c : dns)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');

  std::string_view labels = dns;
  bool wildcard = labels.starts_with("*.");
  if (wildcard) {
    labels.remove_prefix(2);
    // What OpenSSL asks for as well: `*.org` would stand for everybody who registers there.
    if (labels.find('.') == std::string_view::npos) return wrong(text, "a wildcard needs two labels behind it");
  }
  bool numeric = false;
  TRY(split(labels, '.', [&](std::string_view label, bool) -> Result<void> {
    if (label.empty()) return wrong(text, "a DNS name has no empty label");
    if (label.size() > kMostLabelBytes) return wrong(text, "a DNS label has at most 63 bytes");
    if (label.front() == '-' || label.back() == '-') return wrong(text, "a DNS label does not start or end with '-'");
    for (char c : label) {
      if (c == '*') return wrong(text, "'*' stands for the whole first label of a DNS name");
      if (!is_lower(c) && !is_digit(c) && c != '-')
        return wrong(text, "a DNS name consists of letters, digits, '-' and '.' (others in their xn-- form)");
    }
    numeric = is_number(label);
    return {};
  }));
  if (numeric) return wrong(text, "neither an IP address nor a DNS name (the last label is a number)");
  return dns;
}

std::optional<std::string> canonical_ip(std::string_view text) {
  if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::string zero_ended(text);
  std::array<unsigned char, sizeof(in6_addr)> address{};
  std::array<char, INET6_ADDRSTRLEN> shown{};
  for (int family : {AF_INET, AF_INET6})
    if (::inet_pton(family, zero_ended.c_str(), address.data()) == 1 &&
        ::inet_ntop(family, address.data(), shown.data(), shown.size()) != nullptr)
      return std::string(shown.data());
  return std::nullopt;
}

bool looks_like_spiffe(std::string_view text) {
  constexpr std::string_view kWord = "spiffe:";
  return text.size() >= kWord.size() && std::ranges::equal(text.substr(0, kWord.size()), kWord, [](char a, char b) {
           return (is_upper(a) ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

/// What other programs write for a pin, and what is nearly one.
bool looks_like_pin(std::string_view text) {
  std::string start(text.substr(0, KeyPin::kPrefix.size()));
  for (char& c : start)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return start.starts_with("spki-sha") || start.starts_with("sha256/") || start.starts_with("sha256:") ||
         start.starts_with("pin-sha256");
}

Result<Name> parse_name(std::string_view text, Wildcards wildcards) {
  if (looks_like_spiffe(text)) {
    TRY(check_spiffe(text, wildcards));
    return Name{NameKind::Spiffe, std::string(text)};
  }
  if (text.find("://") != std::string_view::npos)
    return wrong(text, "the only URIs that are names start with spiffe://");
  if (looks_like_pin(text))
    return wrong(text, "that names a key, and is no name: spki-sha256:... is for allow and expect");
  if (auto ip = canonical_ip(text)) return Name{NameKind::Ip, *std::move(ip)};
  if (text.find(':') != std::string_view::npos) return wrong(text, "not an IPv6 address (names have no port)");
  return Name{NameKind::Dns, TRY(canonical_dns(text))};
}

/// Whether `wild`, a DNS name with or without `*.`, stands for `exact`, which has none: exactly one label more.
bool covers(std::string_view wild, std::string_view exact) {
  if (!wild.starts_with("*.") || exact.starts_with("*.")) return false;
  std::size_t dot = exact.find('.');
  return dot != std::string_view::npos && dot > 0 && exact.substr(dot) == wild.substr(1);
}

/// The first segment of a path and, in `rest`, what follows it; `rest` without data is the end.
std::string_view next_segment(std::string_view& rest) {
  std::size_t slash = rest.find('/');
  std::string_view segment = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return segment;
}

bool spiffe_matches(std::string_view pattern, std::string_view id) {
  if (!id.starts_with(kScheme)) return false;
  pattern.remove_prefix(kScheme.size());
  id.remove_prefix(kScheme.size());
  if (next_segment(pattern) != next_segment(id)) return false;
  while (!pattern.empty() && !id.empty()) {
    std::string_view wanted = next_segment(pattern);
    if (wanted == "**") return true;
    std::string_view segment = next_segment(id);
    if (segment.empty() || (wanted != "*" && wanted != segment)) return false;
  }
  return pattern.empty() && id.empty();
}

}  // namespace

Result<Name> Name::parse(std::string_view text) {
  return parse_name(text, Wildcards::No);
}

std::string in_words(const std::vector<Name>& names) {
  std::string text;
  for (const Name& name : names) {
    if (!text.empty()) text += ' ';
    text += name.text;
  }
  return text;
}

Result<void> check_trust_domain(std::string_view text) {
  if (text.starts_with(kScheme)) return wrong(text, "write the trust domain alone, without spiffe://");
  return check_trust_domain_of(text, text);
}

std::string_view trust_domain_of(const Name& name) {
  std::string_view text = name.text;
  if (name.kind != NameKind::Spiffe || !text.starts_with(kScheme)) return {};
  text.remove_prefix(kScheme.size());
  return text.substr(0, text.find('/'));
}

Result<NamePattern> NamePattern::parse(std::string_view text) {
  constexpr std::string_view kAny = "any";
  if (text == kAny) return NamePattern(Form::Any, "any");
  if (looks_like_pin(text)) {
    auto pin = KeyPin::parse(text);
    if (!pin) return wrong(text, pin.error().what);
    return NamePattern(Form::Key, pin->to_string());
  }
  Name name = TRY(parse_name(text, Wildcards::Yes));
  // "any." and "ANY" are DNS names whose canonical text would be read as everybody the next time.
  if (name.text == kAny)
    return wrong(text, "write any, in lower case, for everybody; as a DNS name it cannot be told apart");
  switch (name.kind) {
    case NameKind::Spiffe: return NamePattern(Form::Spiffe, std::move(name.text));
    case NameKind::Dns: return NamePattern(Form::Dns, std::move(name.text));
    case NameKind::Ip: return NamePattern(Form::Ip, std::move(name.text));
  }
  broken("NameKind out of range");
}

bool NamePattern::matches(const Name& name) const {
  switch (form_) {
    case Form::Any: return true;
    case Form::Spiffe: return name.kind == NameKind::Spiffe && spiffe_matches(text_, name.text);
    case Form::Dns:
      return name.kind == NameKind::Dns && (text_ == name.text || covers(text_, name.text) || covers(name.text, text_));
    case Form::Ip: return name.kind == NameKind::Ip && text_ == name.text;
    case Form::Key: return false;
  }
  broken("NamePattern::Form out of range");
}

bool NamePattern::matches(const KeyPin& pin) const {
  return is_pin() && text_ == pin.to_string();
}

const Name* AccessPolicy::accepts(const std::vector<Name>& names) const {
  if (std::ranges::count(names, NameKind::Spiffe, &Name::kind) > 1) return nullptr;
  for (const Name& name : names)
    for (const NamePattern& pattern : allowed_)
      if (pattern.matches(name)) return &name;
  return nullptr;
}

bool AccessPolicy::accepts_key(const KeyPin& pin) const {
  return std::ranges::any_of(allowed_, [&](const NamePattern& pattern) { return pattern.matches(pin); });
}

bool AccessPolicy::has_pins() const {
  return std::ranges::any_of(allowed_, &NamePattern::is_pin);
}

}  // namespace cipherway::identity
