// A PROXY header: bytes from a proxy that is listed, or from whoever can send from its address.
#include "gateway/proxy_protocol.h"

#include <cstdlib>

using namespace cipherway;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Why = gateway::NoProxyHeader::Why;
  BytesView bytes(data, size);
  auto whole = gateway::read_proxy_header(bytes);
  if (whole) {
    check(whole->length <= size && whole->length <= gateway::kMostProxyHeader);
    check(whole->source.has_value() == whole->destination.has_value());
    check(gateway::ProxySignature().completed_by(bytes));  // what is a header is known as one on its way
    if (whole->source && !whole->source->is_unix()) {      // and can be passed on
      gateway::ProxyFacts facts{.source = whole->source, .destination = whole->destination};
      for (const Bytes& again : {gateway::proxy_header_v1(facts), gateway::proxy_header_v2(facts)}) {
        auto read = gateway::read_proxy_header(again);
        check(read && read->length == again.size() && read->source->is_unix() == false);
      }
    }
  }
  // What arrives in pieces comes to the same end, and an answer once given stays.
  for (std::size_t n = 0; n < size; n += size / 32 + 1) {
    auto part = gateway::read_proxy_header(bytes.first(n));
    if (part)
      check(whole && whole->length == part->length);
    else if (part.error().why != Why::Incomplete)
      check(!whole && whole.error().why == part.error().why);
  }
  return 0;
}
