#include "node/user.h"

#include <pwd.h>

#include <cstdio>
#include <vector>

namespace cipherway::node {

Result<User> find_user(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> strings(16 * 1024);
  int error = ::getpwnam_r(name.c_str(), &entry, strings.data(), strings.size(), &found);
  if (error != 0) return fail_errno("look up user \"" + name + "\"", error);
  if (found == nullptr) return fail(ErrorKind::NotFound, "no user \"" + name + "\" on this machine");
  return User{entry.pw_uid, entry.pw_gid};
}

std::string user_name(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> strings(16 * 1024);
  if (::getpwuid_r(uid, &entry, strings.data(), strings.size(), &found) != 0 || found == nullptr)
    return std::to_string(uid);
  return entry.pw_name;
}

std::string user_of_process(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/status";
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return "";
  char line[256];
  std::string out;
  unsigned real = 0, effective = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "Uid: %u %u", &real, &effective) == 2) {
      out = user_name(effective);
      break;
    }
  }
  std::fclose(file);
  return out;
}

}  // namespace cipherway::node
