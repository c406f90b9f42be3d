#include "gateway/prepared.h"

#include <algorithm>

namespace cipherway::gateway {

namespace {

using config::Located;
using config::Problem;

class Preparation {
 public:
  Preparation(const config::Node& node, const FileSource& read, std::optional<WallClock::time_point> now)
      : node_(node), read_(read), now_(now) {}

  std::expected<Prepared, Unprepared> run() && {
    Prepared prepared{.config = node_, .identities = {}, .channels = {}};
    for (const config::Identity& identity : node_.identities)
      prepared.identities.emplace(identity.name.value, prepare_identity(identity));
    for (const config::Channel& channel : node_.channels)
      prepared.channels.push_back(prepare_channel(channel, prepared.identities));
    if (unprepared_.empty()) return prepared;
    sort_by_place(unprepared_.problems);
    sort_by_place(unprepared_.missing);
    return std::unexpected(std::move(unprepared_));
  }

 private:
  PreparedIdentity prepare_identity(const config::Identity& config) {
    std::string label = "identity \"" + config.name.value + "\"";
    PreparedIdentity identity{.config = config, .chain = {}, .trust = {}};
    if (auto pem = read(config.certificate, label + ": certificate")) {
      if (auto chain = parsed(config.certificate, label + ": certificate", identity::chain_from_pem(*pem))) {
        identity.chain = *std::move(chain);
        check_names(config, identity.chain.leaf(), label);
        if (now_) check_validity(config, identity.chain, label);
      }
    }
    if (config.trust) identity.trust = read_bundle(*config.trust, label + ": trust");
    return identity;
  }

  void check_names(const config::Identity& config, const identity::Certificate& leaf, const std::string& label) {
    std::vector<identity::Name> has = leaf.names();
    for (const Located<std::string>& text : config.names) {
      Result<identity::Name> name = identity::Name::parse(text.value);
      if (!name) {
        problem(text.at, label + ": names: " + name.error().what);
      } else if (std::ranges::find(has, *name) == has.end()) {
        std::string names;
        for (const identity::Name& one : has) names += (names.empty() ? "" : ", ") + one.text;
        problem(text.at, label + ": the certificate is not for \"" + name->text + "\"; it is for " +
                             (names.empty() ? "no name at all" : names.substr(0, 300)));
      }
    }
  }

  void check_validity(const config::Identity& config, const identity::Chain& chain, const std::string& label) {
    for (std::size_t i = 0; i < chain.certificates.size(); ++i) {
      const identity::Certificate& certificate = chain.certificates[i];
      std::string what = label + ": certificate " + config.certificate.value;
      if (i > 0) what += ", intermediate \"" + certificate.subject() + "\",";
      if (certificate.not_after() <= *now_)
        problem(config.certificate.at, what + " expired at " + to_rfc3339(certificate.not_after()) + "; renew it");
      if (certificate.not_before() > *now_)
        problem(config.certificate.at, what + " is not valid before " + to_rfc3339(certificate.not_before()) +
                                           "; is the clock of this machine right?");
    }
  }

  PreparedChannel prepare_channel(const config::Channel& config,
                                  const std::map<std::string, PreparedIdentity, std::less<>>& identities) {
    std::string label = "channel \"" + config.name.value + "\"";
    PreparedChannel channel{.config = config,
                            .allow = patterns(config.from.allow, label + ": allow"),
                            .expect = patterns(config.to.expect, label + ": expect"),
                            .to_trust = {},
                            .server_name = {}};
    if (config.to.trust) {
      channel.to_trust = read_bundle(*config.to.trust, label + ": to.trust");
    } else if (config.to.identity) {
      if (auto identity = identities.find(config.to.identity->value); identity != identities.end())
        channel.to_trust = identity->second.trust;
    }
    if (config::has_tls(config.to.protect.value)) channel.server_name = server_name(config.to, channel.expect);
    return channel;
  }

  /// RFC 6066, section 3: SNI is a DNS host name, so the first exact one that the operator expects there.
  static std::string server_name(const config::To& to, const identity::AccessPolicy& expect) {
    if (to.server_name) return to.server_name->value;
    for (const identity::NamePattern& pattern : expect.allowed()) {
      Result<identity::Name> name = identity::Name::parse(pattern.text());
      bool is_word = pattern.text() == "any";
      if (name && !is_word && name->kind == identity::NameKind::Dns && !name->text.starts_with('*')) return name->text;
    }
    return {};
  }

  identity::AccessPolicy patterns(const std::vector<Located<std::string>>& texts, const std::string& what) {
    std::vector<identity::NamePattern> patterns;
    for (const Located<std::string>& text : texts) {
      Result<identity::NamePattern> pattern = identity::NamePattern::parse(text.value);
      if (pattern)
        patterns.push_back(*std::move(pattern));
      else
        problem(text.at, what + ": " + pattern.error().what);
    }
    return identity::AccessPolicy(std::move(patterns));
  }

  std::optional<identity::TrustBundle> read_bundle(const Located<std::string>& path, const std::string& what) {
    auto pem = read(path, what);
    if (!pem) return std::nullopt;
    return parsed(path, what, identity::TrustBundle::from_pem(*pem));
  }

  std::optional<std::string> read(const Located<std::string>& path, const std::string& what) {
    Result<std::string> content = read_(path.value);
    if (content) return *std::move(content);
    if (content.error().kind == ErrorKind::NotFound)
      unprepared_.missing.push_back(Problem{path.at, what + ": there is no file " + path.value, {}});
    else
      problem(path.at, what + ": " + content.error().what);
    return std::nullopt;
  }

  template <class T>
  std::optional<T> parsed(const Located<std::string>& path, const std::string& what, Result<T>&& result) {
    if (result) return *std::move(result);
    problem(path.at, what + " " + path.value + ": " + result.error().what);
    return std::nullopt;
  }

  void problem(const config::Place& at, std::string what) {
    unprepared_.problems.push_back(Problem{at, std::move(what), {}});
  }

  const config::Node& node_;
  const FileSource& read_;
  std::optional<WallClock::time_point> now_;
  Unprepared unprepared_;
};

}  // namespace

std::vector<config::Problem> Unprepared::all() const {
  std::vector<Problem> out = problems;
  out.insert(out.end(), missing.begin(), missing.end());
  sort_by_place(out);
  return out;
}

std::expected<Prepared, Unprepared> prepare(const config::Node& node, const FileSource& read,
                                            std::optional<WallClock::time_point> now) {
  return Preparation(node, read, now).run();
}

std::expected<Prepared, Unprepared> prepare(const config::Snapshot& snapshot) {
  config::Decoded decoded = config::decode(snapshot.text, snapshot.file, snapshot.directory);
  if (!decoded.node) return std::unexpected(Unprepared{std::move(decoded.problems), {}});
  return prepare(*decoded.node, [&](const std::string& path) -> Result<std::string> {
    auto file = snapshot.files.find(path);
    if (file == snapshot.files.end()) return fail(ErrorKind::NotFound, "it is not in the snapshot");
    return file->second;
  });
}

}  // namespace cipherway::gateway
