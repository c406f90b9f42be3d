// /etc/resolv.conf and /etc/hosts as a worker reads them, and the first line of what an HTTP target answers to a check.
#include "gateway/name_service.h"

#include "base/bytes.h"
#include "gateway/http_answer.h"

#include <cstdlib>

using namespace cipherway;
using namespace cipherway::gateway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = as_text({data, size});
  std::size_t half = text.find('\0');
  std::string_view hosts = half == std::string_view::npos ? text : text.substr(half + 1);
  NameService service = NameService::parse(text.substr(0, half), hosts);
  if (service.servers.empty() || service.servers.size() > NameService::kMostServers) std::abort();
  if (service.search.size() > NameService::kMostSearch || service.ndots > 15) std::abort();
  if (service.hosts.size() > NameService::kMostHosts) std::abort();
  for (const auto& [name, addresses] : service.hosts) {
    auto found = service.local(name, 80);
    if (addresses.size() > NameService::kMostAddresses || found.size() > addresses.size()) std::abort();
  }
  for (const std::string& question : service.questions("app.internal"))
    if (question.empty() || question.size() > 253) std::abort();

  // What is decided stays decided, whatever follows.
  HttpAnswer before;
  for (std::size_t n = 0; n <= text.size() && n <= HttpAnswer::kMostLine + 8; ++n) {
    HttpAnswer now = HttpAnswer::parse(text.substr(0, n));
    if (before.state != HttpAnswer::State::Incomplete && (now.state != before.state || now.status != before.status))
      std::abort();
    if (now.state == HttpAnswer::State::Status && (now.status < 100 || now.status > 999)) std::abort();
    before = now;
  }
  if (text.size() > HttpAnswer::kMostLine + 8 && before.state == HttpAnswer::State::Incomplete) std::abort();
  return 0;
}
