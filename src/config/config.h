#pragma once

#include "base/address.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// node.toml as values. Decoding knows what a config may say; whether the files it names exist, the certificates parse
/// and the patterns make sense is for the node, which reports in the same form (`Problem`).
namespace cipherway::config {

/// Where in a file something stands; lines and columns count from 1. Line 0 is the file as a whole.
struct Place {
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
  std::string to_string() const;  // "node.toml:14:3", "node.toml"
};

template <class T>
struct Located {
  T value{};
  Place at;
};

/// One thing that is wrong, where, and what to do: `what` names the thing and the remedy. `because` points at the
/// other place of a contradiction.
struct Problem {
  Place at;
  std::string what;
  std::optional<Place> because;
  std::string to_string() const;  // "node.toml:14:3: channel \"orders\": allow is empty, ..."
};

/// In the order of the file; by their words where two stand at one place.
void sort_by_place(std::vector<Problem>& problems);

enum class Protect { None, Tls, MutualTls };
std::string_view to_string(Protect protect);  // "none", "tls", "mutual-tls"

enum class TlsVersion { Tls12, Tls13 };

/// `[identity.NAME]`: relative paths are already resolved against the folder of the config file.
struct Identity {
  Located<std::string> name;
  std::vector<Located<std::string>> names;  ///< optional: names the certificate must have
  Located<std::string> certificate;         ///< PEM chain, leaf first
  Located<std::string> key;                 ///< PEM private key: only ever opened by the keyholder
  /// PEM trust bundle: whom this identity's channels believe. There whenever a channel that uses the identity verifies
  /// its peers, that is unless all of them are `from.protect = "tls"`.
  std::optional<Located<std::string>> trust;
};

/// What both sides of a channel have in common.
struct Side {
  Located<Protect> protect;
  std::optional<Located<std::string>> identity;  ///< the name of an [identity.NAME]
  TlsVersion minimum_version = TlsVersion::Tls13;
  std::vector<Located<std::string>> alpn;
  bool allow_plaintext = false;  ///< permits protect = "none" off loopback
};

/// `from`: where the channel listens, and who may connect.
struct From : Side {
  Located<Address> listen;
  std::vector<Located<std::string>> allow;  ///< patterns; mutual-tls needs at least one
};

/// `to`: where the channel leads, and who must be there.
struct To : Side {
  std::vector<Located<Address>> targets;            ///< tried in turn
  std::vector<Located<std::string>> expect;         ///< patterns; tls and mutual-tls need at least one
  std::optional<Located<std::string>> trust;        ///< PEM bundle for protect = "tls" without an identity
  std::optional<Located<std::string>> server_name;  ///< SNI; else the first exact DNS name of `expect`
};

struct Timeouts {
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds idle{3'600'000};
  std::chrono::milliseconds drain{30'000};
};

struct Limits {
  unsigned connections = 10'000;  ///< per channel and worker
  unsigned handshakes = 1'000;    ///< under way at once, per channel and worker
};

struct Channel {
  Located<std::string> name;
  From from;
  To to;
  Timeouts timeouts;
  Limits limits;
};

struct Node {
  Located<std::string> state;  ///< directory for the control socket; made if missing
  Located<std::string> user;   ///< whom workers and keyholder become when started by root; "nobody" by default
  unsigned workers = 0;        ///< 0: one per core
  std::vector<Identity> identities;
  std::vector<Channel> channels;
  std::string directory;  ///< of the config file: what relative paths start from

  const Identity* identity(std::string_view name) const;
};

/// Either a config or every problem found, never both. At most 100 problems are collected.
struct Decoded {
  std::optional<Node> node;
  std::vector<Problem> problems;
};

/// Decodes the text of a config file (at most 1 MiB). `file` is how problems name it; `directory` is where it lives.
Decoded decode(std::string_view text, std::string file, std::string directory);

}  // namespace cipherway::config
