#include "config/decoder.h"
#include "config/words.h"

#include <algorithm>

namespace cipherway::config {

namespace {

constexpr std::size_t kMostTargets = 100;
constexpr unsigned kMostWeight = 1'000;
constexpr unsigned kMostConnections = 1'000'000;

constexpr Balance kBalances[] = {Balance::RoundRobin, Balance::Random, Balance::LeastConnections,
                                 Balance::TwoChoices, Balance::Pinned, Balance::InOrder};

}  // namespace

void Decoder::read_to(const Part& part, To& to) {
  read_targets(part, to);
  read_balance(part, to);
  if (auto version = one_of(part, "proxy_protocol", std::to_array<std::string_view>({"v1", "v2"})))
    to.proxy_protocol = *version == 0 ? ProxyVersion::V1 : ProxyVersion::V2;
  to.expect = part.fields.texts("expect");
  if (auto trust = part.fields.text("trust")) to.trust = resolved(*trust);
  if ((to.server_name = part.fields.text("server_name")) && !is_host_name(to.server_name->value))
    report_.add(to.server_name->at, part.channel + ": server_name is " + quoted(to.server_name->value) +
                                        "; it must be a DNS name, not an address or a pattern");
  if (read_side(part, to)) check_to(part, to);
}

void Decoder::read_targets(const Part& part, To& to) {
  const Value* list = part.fields.find("targets");
  if (list == nullptr || list->kind != Value::Kind::List) return;
  if (list->items.empty()) report_.add(list->at, part.of("targets") + " is empty, so the channel leads nowhere");
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Value& item = list->items[i];
    if (to.targets.size() == kMostTargets) {
      report_.add(item.at, part.of("targets") + " has more than " + std::to_string(kMostTargets) + " entries");
      break;
    }
    auto target = read_target(part, item, i);
    if (!target) continue;
    if (std::ranges::any_of(to.targets, [&](const auto& other) { return other.value.where == target->value.where; }))
      report_.add(target->at, part.of("targets") + " has " + quoted(target->value.to_string()) + " twice");
    to.targets.push_back(*std::move(target));
  }
}

std::optional<Located<Target>> Decoder::read_target(const Part& part, const Value& item, std::size_t index) {
  if (item.kind == Value::Kind::Text) {
    if (item.text.empty()) return std::nullopt;
    return read_place({item.text, item.at}, part.of("targets"));
  }
  if (item.kind != Value::Kind::Table) return std::nullopt;
  Part one{Fields(item), part.channel, part.side + ".targets[" + std::to_string(index) + "]"};
  auto text = one.fields.text("address");
  auto weight = whole(one.fields, "weight", one.of("weight"), 1, kMostWeight);
  auto connections = whole(one.fields, "connections", one.of("connections"), 1, kMostConnections);
  if (!text) return std::nullopt;
  auto target = read_place(*text, one.of("address"));
  if (!target) return std::nullopt;
  target->value.weight = weight.value_or(1);
  target->value.connections = connections.value_or(0);
  return target;
}

std::optional<Located<Target>> Decoder::read_place(const Located<std::string>& text, const std::string& name) {
  if (Result<HostPort> host = HostPort::parse(text.value)) return Located<Target>{{*std::move(host)}, text.at};
  auto literal = address(text, name);
  if (!literal) return std::nullopt;
  if (!literal->value.is_unix() && text.value.ends_with(":0")) report_.add(text.at, name + ": port 0 is nowhere");
  return Located<Target>{{literal->value}, text.at};
}

void Decoder::read_balance(const Part& part, To& to) {
  std::vector<std::string_view> words;
  for (Balance balance : kBalances) words.push_back(to_string(balance));
  if (auto word = one_of(part, "balance", words)) to.balance = kBalances[*word];
  // "0s" is the default in words.
  if (auto text = part.fields.text("slow_start"); text && text->value != "0s")
    duration(part, "slow_start", to.slow_start);
  if (to.balance != Balance::InOrder && to.balance != Balance::Pinned) return;
  const Place& at = part.fields.find("balance")->at;
  std::string no_effect = " has no effect with balance = " + quoted(to_string(to.balance)) + "; remove one";
  if (to.slow_start.count() > 0) report_.add(part.fields.find("slow_start")->at, part.of("slow_start") + no_effect, at);
  if (to.balance == Balance::Pinned) return;
  for (const Located<Target>& target : to.targets) {
    if (target.value.weight == 1) continue;
    report_.add(target.at, part.of("targets") + ": weight" + no_effect, at);
    break;
  }
}

void Decoder::check_to(const Part& part, const To& to) {
  Protect protect = to.protect.value;
  if (!has_tls(protect)) {
    for (std::string_view key : {"expect", "trust", "server_name"}) has_no_effect(part, to, key);
    if (protect != Protect::None || to.allow_plaintext) return;
    for (const Located<Target>& target : to.targets) {
      const Address* address = target.value.address();
      if (address != nullptr && address->is_local()) continue;
      refuse_plaintext(part, to, "leads to", target.value.to_string(), target.at);
      break;
    }
    return;
  }
  if (!part.fields.has("expect") || part.fields.empty_list("expect")) {
    const Value* expect = part.fields.find("expect");
    report_.add(expect ? expect->at : part.fields.at(),
                part.channel +
                    ": expect is empty, so no target would be accepted; list the SPIFFE IDs or DNS names that "
                    "targets must have",
                to.protect.at);
  }
  if (protect == Protect::MutualTls && !part.fields.has("identity"))
    report_.add(part.fields.at(),
                part.of("identity") +
                    " is missing: protect = \"mutual-tls\" needs a certificate to show; name an [identity.NAME]",
                to.protect.at);
  if (protect == Protect::Tls && !part.fields.has("identity") && !part.fields.has("trust"))
    report_.add(
        part.fields.at(),
        part.channel + ": to has neither trust nor identity, so no target could be verified; give trust = \"FILE\"",
        to.protect.at);
  if (to.trust && to.identity)
    report_.add(to.trust->at, part.channel + ": to has trust and an identity, which brings its own; remove one",
                to.identity->at);
  else
    needs_trust(part, to);
}

}  // namespace cipherway::config
