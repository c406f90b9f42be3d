#include "node/run_status_server.h"

#include "base/privileges.h"
#include "base/sandbox.h"
#include "node/status_control.h"
#include "node/status_server.h"

#include <array>

namespace cipherway::node {

namespace {

Result<void> give_up_rights(const StatusServerArguments& arguments) {
  constexpr std::array keep{0, 1, 2, kStatusControlDescriptor, kStatusListenerDescriptor};
  TRY(close_other_descriptors(keep));
  if (arguments.become) TRY(drop_to(arguments.become->uid, arguments.become->gid));
  return harden_process();
}

Result<void> enter_sandbox() {
  TRY(sandbox::restrict_files({}));
  return sandbox::restrict_syscalls(sandbox::Profile::StatusServer);
}

int failed(const Error& error) {
  log::error("status.sandbox.failed", {{"error", error}});
  return 1;
}

}  // namespace

int run_status_server(const StatusServerArguments& arguments) {
  log::set_process_name("status-server");
  log::set_least_level(arguments.log_level);
  if (auto given = give_up_rights(arguments); !given) return failed(given.error());
  event::EventLoop loop;
  // The page's hashes are computed here, by a library that may look for its files. Nobody is accepted before `run`.
  StatusServer server(loop, Fd(kStatusListenerDescriptor), Fd(kStatusControlDescriptor), {}, [&] { loop.stop(); });
  if (auto entered = enter_sandbox(); !entered) return failed(entered.error());
  loop.run();
  return 0;
}

}  // namespace cipherway::node
