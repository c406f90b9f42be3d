#pragma once

#include "config/fields.h"
#include "config/report.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cipherway::config {

/// Stands for an address that could not be read, so that checking can go on: a config with problems is never handed
/// out.
Address no_address();

/// Reads a document whose shape has been checked into a Node, and complains about what makes no sense. What concerns
/// several channels at once is checked by listen_rules.h.
class Decoder {
 public:
  Decoder(const Value& document, std::string directory, Report& report);
  Node decode() &&;

 private:
  // decode.cpp: [node], [identity.NAME], [[channel]]
  void read_node(const Fields& fields);
  void read_identity(const Member& member);
  void read_channel(const Value& value, std::size_t index);
  void read_limits(const Part& part, Limits& limits);

  // decode_from.cpp
  void read_from(const Part& part, From& from);
  std::optional<Located<Listen>> read_listen(const Part& part);
  void read_server_names(const Part& part, From& from);
  void read_proxy_from(const Part& part, From& from);
  void check_from(const Part& part, const From& from, bool listens);

  // decode_to.cpp
  void read_to(const Part& part, To& to);
  void read_targets(const Part& part, To& to);
  std::optional<Located<Target>> read_target(const Part& part, const Value& item, std::size_t index);
  std::optional<Located<Target>> read_place(const Located<std::string>& text, const std::string& name);
  void read_balance(const Part& part, To& to);
  void check_to(const Part& part, const To& to);

  // decode_health.cpp
  void read_health(const Part& part, const To& to, Health& health);
  void read_eject(const Part& part, Eject& eject);

  // decode_side.cpp: what both sides have in common
  /// Nothing when `protect` is missing or unknown: rules that depend on it say nothing then.
  std::optional<Protect> read_side(const Part& part, Side& side);
  std::optional<Protect> read_protect(const Part& part, Side& side);
  void read_alpn(const Part& part, Side& side);
  void unknown_identity(const Part& part, const Located<std::string>& name);
  void has_no_effect(const Part& part, const Side& side, std::string_view key);
  void refuse_plaintext(const Part& part, const Side& side, std::string_view doing, const std::string& where,
                        const Place& at);
  /// A side that verifies its peers by an identity needs that identity's trust bundle.
  void needs_trust(const Part& part, const Side& side);
  void check_both_pass_through(const std::string& label, const Channel& channel);

  // decode_values.cpp
  /// Relative paths start from the folder of the config file.
  std::string resolved_path(std::string_view path) const;
  Located<std::string> resolved(const Located<std::string>& path) const;
  std::optional<Located<Address>> address(const Located<std::string>& text, const std::string& name);
  std::optional<unsigned> whole(const Fields& fields, std::string_view key, const std::string& name, unsigned least,
                                unsigned most);
  void duration(const Part& part, std::string_view key, std::chrono::milliseconds& out,
                std::chrono::milliseconds least = std::chrono::milliseconds(1));
  /// Which of `words` the text of a key is: its index.
  std::optional<std::size_t> one_of(const Part& part, std::string_view key, std::span<const std::string_view> words);

  const Value& document_;
  Report& report_;
  Node node_;
  std::map<std::string, Place, std::less<>> channel_names_;
};

}  // namespace cipherway::config
