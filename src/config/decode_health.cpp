#include "config/decoder.h"
#include "config/words.h"

#include <algorithm>

namespace cipherway::config {

namespace {

constexpr unsigned kMostInARow = 1'000;
constexpr std::chrono::milliseconds kLeastInterval{100};

constexpr Health::Check kChecks[] = {Health::Check::Tcp, Health::Check::Tls, Health::Check::Http};

/// RFC 9112, section 3.2.1: origin-form. Printable ASCII, so that it stays one line of a request.
bool is_path(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#' && c != '"'; });
}

/// RFC 9110, section 7.2: a host with or without a port.
bool is_host(std::string_view text) {
  return Address::parse(text) || HostPort::parse(text) || is_host_name(text) ||
         Address::parse(std::string(text) + ":1");
}

}  // namespace

void Decoder::read_health(const Part& part, const To& to, Health& health) {
  std::vector<std::string_view> words;
  for (Health::Check check : kChecks) words.push_back(to_string(check));
  auto word = one_of(part, "check", words);
  if (word) health.check = kChecks[*word];
  const Value* check = part.fields.find("check");

  for (std::string_view key : {"path", "host"}) {
    if (!word || health.check == Health::Check::Http || !part.fields.has(key)) continue;
    report_.add(part.fields.find(key)->at,
                part.of(key) + " has no effect with check = " + quoted(to_string(health.check)) +
                    "; say check = \"http\", or remove it",
                check->at);
  }
  if (auto path = part.fields.text("path")) {
    health.path = path->value;
    if (!is_path(health.path))
      report_.add(path->at, part.of("path") + " is " + quoted(health.path) +
                                "; it must begin with / and have no spaces, quotes or fragments");
  }
  if (auto host = part.fields.text("host")) {
    health.host = host->value;
    if (!is_host(host->value))
      report_.add(host->at, part.of("host") + " is " + quoted(host->value) + "; give a DNS name or an address");
  }
  duration(part, "interval", health.interval, kLeastInterval);
  health.timeout = std::min(health.timeout, health.interval);
  duration(part, "timeout", health.timeout);
  if (health.timeout > health.interval)
    report_.add(part.fields.find("timeout")->at,
                part.of("timeout") + " is longer than interval, so that checks would overlap; make it shorter",
                part.fields.has("interval") ? std::optional(part.fields.find("interval")->at) : std::nullopt);
  if (auto n = whole(part.fields, "rise", part.of("rise"), 1, kMostInARow)) health.rise = *n;
  if (auto n = whole(part.fields, "fall", part.of("fall"), 1, kMostInARow)) health.fall = *n;

  if (!word || to.protect.at.line == 0) return;
  if (health.check == Health::Check::Tls && to.protect.value == Protect::None)
    report_.add(
        check->at,
        part.of("check") + " is \"tls\", but to.protect is \"none\": there is no handshake to check; say \"tcp\"",
        to.protect.at);
  if (health.check != Health::Check::Tcp && to.protect.value == Protect::Passthrough)
    report_.add(check->at,
                part.of("check") + " is " + quoted(to_string(health.check)) +
                    ", but with to.protect = \"passthrough\" the TLS is not ours to speak; say \"tcp\"",
                to.protect.at);
}

void Decoder::read_eject(const Part& part, Eject& eject) {
  if (auto n = whole(part.fields, "failures", part.of("failures"), 0, kMostInARow)) eject.failures = *n;
  duration(part, "for", eject.duration);
  if (eject.failures == 0 && part.fields.has("for"))
    report_.add(part.fields.find("for")->at, part.of("for") + " has no effect with failures = 0; remove one",
                part.fields.find("failures")->at);
}

}  // namespace cipherway::config
