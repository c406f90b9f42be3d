#include "gateway/routes.h"

#include <algorithm>
#include <array>

namespace cipherway::gateway {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

}  // namespace

Routes::Routes(const std::vector<Answers>& channels) {
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const Answers& answers = channels[i];
    if (answers.server_names.empty()) default_.push_back({i, answers.alpn});
    for (const std::string& name : answers.server_names) {
      bool wildcard = name.starts_with("*.");
      auto& by_name = wildcard ? wildcard_ : exact_;
      by_name[lower(wildcard ? std::string_view(name).substr(2) : name)].push_back({i, answers.alpn});
    }
  }
  trivial_ = channels.size() == 1 && default_.size() == 1;
}

/// DNS names compare without case (RFC 6066, section 3); a wildcard stands for one label (RFC 6125, section 6.4.3).
const Routes::Candidates* Routes::named(std::string_view server_name) const {
  std::array<char, 255> buffer;
  if (server_name.empty() || server_name.size() > buffer.size()) return nullptr;
  std::ranges::transform(server_name, buffer.begin(), [](char c) { return lower(c); });
  std::string_view name(buffer.data(), server_name.size());
  if (auto found = exact_.find(name); found != exact_.end()) return &found->second;
  if (wildcard_.empty()) return nullptr;
  std::size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos) return nullptr;
  auto found = wildcard_.find(name.substr(dot + 1));
  return found != wildcard_.end() ? &found->second : nullptr;
}

std::expected<std::size_t, Routes::Miss> Routes::choose(std::string_view server_name,
                                                        tls::ProtocolNames offered) const {
  const Candidates* candidates = named(server_name);
  if (candidates == nullptr) candidates = &default_;
  if (candidates->empty()) return std::unexpected(server_name.empty() ? Miss::NoName : Miss::UnknownName);
  for (const Candidate& candidate : *candidates)
    for (const std::string& protocol : candidate.alpn)
      if (offered.contains(protocol)) return candidate.channel;
  for (const Candidate& candidate : *candidates)
    if (candidate.alpn.empty()) return candidate.channel;
  if (offered.empty()) return candidates->front().channel;
  return std::unexpected(Miss::NoSharedAlpn);
}

}  // namespace cipherway::gateway
