#include "config/decoder.h"
#include "config/shape.h"
#include "config/words.h"

namespace cipherway::config {

std::optional<Protect> Decoder::read_side(const Part& part, Side& side) {
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
  read_alpn(part, side);
  side.allow_plaintext = part.fields.flag("allow_plaintext");
  if (!protect) return protect;
  if (!has_tls(*protect)) {
    for (std::string_view key : {"identity", "minimum_version"}) has_no_effect(part, side, key);
    // A channel that passes TLS through still routes by the protocols that clients offer.
    if (*protect == Protect::None || part.side == "to") has_no_effect(part, side, "alpn");
  }
  if (*protect != Protect::None && side.allow_plaintext) {
    report_.add(part.fields.find("allow_plaintext")->at,
                part.of("allow_plaintext") + " contradicts protect = " + quoted(to_string(*protect)) + "; remove one",
                side.protect.at);
  }
  return protect;
}

std::optional<Protect> Decoder::read_protect(const Part& part, Side& side) {
  auto text = part.fields.text("protect");
  if (!text) return std::nullopt;
  for (Protect protect : {Protect::None, Protect::Tls, Protect::MutualTls, Protect::Passthrough}) {
    if (text->value != to_string(protect)) continue;
    side.protect = {protect, text->at};
    return protect;
  }
  static constexpr std::string_view kWords[] = {"tls", "mutual-tls", "passthrough", "none"};
  std::string what = part.of("protect") + " is " + quoted(text->value);
  if (text->value == "ipsec") {
    what += ", which is not in this version; it can be \"tls\", \"mutual-tls\", \"passthrough\" or \"none\"";
  } else if (std::string suggestion = did_you_mean(text->value, kWords); !suggestion.empty()) {
    what += suggestion;
  } else {
    what += "; it can be \"tls\", \"mutual-tls\", \"passthrough\" or \"none\"";
  }
  report_.add(text->at, what);
  return std::nullopt;
}

void Decoder::read_alpn(const Part& part, Side& side) {
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
}

void Decoder::unknown_identity(const Part& part, const Located<std::string>& name) {
  std::vector<std::string_view> words;
  for (const Identity& identity : node_.identities) words.push_back(identity.name.value);
  report_.add(name.at, part.of("identity") + " is " + quoted(name.value) + ", but there is no [identity." +
                           visible(name.value, 64) + "]" + did_you_mean(name.value, words));
}

void Decoder::has_no_effect(const Part& part, const Side& side, std::string_view key) {
  const Value* value = part.fields.find(key);
  if (value == nullptr) return;
  std::string_view remedy = side.protect.value == Protect::None
                                ? "; remove it, or protect this side"
                                : ", which leaves TLS to client and target; remove it, or end TLS here";
  report_.add(
      value->at,
      part.of(key) + " has no effect with protect = " + quoted(to_string(side.protect.value)) + std::string(remedy),
      side.protect.at);
}

void Decoder::refuse_plaintext(const Part& part, const Side& side, std::string_view doing, const std::string& where,
                               const Place& at) {
  report_.add(side.protect.at,
              part.of("protect") + " is \"none\", but it " + std::string(doing) + " " + where +
                  ", where the network could read everything; use \"mutual-tls\" or \"tls\", keep to loopback or "
                  "a UNIX socket, or say allow_plaintext = true",
              at);
}

void Decoder::needs_trust(const Part& part, const Side& side) {
  const Identity* identity = side.identity ? node_.identity(side.identity->value) : nullptr;
  if (identity == nullptr || identity->trust) return;
  const Value* identities = document_.find("identity");
  const Value* table = identities == nullptr ? nullptr : identities->find(identity->name.value);
  if (table != nullptr && table->find("trust") != nullptr) return;  // and it has been complained about
  report_.add(identity->name.at,
              identity_label(identity->name.value) + ": trust is missing: " + part.channel +
                  " verifies its peers by it; give the PEM file of a trust bundle",
              side.identity->at);
}

void Decoder::check_both_pass_through(const std::string& label, const Channel& channel) {
  const Located<Protect>&from = channel.from.protect, &to = channel.to.protect;
  if (from.at.line == 0 || to.at.line == 0) return;  // one of them could not be read
  if ((from.value == Protect::Passthrough) == (to.value == Protect::Passthrough)) return;
  bool from_passes = from.value == Protect::Passthrough;
  const Located<Protect>& other = from_passes ? to : from;
  report_.add(other.at,
              label + ": " + (from_passes ? "from" : "to") + ".protect is \"passthrough\", but " +
                  (from_passes ? "to" : "from") + ".protect is " + quoted(to_string(other.value)) +
                  "; TLS passes through both sides or none: say \"passthrough\" here too, or end TLS on both",
              from_passes ? from.at : to.at);
}

}  // namespace cipherway::config
