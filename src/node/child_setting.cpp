#include "node/child_setting.h"

#include "event/child_process.h"

namespace cipherway::node {

std::vector<std::string> child_environment() {
#ifdef CIPHERWAY_SANITIZED
  return event::environment_of({"TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"});
#else
  return event::environment_of({"TZ"});
#endif
}

}  // namespace cipherway::node
