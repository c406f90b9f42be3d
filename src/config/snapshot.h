#pragma once

#include "base/bytes.h"
#include "base/fd.h"
#include "config/config.h"

#include <map>
#include <string>

namespace cipherway::config {

/// A config together with the public files that it names, as they were at one moment. The supervisor, which can open
/// files, makes it; gateway workers, which cannot, get it whole and decode and prepare the same bytes with the same
/// code. It never holds a private key.
struct Snapshot {
  static constexpr std::size_t kMostFileBytes = 1 << 20;
  static constexpr std::size_t kMostFiles = 3'000;
  static constexpr std::size_t kMostBytes = 16 << 20;  ///< of all of it, encoded

  std::string text;                                       ///< of the config file
  std::string file;                                       ///< how problems name it
  std::string directory;                                  ///< what relative paths start from
  std::map<std::string, std::string, std::less<>> files;  ///< path as in config::Node, and content

  bool operator==(const Snapshot&) const = default;

  /// A Limit error when it would be larger than kMostBytes.
  Result<Bytes> to_bytes() const;
  static Result<Snapshot> from_bytes(BytesView bytes);

  /// The encoding in a memfd that nobody can change any more (F_SEAL_WRITE and the others), and back: an error when the
  /// descriptor is not sealed, because its sender could still change what has been checked.
  Result<Fd> to_sealed_fd() const;
  static Result<Snapshot> from_sealed_fd(const Fd& fd);
};

}  // namespace cipherway::config
