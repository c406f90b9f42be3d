#include "node/status_site.h"

#include "node/health.h"
#include "node/metrics.h"
#include "node/page.h"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace cipherway::node {

namespace {

std::string_view phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

/// `'sha256-...'` of the only element of that name in the page: what a Content-Security-Policy may let in.
std::string source_of(std::string_view page, std::string_view element) {
  std::string open = "<" + std::string(element) + ">";
  std::string close = "</" + std::string(element) + ">";
  std::size_t begin = page.find(open);
  std::size_t end = page.find(close);
  if (begin == std::string_view::npos || end == std::string_view::npos) broken("the page has no such element");
  begin += open.size();
  std::array<unsigned char, 32> digest{};
  std::array<unsigned char, 45> text{};
  unsigned size = 0;
  if (EVP_Digest(page.data() + begin, end - begin, digest.data(), &size, EVP_sha256(), nullptr) != 1)
    broken("SHA-256 of the page");
  EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
  return "'sha256-" + std::string(reinterpret_cast<const char*>(text.data())) + "'";
}

/// The name or address in a Host field, without its port and brackets, in lower case.
std::string host_name(std::string_view host) {
  if (host.starts_with('[')) {
    std::size_t end = host.find(']');
    return end == std::string_view::npos ? std::string(host) : std::string(host.substr(1, end - 1));
  }
  std::string name(host.substr(0, host.find(':')));
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  if (name.ends_with('.')) name.pop_back();
  return name;
}

/// 127.0.0.0/8, ::1 and localhost: what an attacker's page cannot be called.
bool is_loopback(const std::string& name) {
  if (name == "localhost") return true;
  auto address = Address::parse(name.contains(':') ? "[" + name + "]:1" : name + ":1");
  return address && !address->is_unix() && address->is_local();
}

/// "*.example.org" stands for one more label.
bool names_host(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with("*.")) return pattern == name;
  std::size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && name.substr(dot) == pattern.substr(1);
}

}  // namespace

StatusSite::StatusSite(const Address& listens_on)
    : any_host_(listens_on.is_unix()),
      page_(kPage),
      page_policy_(
          "Content-Security-Policy: default-src 'none'; script-src " + source_of(page_, "script") + "; style-src " +
          source_of(page_, "style") +
          "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n") {}

/// DNS rebinding: a page of somebody else's, whose name suddenly leads here, must not read what we say. Its Host is
/// that name; ours are loopback, and those in this node's certificates, for a channel in front of this server.
bool StatusSite::is_for_us(const std::string& host, const Report* report) const {
  if (any_host_) return true;
  std::string name = host_name(host);
  if (is_loopback(name)) return true;
  if (report == nullptr) return false;
  for (const Json& identity : list_in(*report->values, "identities"))
    for (const Json& each : list_in(identity, "names"))
      if (each.is_string() && names_host(each.get<std::string>(), name)) return true;
  return false;
}

HttpResponse StatusSite::answer(const HttpRequest& request, const Report* report, WallClock::time_point now) const {
  if (request.host && !is_for_us(*request.host, report)) return refusal(421);
  if (request.path == "/") return {.type = "text/html; charset=utf-8", .body = page_, .fields = page_policy_};
  bool known = request.path == "/metrics" || request.path == "/healthz" || request.path == "/status.json";
  if (!known) return refusal(404);
  if (report == nullptr) return {.status = 503, .body = "the supervisor does not answer\n"};
  if (request.path == "/status.json") return {.type = "application/json", .body = report->text};
  if (request.path == "/metrics")
    return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_text(*report->values)};
  Health health = health_of(*report->values, request.parameter("channel"), now);
  int status = health.verdict == Health::Verdict::Good ? 200 : health.verdict == Health::Verdict::Bad ? 503 : 404;
  return {.status = status, .body = std::move(health.lines)};
}

HttpResponse refusal(int status) {
  HttpResponse out{.status = status, .body = std::string(phrase(status)) + "\n"};
  if (status == 405) out.fields = "Allow: GET, HEAD\r\n";
  if (status == 404) out.body = "Not Found: there are /, /metrics, /healthz and /status.json\n";
  if (status == 421)
    out.body =
        "Misdirected Request: this server answers to loopback names and to the names of this node's certificates\n";
  return out;
}

std::string to_wire(const HttpResponse& response, bool head) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(phrase(response.status)) + "\r\n";
  out += "Content-Type: " + response.type + "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
  out += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n";
  out += "Cross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\n";
  out += response.fields.contains("Content-Security-Policy")
             ? ""
             : "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";
  out += response.fields + "\r\n";
  if (!head) out += response.body;
  return out;
}

}  // namespace cipherway::node
