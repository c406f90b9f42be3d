#include "node/counters.h"

namespace cipherway::node {

namespace {

void erase_other_channels(Counters::Counts& counts, const std::set<std::string>& channels) {
  std::erase_if(counts, [&](const auto& each) {
    const std::string& channel = each.first.channel;
    return !channel.empty() && !channels.contains(channel);
  });
}

}  // namespace

void Counters::take(pid_t pid, Counts counts) {
  Counts& last = last_[pid];
  for (const auto& [name, had] : last) {
    auto has = counts.find(name);
    bool began_anew = has == counts.end() || has->second < had;
    if (began_anew) before_[name] += had;
  }
  last = std::move(counts);
}

void Counters::ended(pid_t pid) {
  auto last = last_.extract(pid);
  if (last.empty()) return;
  for (const auto& [name, had] : last.mapped()) before_[name] += had;
}

std::uint64_t Counters::sum(const std::string& channel, const std::string& what) const {
  Name name{channel, what};
  std::uint64_t out = 0;
  if (auto found = before_.find(name); found != before_.end()) out += found->second;
  for (const auto& [pid, last] : last_)
    if (auto found = last.find(name); found != last.end()) out += found->second;
  return out;
}

std::map<std::string, std::uint64_t> Counters::of_channel(const std::string& channel) const {
  std::map<std::string, std::uint64_t> out;
  auto add = [&](const Counts& counts) {
    for (auto it = counts.lower_bound(Name{channel, ""}); it != counts.end() && it->first.channel == channel; ++it)
      out[it->first.what] += it->second;
  };
  add(before_);
  for (const auto& [pid, last] : last_) add(last);
  return out;
}

void Counters::keep_channels(const std::set<std::string>& channels) {
  erase_other_channels(before_, channels);
  for (auto& [pid, last] : last_) erase_other_channels(last, channels);
}

}  // namespace cipherway::node
