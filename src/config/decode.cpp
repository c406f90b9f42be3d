#include "config/decoder.h"
#include "config/listen_rules.h"
#include "config/shape.h"
#include "config/size.h"
#include "config/words.h"

#include <algorithm>

namespace cipherway::config {

namespace {

constexpr unsigned kMostWorkers = 256;
constexpr unsigned kMostConnections = 1'000'000;
constexpr std::size_t kMostNameBytes = 64;
constexpr std::size_t kMostNameServers = 3;
constexpr std::size_t kLeastWorkerMemory = std::size_t{1} << 20;

/// Names end up in logs, metrics and file names.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

}  // namespace

Address no_address() {
  return *Address::parse("127.0.0.1:0");
}

Decoder::Decoder(const Value& document, std::string directory, Report& report) : document_(document), report_(report) {
  node_.directory = std::move(directory);
}

Node Decoder::decode() && {
  Fields document(document_);
  if (auto node = document.table("node")) read_node(*node);
  if (const Value* identities = document.find("identity"); identities && identities->kind == Value::Kind::Table) {
    for (const Member& member : identities->members)
      if (member.value.kind == Value::Kind::Table) read_identity(member);
  }
  if (const Value* channels = document.find("channel"); channels && channels->kind == Value::Kind::List) {
    for (std::size_t i = 0; i < channels->items.size(); ++i)
      if (channels->items[i].kind == Value::Kind::Table) read_channel(channels->items[i], i);
  }
  check_listeners(node_, report_);
  return std::move(node_);
}

void Decoder::read_node(const Fields& fields) {
  if (auto state = fields.text("state")) node_.state = resolved(*state);
  node_.user = fields.text("user").value_or(Located<std::string>{"nobody", fields.at()});
  if (auto workers = whole(fields, "workers", "node: workers", 0, kMostWorkers)) node_.workers = *workers;
  if (auto text = fields.text("worker_memory")) {
    Result<std::size_t> size = parse_size(text->value);
    if (!size)
      report_.add(text->at, "node: worker_memory is " + quoted(text->value) + "; " + size.error().what);
    else if (*size < kLeastWorkerMemory)
      report_.add(text->at, "node: worker_memory is " + quoted(text->value) + "; it must be at least \"1MiB\"");
    else
      node_.worker_memory = *size;
  }
  if (fields.empty_list("resolver"))
    report_.add(fields.find("resolver")->at,
                "node: resolver is empty; name a server, like \"10.0.0.53:53\", or remove it");
  for (const auto& text : fields.texts("resolver")) {
    auto server = address(text, "node: resolver");
    if (!server) continue;
    if (server->value.is_unix())
      report_.add(text.at,
                  "node: resolver is " + quoted(text.value) + "; name servers are asked over UDP: give HOST:PORT");
    else if (node_.resolver.size() == kMostNameServers)
      report_.add(text.at, "node: resolver has more than " + std::to_string(kMostNameServers) + " servers");
    else
      node_.resolver.push_back(*server);
  }
  if (auto text = fields.text("status")) {
    node_.status = address(*text, "node: status");
    if (node_.status && !node_.status->value.is_local())
      report_.add(text->at, "node: status is " + quoted(text->value) +
                                ", where the network could read it; give a loopback address or unix:PATH, and put a "
                                "channel with from.protect = \"mutual-tls\" in front of it");
  }
}

void Decoder::read_identity(const Member& member) {
  Fields fields(member.value);
  std::string label = identity_label(member.key.value);
  if (!is_plain_name(member.key.value))
    report_.add(member.key.at, label + ": a name has 1 to 64 letters, digits, dots, dashes and underscores");
  Identity identity{.name = member.key, .names = fields.texts("names")};
  if (auto path = fields.text("certificate")) identity.certificate = resolved(*path);
  if (auto path = fields.text("key")) identity.key = resolved(*path);
  if (auto path = fields.text("trust")) identity.trust = resolved(*path);
  if (!identity.key.value.empty() && identity.key.value == identity.certificate.value) {
    report_.add(
        identity.key.at,
        label + ": key and certificate are the same file; only the keyholder may read the key, so keep them in two",
        identity.certificate.at);
  }
  if (identity.trust && identity.trust->value == identity.key.value)
    report_.add(identity.trust->at, label + ": trust is the same file as key", identity.key.at);
  node_.identities.push_back(std::move(identity));
}

void Decoder::read_channel(const Value& value, std::size_t index) {
  Fields fields(value);
  std::string label = channel_label(value, index);
  Channel channel;
  channel.from.listen = {{no_address(), {}}, fields.at()};
  if (auto name = fields.text("name")) {
    channel.name = *name;
    if (!is_plain_name(name->value))
      report_.add(name->at, label + ": a name has 1 to 64 letters, digits, dots, dashes and underscores");
    auto [first, is_new] = channel_names_.emplace(name->value, name->at);
    if (!is_new) report_.add(name->at, label + ": there is already a channel of this name", first->second);
  }
  if (auto from = fields.table("from")) read_from(Part{*from, label, "from"}, channel.from);
  if (auto to = fields.table("to")) {
    read_to(Part{*to, label, "to"}, channel.to);
    for (const Located<Target>& target : channel.to.targets) {
      const Address* address = target.value.address();
      if (address != nullptr && *address == channel.from.listen.value.address && !(*address == no_address()))
        report_.add(target.at, label + ": the target is where the channel itself listens", channel.from.listen.at);
    }
  }
  check_both_pass_through(label, channel);
  if (auto health = fields.table("health"))
    read_health(Part{*health, label, "health"}, channel.to, channel.health.emplace());
  if (auto eject = fields.table("eject")) read_eject(Part{*eject, label, "eject"}, channel.eject);
  if (auto timeouts = fields.table("timeouts")) {
    Part part{*timeouts, label, "timeouts"};
    duration(part, "handshake", channel.timeouts.handshake);
    duration(part, "connect", channel.timeouts.connect);
    duration(part, "idle", channel.timeouts.idle);
    duration(part, "stall", channel.timeouts.stall);
    duration(part, "drain", channel.timeouts.drain);
  }
  if (auto limits = fields.table("limits")) read_limits(Part{*limits, label, "limits"}, channel.limits);
  node_.channels.push_back(std::move(channel));
}

void Decoder::read_limits(const Part& part, Limits& limits) {
  auto bound = [&](std::string_view key, unsigned least, unsigned& out) {
    if (auto n = whole(part.fields, key, part.of(key), least, kMostConnections)) out = *n;
  };
  bound("connections", 1, limits.connections);
  bound("handshakes", 1, limits.handshakes);
  bound("source_connections", 0, limits.source_connections);
  bound("source_handshakes_per_second", 0, limits.source_handshakes_per_second);
}

Decoded decode(std::string_view text, std::string file, std::string directory) {
  Report report;
  std::variant<Value, Problem> parsed = parse_document(text, file);
  if (const Problem* problem = std::get_if<Problem>(&parsed)) {
    report.add(problem->at, problem->what);
    return Decoded{std::nullopt, std::move(report).take()};
  }
  const Value& document = std::get<Value>(parsed);
  check_shape(document, report);
  Node node = Decoder(document, std::move(directory), report).decode();
  if (report.empty()) return Decoded{std::move(node), {}};
  return Decoded{std::nullopt, std::move(report).take()};
}

}  // namespace cipherway::config
