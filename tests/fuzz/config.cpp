// node.toml as anybody might write it. The operator's own file is no attack surface, but a decoder that crashes takes a
// reload down with it; and a snapshot of a config is what a worker takes from its supervisor.

#include "config/config.h"

#include "config/snapshot.h"

#include <cstdint>
#include <cstdlib>
#include <tuple>

using namespace cipherway;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void decode(std::string_view text) {
  config::Decoded decoded = config::decode(text, "node.toml", "/etc/cipherway");
  // Either a config or problems, each with a place in the file, in its order, and in words that a terminal can take.
  require(decoded.node.has_value() == decoded.problems.empty());
  require(decoded.problems.size() <= 100);
  std::tuple<unsigned, unsigned> last{0, 0};
  for (const config::Problem& problem : decoded.problems) {
    std::tuple<unsigned, unsigned> at{problem.at.line, problem.at.column};
    require(problem.at.line > 0 && problem.at.column > 0 && at >= last);
    last = at;
    std::string line = problem.to_string();
    require(line.size() < 2000);
    for (char c : line) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  if (!decoded.node) return;
  require(!decoded.node->state.value.empty() && !decoded.node->channels.empty());
  for (const config::Channel& channel : decoded.node->channels) {
    require(!channel.to.targets.empty());
    // What must never get through, whatever the text.
    if (channel.from.protect.value == config::Protect::None)
      require(channel.from.listen.value.is_local() || channel.from.allow_plaintext);
    else
      require(channel.from.identity && decoded.node->identity(channel.from.identity->value) != nullptr);
    if (channel.from.protect.value == config::Protect::MutualTls)
      require(!channel.from.allow.empty() && decoded.node->identity(channel.from.identity->value)->trust);
    if (channel.to.protect.value == config::Protect::None) {
      for (const auto& target : channel.to.targets) require(target.value.is_local() || channel.to.allow_plaintext);
    } else {
      require(!channel.to.expect.empty());
      require(channel.to.trust || decoded.node->identity(channel.to.identity->value)->trust);
    }
  }
}

void snapshot(BytesView bytes) {
  Result<config::Snapshot> read = config::Snapshot::from_bytes(bytes);
  if (!read) return;
  Result<Bytes> written = read->to_bytes();
  require(written.has_value());
  require(*config::Snapshot::from_bytes(*written) == *read);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  BytesView bytes(data, size);
  decode(as_text(bytes));
  snapshot(bytes);
  return 0;
}
