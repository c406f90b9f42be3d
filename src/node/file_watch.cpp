#include "node/file_watch.h"

#include <sys/stat.h>

#include <utility>

namespace cipherway::node {

FileWatch::FileWatch(event::EventLoop& loop, Clock::duration period, std::function<void()> changed)
    : period_(period), changed_(std::move(changed)), timer_(loop, [this] { look(); }) {}

void FileWatch::watch(std::vector<std::string> paths) {
  timer_.set_after(period_);
  if (paths == paths_) return;
  paths_ = std::move(paths);
  remember();
}

void FileWatch::remember() {
  known_ = seen_ = fingerprint();
}

void FileWatch::look() {
  timer_.set_after(period_);
  std::string now = fingerprint();
  bool settled = now == seen_;
  seen_ = std::move(now);
  if (!settled || seen_ == known_) return;
  known_ = seen_;  // told once, whatever comes of it
  changed_();
}

std::string FileWatch::fingerprint() const {
  std::string all;
  for (const std::string& path : paths_) {
    struct stat about{};
    if (::stat(path.c_str(), &about) != 0) {
      all += "absent;";
      continue;
    }
    for (auto number : {static_cast<long long>(about.st_dev), static_cast<long long>(about.st_ino),
                        static_cast<long long>(about.st_size), static_cast<long long>(about.st_mtim.tv_sec),
                        static_cast<long long>(about.st_mtim.tv_nsec), static_cast<long long>(about.st_ctim.tv_sec),
                        static_cast<long long>(about.st_ctim.tv_nsec)})
      all += std::to_string(number) + ",";
    all += ";";
  }
  return all;
}

}  // namespace cipherway::node
