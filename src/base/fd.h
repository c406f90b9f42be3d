#pragma once

#include "base/error.h"
#include "base/secret_bytes.h"

#include <string>
#include <utility>

namespace cipherway {

/// Owns one file descriptor and closes it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  void reset();
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// A second descriptor for the same open file, close-on-exec.
Result<Fd> duplicate(const Fd& fd);

struct SocketPair {
  Fd ours;
  Fd theirs;
};
/// A connected pair of non-blocking, close-on-exec UNIX stream sockets.
Result<SocketPair> stream_pair();

/// The whole of a regular file, at most `most` bytes; a larger file is a Limit error.
Result<std::string> read_file(const std::string& path, std::size_t most);
/// The same for a file that holds a secret: its bytes are never in ordinary memory.
Result<SecretBytes> read_secret_file(const std::string& path, std::size_t most);

/// Writes a file whole or not at all (temporary file, fsync, rename), with the given permission bits.
Result<void> write_file(const std::string& path, BytesView content, unsigned mode);
/// The same for a file that must not exist yet: one that does is left as it is, and is a Denied error.
Result<void> write_new_file(const std::string& path, BytesView content, unsigned mode);

}  // namespace cipherway
