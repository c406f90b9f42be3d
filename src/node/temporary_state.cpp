#include "node/temporary_state.h"

#include "base/fd.h"
#include "node/state_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <vector>

namespace cipherway::node {

namespace {

constexpr std::string_view kPrefix = "cipherway-gateway-";

std::string folder_for_state() {
  for (const char* variable : {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && value[0] == '/' && ::access(value, W_OK | X_OK) == 0) {
      std::string_view folder(value);  // RUNTIME_DIRECTORY may list several
      return std::string(folder.substr(0, folder.find(':')));
    }
  }
  return "/tmp";
}

/// What a state directory holds, and nothing else: a folder with anything more in it stays.
void remove_state(const std::string& path) {
  ::unlink(control_socket_path(path).c_str());
  ::unlink((path + "/lock").c_str());
  ::rmdir(path.c_str());
}

/// Whether nobody lives there any more: who makes one takes the lock first and then writes its pid into it, so a lock
/// that is free and not empty was let go by the end of its process.
bool is_left_behind(const std::string& path, Fd& lock) {
  struct stat about{};
  if (::lstat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode) || about.st_uid != ::geteuid()) return false;
  lock = Fd(::open((path + "/lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
  return ::fstat(lock.get(), &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0;
}

void remove_left_behind(const std::string& folder) {
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return;
  std::vector<std::string> found;
  while (const dirent* entry = ::readdir(directory))
    if (std::string_view(entry->d_name).starts_with(kPrefix)) found.push_back(folder + "/" + entry->d_name);
  ::closedir(directory);
  for (const std::string& path : found) {
    Fd lock;
    if (is_left_behind(path, lock)) remove_state(path);
  }
}

}  // namespace

Result<TemporaryState> TemporaryState::make() {
  std::string folder = folder_for_state();
  remove_left_behind(folder);
  std::string path = folder + "/" + std::string(kPrefix) + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return fail_errno("make a state directory in " + folder);
  return TemporaryState(std::move(path));
}

TemporaryState::~TemporaryState() {
  if (!path_.empty()) remove_state(path_);
}

}  // namespace cipherway::node
