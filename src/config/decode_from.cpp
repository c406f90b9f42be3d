#include "config/decoder.h"
#include "config/words.h"

#include <algorithm>

namespace cipherway::config {

namespace {

constexpr std::size_t kMostServerNames = 100;
constexpr std::size_t kMostNetworks = 100;

/// sd_listen_fds_with_names(3): a descriptor's name is printable ASCII without a colon, at most 255 bytes.
bool is_descriptor_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 &&
         std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
}

}  // namespace

void Decoder::read_from(const Part& part, From& from) {
  auto listen = read_listen(part);
  if (listen) from.listen = *listen;
  read_server_names(part, from);
  read_proxy_from(part, from);
  from.allow = part.fields.texts("allow");
  if (read_side(part, from)) check_from(part, from, listen.has_value());
}

std::optional<Located<Listen>> Decoder::read_listen(const Part& part) {
  auto text = part.fields.text("listen");
  if (!text) return std::nullopt;
  if (text->value.starts_with("systemd:")) {
    std::string name = text->value.substr(8);
    if (is_descriptor_name(name)) return Located<Listen>{{{}, std::move(name)}, text->at};
    report_.add(text->at, part.of("listen") + " is " + quoted(text->value) +
                              "; write systemd:NAME with the FileDescriptorName= of the socket unit: 1 to 255 "
                              "printable characters without spaces and colons");
    return std::nullopt;
  }
  auto listen = address(*text, part.of("listen"));
  if (!listen) return std::nullopt;
  return Located<Listen>{{listen->value, {}}, listen->at};
}

void Decoder::read_server_names(const Part& part, From& from) {
  if (part.fields.empty_list("server_names"))
    report_.add(part.fields.find("server_names")->at,
                part.of("server_names") +
                    " is empty, so nobody could reach the channel; name hosts, or remove it to answer to every name");
  for (Located<std::string>& name : part.fields.texts("server_names")) {
    if (from.server_names.size() == kMostServerNames) {
      report_.add(name.at, part.of("server_names") + " has more than " + std::to_string(kMostServerNames) + " names");
      break;
    }
    if (name.value.empty()) continue;  // and it has been complained about
    std::string_view host = name.value;
    if (host.starts_with("*.")) host.remove_prefix(2);
    if (!is_host_name(host)) {
      report_.add(name.at, part.of("server_names") + " has " + quoted(name.value) +
                               "; a name is like \"shop.example.org\" or \"*.example.org\" (SNI carries no addresses)");
      continue;
    }
    for (char& c : name.value)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (std::ranges::any_of(from.server_names, [&](const auto& other) { return other.value == name.value; }))
      report_.add(name.at, part.of("server_names") + " has " + quoted(name.value) + " twice");
    else
      from.server_names.push_back(std::move(name));
  }
}

void Decoder::read_proxy_from(const Part& part, From& from) {
  if (part.fields.empty_list("proxy_from"))
    report_.add(part.fields.find("proxy_from")->at,
                part.of("proxy_from") + " is empty; list the load balancers in front of this node, or remove it");
  for (const Located<std::string>& text : part.fields.texts("proxy_from")) {
    if (from.proxy_from.size() == kMostNetworks) {
      report_.add(text.at, part.of("proxy_from") + " has more than " + std::to_string(kMostNetworks) + " networks");
      break;
    }
    Result<Network> network = Network::parse(text.value);
    if (!network) {
      report_.add(text.at, part.of("proxy_from") + ": " + network.error().what);
      continue;
    }
    for (const Located<Network>& other : from.proxy_from) {
      if (!other.value.contains(*network) && !network->contains(other.value)) continue;
      report_.add(text.at,
                  part.of("proxy_from") + ": " + network->to_string() + " and " + other.value.to_string() +
                      " overlap; remove the smaller one",
                  other.at);
      break;
    }
    from.proxy_from.push_back({*network, text.at});
  }
}

void Decoder::check_from(const Part& part, const From& from, bool listens) {
  Protect protect = from.protect.value;
  if (protect == Protect::MutualTls) {
    if (!part.fields.has("allow") || part.fields.empty_list("allow")) {
      const Value* allow = part.fields.find("allow");
      report_.add(allow ? allow->at : part.fields.at(),
                  part.channel + ": allow is empty, so nobody could connect; list SPIFFE IDs or DNS names",
                  from.protect.at);
    }
    needs_trust(part, from);
  } else if (const Value* allow = part.fields.find("allow")) {
    report_.add(allow->at,
                part.channel + ": allow has no effect with protect = " + quoted(to_string(protect)) +
                    ": only \"mutual-tls\" asks clients who they are",
                from.protect.at);
  }
  if (has_tls(protect) && !part.fields.has("identity"))
    report_.add(part.fields.at(),
                part.of("identity") + " is missing: protect = " + quoted(to_string(protect)) +
                    " needs a certificate to show; name an [identity.NAME]",
                from.protect.at);
  if (protect != Protect::None) return;
  if (const Value* names = part.fields.find("server_names"))
    report_.add(names->at,
                part.of("server_names") +
                    " needs TLS, which tells the name: protect this side with \"tls\", \"mutual-tls\" or "
                    "\"passthrough\", or remove it",
                from.protect.at);
  // Where a socket of systemd is can be seen only when it is there: the node looks (node/listeners.cpp).
  if (!listens || from.allow_plaintext || from.listen.value.is_systemd()) return;
  if (!from.listen.value.address.is_local())
    refuse_plaintext(part, from, "listens on", from.listen.value.to_string(), from.listen.at);
}

}  // namespace cipherway::config
