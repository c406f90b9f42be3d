#pragma once

#include "tls/client_hello.h"

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cipherway::gateway {

/// Which of the channels behind one listening address a ClientHello leads into. Pure; made anew by every reload.
///
/// The name decides first: a channel that has exactly this name, else one with the wildcard of its first label, else
/// the default, a channel without names. Of the channels that match the name equally well the first one that has a
/// protocol in common with the client takes it, else the first without protocols of its own. A client that offers no
/// protocol has no say in it: a channel without protocols, else the first.
class Routes {
 public:
  /// What a channel answers to.
  struct Answers {
    std::vector<std::string> server_names;  ///< "shop.example.org", "*.example.org"; none: the default
    std::vector<std::string> alpn;          ///< none: whatever the client offers
  };
  enum class Miss {
    NoName,        ///< the client names nobody, and there is no default
    UnknownName,   ///< it names somebody else
    NoSharedAlpn,  ///< the name is known, none of the protocols is
  };

  Routes() = default;
  /// In the order of the file: an index into `channels` is what `choose` returns.
  explicit Routes(const std::vector<Answers>& channels);

  std::expected<std::size_t, Miss> choose(std::string_view server_name, tls::ProtocolNames offered) const;

  /// There is one channel and it is the default: a ClientHello decides nothing.
  bool trivial() const { return trivial_; }

 private:
  struct Candidate {
    std::size_t channel;
    std::vector<std::string> alpn;
  };
  using Candidates = std::vector<Candidate>;  // of one name, in the order of the file
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using ByName = std::unordered_map<std::string, Candidates, Hash, std::equal_to<>>;

  const Candidates* named(std::string_view server_name) const;

  ByName exact_;
  ByName wildcard_;  // by what stands after "*."
  Candidates default_;
  bool trivial_ = false;
};

}  // namespace cipherway::gateway
