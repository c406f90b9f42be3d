#include "base/fd.h"
#include "base/log.h"
#include "base/sandbox.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace cipherway::sandbox {

namespace {

// The kernel's interface (linux/landlock.h), of which Debian 12's header knows the first two versions only.
struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;  // version 4
  std::uint64_t scoped;              // version 6
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
};
constexpr unsigned kVersionFlag = 1;
constexpr int kRulePathBeneath = 1;

constexpr std::uint64_t kExecute = 1 << 0;
constexpr std::uint64_t kWriteFile = 1 << 1;
constexpr std::uint64_t kReadFile = 1 << 2;
constexpr std::uint64_t kReadDirectory = 1 << 3;
constexpr std::uint64_t kAllOfVersion1 = (1 << 13) - 1;
constexpr std::uint64_t kRefer = 1 << 13;        // version 2
constexpr std::uint64_t kTruncate = 1 << 14;     // version 3
constexpr std::uint64_t kIoctlDevice = 1 << 15;  // version 5
constexpr std::uint64_t kBindTcp = 1 << 0;
constexpr std::uint64_t kConnectTcp = 1 << 1;
constexpr std::uint64_t kScopeAbstractSockets = 1 << 0;
constexpr std::uint64_t kScopeSignals = 1 << 1;
constexpr std::uint64_t kFileRights = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDevice;

std::uint64_t known_to(int version) {
  std::uint64_t rights = kAllOfVersion1;
  if (version >= 2) rights |= kRefer;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kIoctlDevice;
  return rights;
}

/// What is handled and allowed by no rule is denied. There are no rules for ports: a ruleset can only shrink, and a
/// reload may bring targets at other ones.
std::uint64_t denied(Tcp tcp) {
  switch (tcp) {
    case Tcp::None: return kBindTcp | kConnectTcp;
    case Tcp::Connect: return kBindTcp;
    case Tcp::Any: return 0;
  }
  broken("Tcp out of range");
}

/// The kernel takes the members that its version knows, and refuses more.
std::size_t size_known_to(int version) {
  if (version >= 6) return sizeof(RulesetAttributes);
  return version >= 4 ? offsetof(RulesetAttributes, scoped) : offsetof(RulesetAttributes, handled_access_net);
}

}  // namespace

Result<int> restrict_files(std::span<const FileRule> rules, Tcp tcp) {
  auto version = static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionFlag));
  if (version < 0) {
    log::warn("sandbox.no-landlock", {{"reason", fail_errno("ask the kernel for Landlock").error()}});
    return 0;
  }
  std::uint64_t handled = known_to(version);
  RulesetAttributes attributes{handled, denied(tcp), kScopeAbstractSockets | kScopeSignals};
  Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size_known_to(version), 0)));
  if (!ruleset) return fail_errno("make a Landlock ruleset");
  for (const FileRule& rule : rules) {
    Fd path(::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
    if (!path) return fail_errno("open " + rule.path + " for the sandbox");
    struct stat about{};
    if (::fstat(path.get(), &about) != 0) return fail_errno("examine " + rule.path);
    std::uint64_t rights = kReadFile | kReadDirectory;
    if (rule.access == FileRule::Access::Write) rights = handled & ~(kExecute | kIoctlDevice);
    if (!S_ISDIR(about.st_mode)) rights &= kFileRights;
    PathBeneath beneath{rights & handled, path.get()};
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), kRulePathBeneath, &beneath, 0) != 0)
      return fail_errno("allow " + rule.path + " in the sandbox");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("forbid new privileges");
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return fail_errno("restrict files with Landlock");
  return version;
}

}  // namespace cipherway::sandbox
