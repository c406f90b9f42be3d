#include "node/log_file.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace cipherway::node {

namespace {

Result<Fd> open_log(const std::string& path) {
  Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640));
  if (!file) return fail_errno("open log file " + path);
  return file;
}

}  // namespace

Result<std::unique_ptr<LogFile>> LogFile::open(event::EventLoop& loop, std::string path) {
  Fd file = TRY(open_log(path));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe for the log");
  Fd pipe_out(ends[0]), pipe_in(ends[1]);
  // Only our end: the children's writes wait when the pipe is full.
  if (::fcntl(pipe_out.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("make a pipe for the log");
  std::unique_ptr<LogFile> log(
      new LogFile(loop, std::move(path), std::move(file), std::move(pipe_out), std::move(pipe_in)));
  TRY(loop.add(log->pipe_out_.get(), EPOLLIN, *log));
  return log;
}

LogFile::LogFile(event::EventLoop& loop, std::string path, Fd file, Fd pipe_out, Fd pipe_in)
    : loop_(loop),
      path_(std::move(path)),
      file_(std::move(file)),
      pipe_out_(std::move(pipe_out)),
      pipe_in_(std::move(pipe_in)) {}

LogFile::~LogFile() {
  ready(EPOLLIN);  // the last words of children that have ended
  loop_.remove(pipe_out_.get(), *this);
}

Result<void> LogFile::reopen() {
  Fd file = TRY(open_log(path_));
  if (::dup3(file.get(), file_.get(), O_CLOEXEC) < 0) return fail_errno("change to log file " + path_);
  return {};
}

void LogFile::ready(std::uint32_t) {
  char buffer[16 * 1024];
  ssize_t got;
  while ((got = ::read(pipe_out_.get(), buffer, sizeof buffer)) > 0) {
    // A log that cannot be written must not stop traffic: one try, repeated only when a signal interrupted it.
    while (::write(file_.get(), buffer, static_cast<std::size_t>(got)) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace cipherway::node
