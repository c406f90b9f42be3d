// node.toml as anybody might write it. The operator's own file is no attack surface, but a decoder that crashes takes a
// reload down with it; and a snapshot of a config is what a worker takes from its supervisor.

#include "config/config.h"

#include "config/snapshot.h"

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>

using namespace cipherway;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool trusts(const config::Node& node, const config::Side& side) {
  return side.identity && node.identity(side.identity->value)->trust.has_value();
}

/// What must never get through, whatever the text.
void check(const config::Node& node, const config::Channel& channel) {
  const config::From& from = channel.from;
  const config::To& to = channel.to;
  for (const config::Side* side : {static_cast<const config::Side*>(&from), static_cast<const config::Side*>(&to)}) {
    require(!side->identity || node.identity(side->identity->value) != nullptr);
    require(has_tls(side->protect.value) || !side->identity);
  }
  require(!to.targets.empty());
  switch (from.protect.value) {
    case config::Protect::None:
      require(from.allow_plaintext || (!from.listen.value.is_systemd() && from.listen.value.address.is_local()));
      require(from.server_names.empty());
      break;
    case config::Protect::Passthrough: require(to.protect.value == config::Protect::Passthrough); break;
    case config::Protect::Tls: require(from.identity.has_value()); break;
    case config::Protect::MutualTls: require(trusts(node, from) && !from.allow.empty()); break;
  }
  switch (to.protect.value) {
    case config::Protect::None:
      for (const auto& target : to.targets)
        require(to.allow_plaintext || (target.value.address() != nullptr && target.value.address()->is_local()));
      break;
    case config::Protect::Passthrough: require(from.protect.value == config::Protect::Passthrough); break;
    case config::Protect::Tls:
    case config::Protect::MutualTls: require(!to.expect.empty() && (to.trust || trusts(node, to))); break;
  }
  for (const auto& target : to.targets) require(target.value.weight >= 1 && target.value.weight <= 1'000);
  if (channel.health)
    require(channel.health->timeout.count() > 0 && channel.health->timeout <= channel.health->interval);
}

/// Who shares an address can be told apart by TLS.
void check_listeners(const config::Node& node) {
  require(!node.status || node.status->value.is_local());
  std::map<std::string, int> channels;
  for (const config::Channel& channel : node.channels) ++channels[channel.from.listen.value.to_string()];
  for (const config::Channel& channel : node.channels) {
    std::string listen = channel.from.listen.value.to_string();
    require(channels[listen] == 1 || listen.ends_with(":0") || channel.from.protect.value != config::Protect::None);
  }
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
  for (const config::Channel& channel : decoded.node->channels) check(*decoded.node, channel);
  check_listeners(*decoded.node);
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
