#include "base/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cipherway {

void Fd::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Result<Fd> duplicate(const Fd& fd) {
  int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail_errno("duplicate a descriptor");
  return Fd(copy);
}

Result<SocketPair> stream_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
    return fail_errno("make a socket pair");
  return SocketPair{Fd(fds[0]), Fd(fds[1])};
}

namespace {

/// Opens a regular file for reading and learns its size; a FIFO or device must not hang or feed us.
Result<Fd> open_regular(const std::string& path, std::size_t most, std::size_t& size) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail_errno("open " + path);
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return fail_errno("examine " + path);
  if (!S_ISREG(about.st_mode)) return fail(ErrorKind::Invalid, path + " is not a regular file");
  if (static_cast<std::size_t>(about.st_size) > most)
    return fail(ErrorKind::Limit, path + " is larger than " + std::to_string(most) + " bytes");
  size = static_cast<std::size_t>(about.st_size);
  return fd;
}

Result<void> read_exactly(const Fd& fd, const std::string& path, std::uint8_t* into, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    ssize_t got = ::read(fd.get(), into + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + path);
    if (got == 0) return fail(ErrorKind::Invalid, path + " shrank while it was read");
    done += static_cast<std::size_t>(got);
  }
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t most) {
  std::size_t size = 0;
  Fd fd = TRY(open_regular(path, most, size));
  std::string content(size, '\0');
  TRY(read_exactly(fd, path, reinterpret_cast<std::uint8_t*>(content.data()), size));
  return content;
}

Result<SecretBytes> read_secret_file(const std::string& path, std::size_t most) {
  std::size_t size = 0;
  Fd fd = TRY(open_regular(path, most, size));
  SecretBytes content(size);
  TRY(read_exactly(fd, path, content.data(), size));
  return content;
}

namespace {

enum class Existing { Replace, Keep };

Result<void> write_whole(const std::string& path, BytesView content, unsigned mode, Existing existing) {
  std::string temporary = path + ".XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno("create a file beside " + path);
  auto abandon = [&](std::string_view doing) {
    auto error = fail_errno(doing);
    ::unlink(temporary.c_str());
    return error;
  };
  std::size_t done = 0;
  while (done < content.size()) {
    ssize_t put = ::write(fd.get(), content.data() + done, content.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return abandon("write " + path);
    done += static_cast<std::size_t>(put);
  }
  if (::fchmod(fd.get(), mode) != 0) return abandon("set the permissions of " + path);
  if (::fsync(fd.get()) != 0) return abandon("write " + path + " to disk");
  if (existing == Existing::Replace) {
    if (::rename(temporary.c_str(), path.c_str()) != 0) return abandon("put " + path + " in place");
    return {};
  }
  // A link is never made over a name that is taken; a rename would be.
  int linked = ::link(temporary.c_str(), path.c_str());
  int error = errno;
  ::unlink(temporary.c_str());
  if (linked != 0 && error == EEXIST) return fail(ErrorKind::Denied, path + " exists already");
  if (linked != 0) return fail_errno("put " + path + " in place", error);
  return {};
}

}  // namespace

Result<void> write_file(const std::string& path, BytesView content, unsigned mode) {
  return write_whole(path, content, mode, Existing::Replace);
}

Result<void> write_new_file(const std::string& path, BytesView content, unsigned mode) {
  return write_whole(path, content, mode, Existing::Keep);
}

}  // namespace cipherway
