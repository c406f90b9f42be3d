#include "base/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <vector>

namespace cipherway {

Result<void> harden_process() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("forbid dumps of this process");
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return fail_errno("forbid core files");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("forbid new privileges");
  return {};
}

Result<void> drop_to(uid_t uid, gid_t gid) {
  if (uid == 0 || gid == 0) return fail(ErrorKind::Invalid, "drop privileges: root is nobody to drop to");
  if (::setgroups(0, nullptr) != 0) return fail_errno("give up supplementary groups");
  if (::setresgid(gid, gid, gid) != 0) return fail_errno("become group " + std::to_string(gid));
  if (::setresuid(uid, uid, uid) != 0) return fail_errno("become user " + std::to_string(uid));
  uid_t real = 0, effective = 0, saved = 0;
  gid_t real_group = 0, effective_group = 0, saved_group = 0;
  if (::getresuid(&real, &effective, &saved) != 0 || ::getresgid(&real_group, &effective_group, &saved_group) != 0)
    return fail_errno("learn who we are");
  if (real != uid || effective != uid || saved != uid || real_group != gid || effective_group != gid ||
      saved_group != gid)
    return fail(ErrorKind::System, "privileges were not dropped as asked");
  if (::setuid(0) == 0 || ::setgid(0) == 0) return fail(ErrorKind::System, "privileges could be had back");
  // The kernel makes a process that changed its user dumpable again where suid_dumpable says so.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("forbid dumps of this process");
  return {};
}

Result<void> give_up_capabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return fail_errno("give up ambient capabilities");
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capset, &header, none) != 0) return fail_errno("give up capabilities");
  return {};
}

namespace {
Result<void> close_between(unsigned first, unsigned last) {
  if (first > last) return {};
  if (::syscall(SYS_close_range, first, last, 0U) != 0) return fail_errno("close descriptors");
  return {};
}
}  // namespace

Result<void> close_other_descriptors(std::span<const int> keep) {
  std::vector<int> sorted(keep.begin(), keep.end());
  std::sort(sorted.begin(), sorted.end());
  unsigned next = 0;
  for (int fd : sorted) {
    if (fd < 0) continue;
    auto number = static_cast<unsigned>(fd);
    if (number > next) TRY(close_between(next, number - 1));
    next = std::max(next, number + 1);
  }
  return close_between(next, UINT_MAX);
}

}  // namespace cipherway
