#pragma once

#include "event/event_loop.h"

#include <functional>
#include <string>
#include <vector>

namespace cipherway::node {

/// Notices that one of some files was replaced or rewritten, and says so once they have been left alone for one look.
/// It looks at their names every second instead of subscribing to the kernel: that is the same for rewritten files,
/// renamed files, symbolic links into another folder, bind mounts and network file systems, and costs microseconds.
class FileWatch {
 public:
  FileWatch(event::EventLoop& loop, Clock::duration period, std::function<void()> changed);

  /// From now on these files. Changes count from now, or from the last `remember` if it knew the same files.
  void watch(std::vector<std::string> paths);
  /// Takes the files as they are now for known.
  void remember();

 private:
  void look();
  std::string fingerprint() const;  // of all files: device, inode, size, times; "absent" is a state too

  Clock::duration period_;
  std::function<void()> changed_;
  event::Timer timer_;
  std::vector<std::string> paths_;
  std::string known_;
  std::string seen_;
};

}  // namespace cipherway::node
