#include "node/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cipherway::node {

std::string control_socket_path(const std::string& state) {
  return state + "/control.sock";
}

Result<StateDirectory> StateDirectory::hold(const std::string& path) {
  if (control_socket_path(path).size() >= sizeof(sockaddr_un::sun_path))
    return fail(ErrorKind::Limit, "state directory " + path + " has a path too long for a UNIX socket in it; at most " +
                                      std::to_string(sizeof(sockaddr_un::sun_path) - sizeof("/control.sock")) +
                                      " bytes");
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("make state directory " + path);
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno("open state directory " + path);
  struct stat about{};
  if (::fstat(directory.get(), &about) != 0) return fail_errno("examine state directory " + path);
  if (about.st_uid != ::geteuid())
    return fail(ErrorKind::Denied, "state directory " + path + " belongs to user " + std::to_string(about.st_uid) +
                                       ", not to " + std::to_string(::geteuid()) +
                                       ": it must belong to who starts the node");
  if (::fchmod(directory.get(), 0700) != 0) return fail_errno("close state directory " + path + " to others");

  Fd lock(::openat(directory.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_errno("open the lock in state directory " + path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno("lock state directory " + path);
    char holder[16] = {};
    [[maybe_unused]] ssize_t got = ::pread(lock.get(), holder, sizeof holder - 1, 0);
    holder[std::strspn(holder, "0123456789")] = '\0';
    return fail(ErrorKind::Denied, "another node runs on state directory " + path + ", pid " +
                                       (holder[0] != '\0' ? holder : "unknown") +
                                       ": stop it, or give this one a state directory of its own");
  }
  std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0)
    return fail_errno("write the lock in state directory " + path);
  return StateDirectory(path, std::move(lock));
}

}  // namespace cipherway::node
