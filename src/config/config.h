#pragma once

#include "base/address.h"
#include "base/host_port.h"
#include "base/network.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
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

enum class Protect { None, Tls, MutualTls, Passthrough };
std::string_view to_string(Protect protect);  // "none", "tls", "mutual-tls", "passthrough"
/// Whether this side of a channel has TLS of its own: neither `none` nor `passthrough`, which relays that of others.
bool has_tls(Protect protect);

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

/// Where a channel listens: an address, or a socket that systemd opened and named (`systemd:NAME`).
struct Listen {
  Address address;      ///< without meaning when `systemd` is there
  std::string systemd;  ///< the NAME (FileDescriptorName=); empty: `address` counts

  bool is_systemd() const { return !systemd.empty(); }
  /// "192.0.2.1:443", "unix:/run/x.sock", "systemd:https": channels with the same text share one listener.
  std::string to_string() const;
  bool operator==(const Listen&) const = default;
};

/// `from`: where the channel listens, and who may connect.
struct From : Side {
  Located<Listen> listen;
  /// SNI names in lower case, exact or `*.example.org` (exactly one label), none twice. Empty: the channel is the
  /// default of its listener.
  std::vector<Located<std::string>> server_names;
  std::vector<Located<std::string>> allow;  ///< patterns; mutual-tls needs at least one
  /// Connections from these sources begin with a PROXY protocol header, and must; those from others must not. The same
  /// in all channels of one listener; no network within another.
  std::vector<Located<Network>> proxy_from;
};

/// One of the places a channel leads to.
struct Target {
  std::variant<Address, HostPort> where;  ///< a name is resolved again whenever its time to live is over
  unsigned weight = 1;                    ///< 1 to 1,000
  unsigned connections = 0;               ///< at once, over all workers; 0: no limit

  const Address* address() const { return std::get_if<Address>(&where); }
  const HostPort* name() const { return std::get_if<HostPort>(&where); }
  std::string to_string() const;  ///< "192.0.2.1:443", "unix:/run/x.sock", "app.internal:8080"
};

enum class Balance { RoundRobin, Random, LeastConnections, TwoChoices, Pinned, InOrder };
std::string_view to_string(Balance balance);  // "round-robin", ...

enum class ProxyVersion { V1, V2 };

/// `to`: where the channel leads, and who must be there.
struct To : Side {
  std::vector<Located<Target>> targets;             ///< 1 to 100
  std::vector<Located<std::string>> expect;         ///< patterns; tls and mutual-tls need at least one
  std::optional<Located<std::string>> trust;        ///< PEM bundle for protect = "tls" without an identity
  std::optional<Located<std::string>> server_name;  ///< SNI; else the first exact DNS name of `expect`
  Balance balance = Balance::RoundRobin;
  std::chrono::milliseconds slow_start{0};     ///< 0: a target that comes back gets its full share at once
  std::optional<ProxyVersion> proxy_protocol;  ///< what connections to targets begin with
};

/// `[channel.health]`: active checks of every target.
struct Health {
  enum class Check { Tcp, Tls, Http };
  Check check = Check::Tcp;
  std::string path = "/";           ///< of the GET; http only
  std::optional<std::string> host;  ///< the Host of the GET; http only. Without it: the target's name or address
  std::chrono::milliseconds interval{5'000};
  std::chrono::milliseconds timeout{2'000};  ///< at most `interval`
  unsigned rise = 2;                         ///< successes in a row until a target is up again
  unsigned fall = 3;                         ///< failures in a row until it is down
};
std::string_view to_string(Health::Check check);  // "tcp", "tls", "http"

/// `[channel.eject]`: targets that fail real connections are left out for a while.
struct Eject {
  unsigned failures = 5;  ///< in a row; 0: never
  std::chrono::milliseconds duration{10'000};
};

struct Timeouts {
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds idle{3'600'000};
  std::chrono::milliseconds stall{300'000};  ///< how long a side may take nothing while there is something for it
  std::chrono::milliseconds drain{30'000};
};

struct Limits {
  unsigned connections = 10'000;              ///< per channel and worker
  unsigned handshakes = 1'000;                ///< under way at once, per channel and worker
  unsigned source_connections = 0;            ///< at once from one source; 0: no limit
  unsigned source_handshakes_per_second = 0;  ///< from one source; 0: no limit
};

struct Channel {
  Located<std::string> name;
  From from;
  To to;
  std::optional<Health> health;
  Eject eject;
  Timeouts timeouts;
  Limits limits;
};

struct Node {
  Located<std::string> state;  ///< directory for the control socket; made if missing
  Located<std::string> user;   ///< whom workers and keyholder become when started by root; "nobody" by default
  unsigned workers = 0;        ///< 0: one per core
  std::optional<Located<Address>> status;              ///< where HTTP status is served; loopback or a UNIX socket
  std::size_t worker_memory = std::size_t{256} << 20;  ///< bytes that one worker may hold in relay buffers
  std::vector<Located<Address>> resolver;              ///< name servers, instead of those of /etc/resolv.conf
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
