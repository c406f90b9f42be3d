// A ClientHello on its way to a channel: the first thing that an unknown client says, in records cut as it likes.
#include "tls/client_hello.h"

#include "gateway/routes.h"

#include <algorithm>
#include <cstdlib>

using namespace cipherway;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Why = tls::NoHello::Why;
  BytesView bytes(data, size);
  Bytes joined;
  auto whole = tls::read_client_hello(bytes, joined);
  if (whole) {
    check(whole->server_name.size() <= 255);
    static_cast<void>(whole->alpn.to_string());
    static const gateway::Routes routes({{{"shop.example.org"}, {"h2"}}, {{"*.example.org"}, {}}, {{}, {"imap"}}});
    auto channel = routes.choose(whole->server_name, whole->alpn);
    check(!channel || *channel < 3);
  } else if (whole.error().why == Why::Incomplete) {
    check(size < tls::kMostHelloBytes);
  }
  // What arrives in pieces comes to the same end, and an answer once given stays.
  Bytes joined_part;
  std::size_t step = size / 16 + 1;
  for (std::size_t n = 0; n < size; n += step) {
    auto part = tls::read_client_hello(bytes.first(n), joined_part);
    if (part) {
      check(whole && part->server_name == whole->server_name &&
            std::ranges::equal(part->alpn.wire(), whole->alpn.wire()));
    } else if (part.error().why != Why::Incomplete) {
      check(!whole && whole.error().why == part.error().why);
    }
  }
  return 0;
}
