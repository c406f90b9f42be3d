#include "gateway/worker_process.h"

#include "base/privileges.h"
#include "base/sandbox.h"
#include "gateway/worker.h"

#include <malloc.h>
#include <sys/resource.h>

#include <array>
#include <string>

namespace cipherway::gateway {

namespace {

/// A connection takes two descriptors: take as many as the system grants.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A worker's memory grows and shrinks with its connections, all the time: it asks the kernel for more in large steps,
/// and returns what is free when that is worth a system call.
void set_up_memory() {
  ::mallopt(M_TOP_PAD, 512 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
}

Result<WorkerStart> enter_sandbox(const WorkerArguments& arguments) {
  WorkerStart start{.index = arguments.index};
  constexpr std::array keep{0, 1, 2, kControlDescriptor};
  TRY(close_other_descriptors(keep));
  raise_descriptor_limit();
  set_up_memory();
  TRY(tls::set_up_library());
  TRY(Resolver::set_up());
  if (arguments.become) TRY(drop_to(arguments.become->uid, arguments.become->gid));
  TRY(give_up_capabilities());
  TRY(harden_process());
  start.landlock = TRY(sandbox::restrict_files({}, sandbox::Tcp::Connect));
  TRY(sandbox::restrict_syscalls(sandbox::Profile::GatewayWorker));
  start.seccomp = true;
  return start;
}

}  // namespace

int run_worker_process(const WorkerArguments& arguments) {
  // The name is in every line of the log until the process ends.
  static std::string name = "gateway-" + std::to_string(arguments.index);
  log::set_process_name(name);
  log::set_least_level(arguments.log_level);
  auto start = enter_sandbox(arguments);
  if (!start) {
    log::error("worker.sandbox.failed", {{"error", start.error()}});
    return 1;
  }
  event::EventLoop loop;
  Worker worker(loop, Fd(kControlDescriptor), *start);
  return worker.run();
}

}  // namespace cipherway::gateway
