#include "keyholder/key_file.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace cipherway::keyholder {

Result<SecretBytes> read_key_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail_errno("open key file " + path);
  // Everything is asked of the open file, so that it cannot be exchanged in between.
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return fail_errno("examine key file " + path);
  if (!S_ISREG(about.st_mode)) return fail(ErrorKind::Invalid, "key file " + path + " is not a regular file");
  if (about.st_uid != 0 && about.st_uid != ::geteuid())
    return fail(ErrorKind::Denied, "key file " + path + " belongs to user " + std::to_string(about.st_uid) +
                                       ", neither root nor the one that we run as");
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", about.st_mode & 07777);
    return fail(ErrorKind::Denied,
                "key file " + path + " has mode " + mode + ", open to others than its owner: chmod 600");
  }
  auto size = static_cast<std::size_t>(about.st_size);
  if (size == 0) return fail(ErrorKind::Invalid, "key file " + path + " is empty");
  if (size > kMostKeyFileBytes)
    return fail(ErrorKind::Limit,
                "key file " + path + " is larger than " + std::to_string(kMostKeyFileBytes) + " bytes");
  SecretBytes content(size);
  for (std::size_t done = 0; done < size;) {
    ssize_t got = ::read(fd.get(), content.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read key file " + path);
    if (got == 0) return fail(ErrorKind::Invalid, "key file " + path + " shrank while it was read");
    done += static_cast<std::size_t>(got);
  }
  return content;
}

}  // namespace cipherway::keyholder
