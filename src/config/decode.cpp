#include "config/document.h"
#include "config/duration.h"
#include "config/report.h"
#include "config/shape.h"
#include "config/words.h"

#include <algorithm>
#include <map>

namespace cipherway::config {

namespace {

constexpr unsigned kMostWorkers = 256;
constexpr unsigned kMostConnections = 1'000'000;
constexpr std::size_t kMostNameBytes = 64;
constexpr std::size_t kMostTargets = 100;

/// Stands for an address that could not be read, so that checking can go on: a config with problems is never handed
/// out.
Address no_address() {
  return *Address::parse("127.0.0.1:0");
}

/// Names end up in logs, metrics and file names.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

/// RFC 6066, section 3: a fully qualified DNS host name, without a trailing dot; addresses are not permitted.
bool is_host_name(std::string_view name) {
  bool letter = false;
  std::size_t label = 0;
  if (name.size() > 253) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    if (c == '.') {
      if (label == 0 || name[i - 1] == '-') return false;
      label = 0;
      continue;
    }
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && !(c == '-' && label > 0) && c != '_') return false;
    letter = letter || is_letter;
    if (++label > 63) return false;
  }
  return letter && label > 0 && name.back() != '-';
}

/// The fields of one table, of which shape.h has already checked names and types: what is of another type than asked
/// for counts as absent here, and somebody has complained about it.
class Fields {
 public:
  explicit Fields(const Value& table) : table_(table) {}

  const Place& at() const { return table_.at; }
  const Value* find(std::string_view key) const { return table_.find(key); }
  bool has(std::string_view key) const { return find(key) != nullptr; }

  std::optional<Located<std::string>> text(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr || value->kind != Value::Kind::Text || value->text.empty()) return std::nullopt;
    return Located<std::string>{value->text, value->at};
  }
  std::vector<Located<std::string>> texts(std::string_view key) const {
    std::vector<Located<std::string>> out;
    const Value* value = find(key);
    if (value == nullptr || value->kind != Value::Kind::List) return out;
    for (const Value& item : value->items)
      if (item.kind == Value::Kind::Text) out.push_back({item.text, item.at});
    return out;
  }
  /// An empty list. A list of the wrong things is not empty: it has been complained about.
  bool empty_list(std::string_view key) const {
    const Value* value = find(key);
    return value != nullptr && value->kind == Value::Kind::List && value->items.empty();
  }
  std::optional<Fields> table(std::string_view key) const {
    const Value* value = find(key);
    if (value == nullptr || value->kind != Value::Kind::Table) return std::nullopt;
    return Fields(*value);
  }

 private:
  const Value& table_;
};

/// One side of a channel while it is being read.
struct Part {
  Fields fields;
  std::string channel;  // "channel \"orders\""
  std::string side;     // "from" or "to"

  std::string of(std::string_view key) const { return channel + ": " + side + "." + std::string(key); }
};

class Decoder {
 public:
  Decoder(const Value& document, std::string directory, Report& report) : document_(document), report_(report) {
    node_.directory = std::move(directory);
  }

  Node decode() && {
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
    return std::move(node_);
  }

 private:
  // --- [node] and [identity.NAME] ---

  void read_node(const Fields& fields) {
    if (auto state = fields.text("state")) node_.state = resolved(*state);
    node_.user = fields.text("user").value_or(Located<std::string>{"nobody", fields.at()});
    if (auto workers = whole(fields, "workers", "node: workers", 0, kMostWorkers)) node_.workers = *workers;
  }

  void read_identity(const Member& member) {
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

  // --- [[channel]] ---

  void read_channel(const Value& value, std::size_t index) {
    Fields fields(value);
    std::string label = channel_label(value, index);
    Channel channel{
        .name = {}, .from = From{{}, {no_address(), fields.at()}, {}}, .to = {}, .timeouts = {}, .limits = {}};
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
      for (const Located<Address>& target : channel.to.targets) {
        if (target.value == channel.from.listen.value && !(target.value == no_address()))
          report_.add(target.at, label + ": the target is where the channel itself listens", channel.from.listen.at);
      }
    }
    if (auto timeouts = fields.table("timeouts")) {
      duration(*timeouts, "handshake", label, channel.timeouts.handshake);
      duration(*timeouts, "connect", label, channel.timeouts.connect);
      duration(*timeouts, "idle", label, channel.timeouts.idle);
      duration(*timeouts, "drain", label, channel.timeouts.drain);
    }
    if (auto limits = fields.table("limits")) {
      auto bound = [&](std::string_view key, unsigned& out) {
        if (auto n = whole(*limits, key, label + ": limits." + std::string(key), 1, kMostConnections)) out = *n;
      };
      bound("connections", channel.limits.connections);
      bound("handshakes", channel.limits.handshakes);
    }
    node_.channels.push_back(std::move(channel));
  }

  void read_from(const Part& part, From& from) {
    bool listens = false;
    if (auto text = part.fields.text("listen")) {
      if (auto listen = address(*text, part.of("listen"))) {
        from.listen = *listen;
        listens = true;
        check_listen(part, *listen);
      }
    }
    from.allow = part.fields.texts("allow");
    std::optional<Protect> protect = read_side(part, from);
    if (!protect) return;

    if (*protect == Protect::MutualTls) {
      if (!part.fields.has("allow") || part.fields.empty_list("allow")) {
        const Value* allow = part.fields.find("allow");
        report_.add(allow ? allow->at : part.fields.at(),
                    part.channel + ": allow is empty, so nobody could connect; list SPIFFE IDs or DNS names",
                    from.protect.at);
      }
    } else if (const Value* allow = part.fields.find("allow")) {
      report_.add(allow->at,
                  part.channel + ": allow has no effect with protect = " + quoted(to_string(*protect)) +
                      ": only \"mutual-tls\" asks clients who they are",
                  from.protect.at);
    }
    if (*protect != Protect::None && !part.fields.has("identity"))
      report_.add(part.fields.at(),
                  part.of("identity") + " is missing: protect = " + quoted(to_string(*protect)) +
                      " needs a certificate to show; name an [identity.NAME]",
                  from.protect.at);
    if (*protect == Protect::None && listens && !from.listen.value.is_local() && !from.allow_plaintext)
      refuse_plaintext(part, from, from.listen, "listens on");
    if (*protect == Protect::MutualTls) needs_trust(part, from);
  }

  void read_to(const Part& part, To& to) {
    if (part.fields.empty_list("targets"))
      report_.add(part.fields.find("targets")->at, part.of("targets") + " is empty, so the channel leads nowhere");
    for (const Located<std::string>& text : part.fields.texts("targets")) {
      if (to.targets.size() == kMostTargets) {
        report_.add(text.at, part.of("targets") + " has more than " + std::to_string(kMostTargets) + " entries");
        break;
      }
      auto target = address(text, part.of("targets"));
      if (!target) continue;
      if (!target->value.is_unix() && text.value.ends_with(":0"))
        report_.add(text.at, part.of("targets") + ": port 0 is nowhere");
      if (std::ranges::any_of(to.targets, [&](const auto& other) { return other.value == target->value; }))
        report_.add(text.at, part.of("targets") + " has " + quoted(text.value) + " twice");
      to.targets.push_back(*target);
    }
    to.expect = part.fields.texts("expect");
    if (auto trust = part.fields.text("trust")) to.trust = resolved(*trust);
    if ((to.server_name = part.fields.text("server_name")) && !is_host_name(to.server_name->value))
      report_.add(to.server_name->at, part.channel + ": server_name is " + quoted(to.server_name->value) +
                                          "; it must be a DNS name, not an address or a pattern");
    std::optional<Protect> protect = read_side(part, to);
    if (!protect) return;

    if (*protect == Protect::None) {
      for (std::string_view key : {"expect", "trust", "server_name"}) has_no_effect(part, to, key);
      for (const Located<Address>& target : to.targets) {
        if (target.value.is_local() || to.allow_plaintext) continue;
        refuse_plaintext(part, to, target, "leads to");
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
    if (*protect == Protect::MutualTls && !part.fields.has("identity"))
      report_.add(part.fields.at(),
                  part.of("identity") +
                      " is missing: protect = \"mutual-tls\" needs a certificate to show; name an [identity.NAME]",
                  to.protect.at);
    if (*protect == Protect::Tls && !part.fields.has("identity") && !part.fields.has("trust"))
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

  /// What both sides have in common. Nothing when `protect` is missing or unknown: rules that depend on it say nothing
  /// then.
  std::optional<Protect> read_side(const Part& part, Side& side) {
    std::optional<Protect> protect = read_protect(part, side);
    if (auto name = part.fields.text("identity")) {
      side.identity = *name;
      if (node_.identity(name->value) == nullptr) unknown_identity(part, *name);
    }
    if (auto text = part.fields.text("minimum_version")) {
      if (text->value == "1.2") {
        side.minimum_version = TlsVersion::Tls12;
      } else if (text->value != "1.3") {
        report_.add(text->at,
                    part.of("minimum_version") + " is " + quoted(text->value) + "; it can be \"1.3\" or \"1.2\"");
      }
    }
    side.alpn = part.fields.texts("alpn");
    if (part.fields.empty_list("alpn"))
      report_.add(part.fields.find("alpn")->at,
                  part.of("alpn") + " is empty; name a protocol, like \"h2\", or remove it");
    for (const Located<std::string>& protocol : side.alpn) {
      // RFC 7301, section 3.1: opaque ProtocolName<1..2^8-1>
      if (protocol.value.size() > 255)
        report_.add(protocol.at, part.of("alpn") + " has a name of more than 255 bytes (RFC 7301)");
    }
    if (side.alpn.size() > 100) report_.add(side.alpn[100].at, part.of("alpn") + " has more than 100 names");
    const Value* plaintext = part.fields.find("allow_plaintext");
    side.allow_plaintext = plaintext != nullptr && plaintext->flag;

    if (protect == Protect::None) {
      for (std::string_view key : {"identity", "minimum_version", "alpn"}) has_no_effect(part, side, key);
    } else if (protect && side.allow_plaintext) {
      report_.add(plaintext->at,
                  part.of("allow_plaintext") + " contradicts protect = " + quoted(to_string(*protect)) + "; remove one",
                  side.protect.at);
    }
    return protect;
  }

  std::optional<Protect> read_protect(const Part& part, Side& side) {
    auto text = part.fields.text("protect");
    if (!text) return std::nullopt;
    side.protect.at = text->at;
    for (Protect protect : {Protect::None, Protect::Tls, Protect::MutualTls}) {
      if (text->value != to_string(protect)) continue;
      side.protect.value = protect;
      return protect;
    }
    static constexpr std::string_view kWords[] = {"tls", "mutual-tls", "none"};
    std::string what = part.of("protect") + " is " + quoted(text->value);
    if (text->value == "ipsec" || text->value == "passthrough") {
      what += ", which is not in this version; it can be \"tls\", \"mutual-tls\" or \"none\"";
    } else if (std::string suggestion = did_you_mean(text->value, kWords); !suggestion.empty()) {
      what += suggestion;
    } else {
      what += "; it can be \"tls\", \"mutual-tls\" or \"none\"";
    }
    report_.add(text->at, what);
    return std::nullopt;
  }

  // --- rules ---

  void unknown_identity(const Part& part, const Located<std::string>& name) {
    std::vector<std::string_view> words;
    for (const Identity& identity : node_.identities) words.push_back(identity.name.value);
    report_.add(name.at, part.of("identity") + " is " + quoted(name.value) + ", but there is no [identity." +
                             name.value.substr(0, kMostNameBytes) + "]" + did_you_mean(name.value, words));
  }

  void has_no_effect(const Part& part, const Side& side, std::string_view key) {
    if (const Value* value = part.fields.find(key))
      report_.add(value->at, part.of(key) + " has no effect with protect = \"none\"; remove it, or protect this side",
                  side.protect.at);
  }

  void refuse_plaintext(const Part& part, const Side& side, const Located<Address>& where, std::string_view doing) {
    report_.add(side.protect.at,
                part.of("protect") + " is \"none\", but it " + std::string(doing) + " " + where.value.to_string() +
                    ", where the network could read everything; use \"mutual-tls\" or \"tls\", keep to loopback or "
                    "a UNIX socket, or say allow_plaintext = true",
                where.at);
  }

  /// A side that verifies its peers by an identity needs that identity's trust bundle.
  void needs_trust(const Part& part, const Side& side) {
    const Identity* identity = side.identity ? node_.identity(side.identity->value) : nullptr;
    if (identity == nullptr || identity->trust) return;
    if (const Value* value = identity_table(identity->name.value); value != nullptr && value->find("trust") != nullptr)
      return;
    report_.add(identity->name.at,
                identity_label(identity->name.value) + ": trust is missing: " + part.channel +
                    " verifies its peers by it; give the PEM file of a trust bundle",
                side.identity->at);
  }

  const Value* identity_table(std::string_view name) const {
    const Value* identities = document_.find("identity");
    return identities == nullptr ? nullptr : identities->find(name);
  }

  void check_listen(const Part& part, const Located<Address>& listen) {
    if (!listen.value.is_unix() && listen.value.to_string().ends_with(":0")) return;  // the kernel picks a port
    auto [first, is_new] = listens_.emplace(listen.value.to_string(), listen.at);
    if (!is_new) {
      report_.add(listen.at, part.of("listen") + ": another channel already listens on " + quoted(first->first),
                  first->second);
    }
  }

  // --- values ---

  /// Relative paths start from the folder of the config file.
  std::string resolved_path(std::string_view path) const {
    if (path.starts_with('/') || node_.directory.empty()) return std::string(path);
    return node_.directory + (node_.directory.ends_with('/') ? "" : "/") + std::string(path);
  }
  Located<std::string> resolved(const Located<std::string>& path) const {
    return Located<std::string>{resolved_path(path.value), path.at};
  }

  std::optional<Located<Address>> address(const Located<std::string>& text, const std::string& name) {
    if (text.value.starts_with("systemd:")) {
      report_.add(text.at, name + " is " + quoted(text.value) +
                               ": socket activation is not in this version; give HOST:PORT, [IPV6]:PORT or unix:PATH");
      return std::nullopt;
    }
    std::string full = text.value;
    if (full.starts_with("unix:") && full.size() > 5) full = "unix:" + resolved_path(std::string_view(full).substr(5));
    Result<Address> parsed = Address::parse(full);
    if (parsed) return Located<Address>{*parsed, text.at};
    report_.add(text.at, name + ": " + parsed.error().what);
    return std::nullopt;
  }

  std::optional<unsigned> whole(const Fields& fields, std::string_view key, const std::string& name, unsigned least,
                                unsigned most) {
    const Value* value = fields.find(key);
    if (value == nullptr || value->kind != Value::Kind::Whole) return std::nullopt;
    if (value->whole < static_cast<std::int64_t>(least) || value->whole > static_cast<std::int64_t>(most)) {
      report_.add(value->at, name + " is " + std::to_string(value->whole) + "; it must be from " +
                                 std::to_string(least) + " to " + std::to_string(most));
      return std::nullopt;
    }
    return static_cast<unsigned>(value->whole);
  }

  void duration(const Fields& fields, std::string_view key, const std::string& label, std::chrono::milliseconds& out) {
    auto text = fields.text(key);
    if (!text) return;
    Result<std::chrono::milliseconds> parsed = parse_duration(text->value);
    if (parsed)
      out = *parsed;
    else
      report_.add(text->at,
                  label + ": timeouts." + std::string(key) + " is " + quoted(text->value) + "; " + parsed.error().what);
  }

  const Value& document_;
  Report& report_;
  Node node_;
  std::map<std::string, Place, std::less<>> channel_names_;
  std::map<std::string, Place, std::less<>> listens_;
};

}  // namespace

std::string_view to_string(Protect protect) {
  switch (protect) {
    case Protect::None: return "none";
    case Protect::Tls: return "tls";
    case Protect::MutualTls: return "mutual-tls";
  }
  broken("Protect out of range");
}

const Identity* Node::identity(std::string_view name) const {
  for (const Identity& identity : identities)
    if (identity.name.value == name) return &identity;
  return nullptr;
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
