#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace cipherway::node {

/// What the processes of a node have counted since it started. Each counts from its own beginning; here its last word
/// stays when it is gone, and so does what it counted before it began anew, so that no sum ever goes back. Pure; lives
/// in the supervisor.
class Counters {
 public:
  /// What is counted: of a channel, or of the whole process where `channel` is empty.
  struct Name {
    std::string channel;
    std::string what;
    auto operator<=>(const Name&) const = default;
  };
  using Counts = std::map<Name, std::uint64_t>;

  /// What a process has counted until now.
  void take(pid_t pid, Counts counts);
  /// It is gone: what it said last is final.
  void ended(pid_t pid);

  std::uint64_t sum(const std::string& channel, const std::string& what) const;
  /// Every sum of a channel, those that are zero as well.
  std::map<std::string, std::uint64_t> of_channel(const std::string& channel) const;

  /// Forgets all other channels: they are not in the config any more.
  void keep_channels(const std::set<std::string>& channels);

 private:
  std::map<pid_t, Counts> last_;
  Counts before_;  // of processes that are gone, and of those that are there before they began anew
};

}  // namespace cipherway::node
