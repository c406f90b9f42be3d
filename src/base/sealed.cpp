#include "base/sealed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cipherway {

namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

}  // namespace

Result<Fd> to_sealed_memory(const char* name, BytesView content) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("memfd_create");
  for (BytesView rest = content; !rest.empty();) {
    ssize_t written = ::write(fd.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail_errno("write sealed memory");
    rest = rest.subspan(static_cast<std::size_t>(written));
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return fail_errno("seal memory");
  return fd;
}

Result<std::string> from_sealed_memory(const Fd& fd, std::size_t most) {
  // Only a memfd has seals: reading from anything else could block.
  int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return fail(ErrorKind::Protocol, "the memory is not sealed");
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return fail_errno("fstat sealed memory");
  if (about.st_size < 0 || static_cast<std::size_t>(about.st_size) > most)
    return fail(ErrorKind::Limit, "the sealed memory is larger than " + std::to_string(most) + " bytes");
  std::string out(static_cast<std::size_t>(about.st_size), '\0');
  // By offset: the file position is shared with whoever else holds the descriptor.
  for (std::size_t done = 0; done < out.size();) {
    ssize_t n = ::pread(fd.get(), out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_errno("read sealed memory", n == 0 ? EIO : errno);
    done += static_cast<std::size_t>(n);
  }
  return out;
}

}  // namespace cipherway
