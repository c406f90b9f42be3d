#include "gateway/name_service.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace cipherway::gateway {

namespace {

constexpr std::size_t kMostName = 253;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/// Calls `line` with the words of every line, comments removed.
template <class Line>
void for_each_line(std::string_view text, std::string_view comment, Line line) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    rest = rest.substr(0, rest.find_first_of(comment));
    words.clear();
    while (!rest.empty()) {
      std::size_t begin = 0;
      while (begin < rest.size() && is_space(rest[begin])) ++begin;
      std::size_t stop = begin;
      while (stop < rest.size() && !is_space(rest[stop])) ++stop;
      if (stop > begin) words.push_back(rest.substr(begin, stop - begin));
      rest.remove_prefix(stop);
    }
    if (!words.empty()) line(words);
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

/// The address in the form that Address writes, or nothing. A zone (fe80::1%eth0) means nothing to other machines.
std::optional<std::string> ip(std::string_view text) {
  std::string copy(text.substr(0, INET6_ADDRSTRLEN));
  in6_addr six{};
  if (::inet_pton(AF_INET, copy.c_str(), &six) != 1 && ::inet_pton(AF_INET6, copy.c_str(), &six) != 1)
    return std::nullopt;
  return copy;
}

Result<Address> with_port(const std::string& ip, std::uint16_t port) {
  bool six = ip.find(':') != std::string::npos;
  return Address::parse((six ? "[" + ip + "]" : ip) + ":" + std::to_string(port));
}

bool ends_in_localhost(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost");
}

}  // namespace

NameService NameService::parse(std::string_view resolv_conf, std::string_view hosts) {
  NameService out;
  for_each_line(resolv_conf, "#;", [&](const std::vector<std::string_view>& words) {
    if (words[0] == "nameserver" && words.size() > 1 && out.servers.size() < kMostServers) {
      if (auto address = ip(words[1]))
        if (auto server = with_port(*address, 53)) out.servers.push_back(*server);
    }
    if (words[0] == "search" || words[0] == "domain") {  // the last one counts
      out.search.clear();
      for (std::size_t i = 1; i < words.size() && out.search.size() < kMostSearch; ++i) {
        std::string domain = lower(words[i]);
        while (domain.ends_with('.')) domain.pop_back();
        if (!domain.empty() && domain.size() <= kMostName) out.search.push_back(std::move(domain));
      }
    }
    if (words[0] == "options") {
      for (std::string_view option : words) {
        if (!option.starts_with("ndots:")) continue;
        unsigned n = 0;
        auto [end, error] = std::from_chars(option.data() + 6, option.data() + option.size(), n);
        if (error == std::errc() && end == option.data() + option.size()) out.ndots = std::min(n, 15u);
      }
    }
  });
  if (out.servers.empty()) out.servers.push_back(*Address::parse("127.0.0.1:53"));

  for_each_line(hosts, "#", [&](const std::vector<std::string_view>& words) {
    auto address = ip(words[0]);
    if (!address) return;
    for (std::size_t i = 1; i < words.size() && out.hosts.size() < kMostHosts; ++i) {
      if (words[i].size() > kMostName) continue;
      auto& of_name = out.hosts[lower(words[i])];
      if (of_name.size() < kMostAddresses && std::ranges::find(of_name, *address) == of_name.end())
        of_name.push_back(*address);
    }
  });
  return out;
}

std::vector<Address> NameService::local(std::string_view host, std::uint16_t port) const {
  std::vector<Address> out;
  if (auto found = hosts.find(host); found != hosts.end()) {
    for (const std::string& each : found->second)
      if (auto address = with_port(each, port)) out.push_back(*address);
  } else if (ends_in_localhost(host)) {
    out = {*with_port("127.0.0.1", port), *with_port("::1", port)};
  }
  return out;
}

std::vector<std::string> NameService::questions(std::string_view host) const {
  std::string name(host);
  auto dots = static_cast<unsigned>(std::ranges::count(name, '.'));
  std::vector<std::string> out;
  if (dots >= ndots) out.push_back(name);
  for (const std::string& domain : search)
    if (name.size() + 1 + domain.size() <= kMostName) out.push_back(name + "." + domain);
  if (dots < ndots) out.push_back(name);
  return out;
}

std::chrono::milliseconds after_answer(std::chrono::seconds time_to_live) {
  using namespace std::chrono_literals;
  return std::clamp<std::chrono::milliseconds>(time_to_live, 1s, 5min);
}

std::chrono::milliseconds after_failure(unsigned failures) {
  using namespace std::chrono_literals;
  return std::min<std::chrono::milliseconds>(1s * (1 << std::min(failures, 6u)) / 2, 30s);
}

}  // namespace cipherway::gateway
