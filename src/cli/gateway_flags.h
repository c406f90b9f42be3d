#pragma once

#include "config/config.h"

#include <expected>
#include <string>
#include <vector>

namespace cipherway::cli {

/// `cipherway gateway`: one channel, said in flags. Everything is as it stood on the command line.
struct GatewayFlags {
  bool client = false;  ///< plaintext comes in and TLS goes out; else the other way round
  std::string listen;
  std::vector<std::string> targets;
  std::string certificate, key, trust;
  std::vector<std::string> allow_uri, allow_dns;
  bool allow_any = false;
  bool no_client_auth = false;
  bool unsafe_listen = false, unsafe_target = false;
  std::string server_name;
  std::string balance, proxy_protocol;
  std::string handshake_timeout, connect_timeout, idle_timeout, shutdown_timeout;
  std::string status, user;
  unsigned workers = 0;
};

/// The node.toml that some flags stand for, and which flag each of its lines comes from.
class FlagConfig {
 public:
  /// Paths become absolute, starting from `directory`. What only flags can get wrong is a problem here; the rest is
  /// found by whoever reads the text. `state` is the node's state directory.
  static std::expected<FlagConfig, std::vector<config::Problem>> from(const GatewayFlags& flags,
                                                                      const std::string& directory,
                                                                      const std::string& state);
  const std::string& text() const { return text_; }
  /// Problems of the text as a person who wrote flags wants to read them: at the flag, and in its words.
  std::vector<config::Problem> at_flags(std::vector<config::Problem> problems) const;

  /// What problems call the text before they are taken to the flags.
  static constexpr const char* kFile = "cipherway gateway";

 private:
  struct Line {
    std::string flag;
    std::string key;  ///< as problems of the config call it: "from.listen"
  };
  void add(const std::string& text, const std::string& flag = "", const std::string& key = "");

  std::string text_;
  std::vector<Line> lines_;
};

/// What to do instead of a flag that ghostunnel has and we have not, or have no need for; empty for other words.
std::string instead_of_foreign_flag(std::string_view flag);

}  // namespace cipherway::cli
