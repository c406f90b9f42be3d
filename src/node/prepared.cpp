#include "node/prepared.h"

#include "gateway/name_service.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace cipherway::node {

namespace {

using config::Located;
using config::Problem;

constexpr std::size_t kMostConfigBytes = 1 << 20;

std::string octal(mode_t mode) {
  std::string out;
  for (int shift = 9; shift >= 0; shift -= 3) out += static_cast<char>('0' + ((mode >> shift) & 7));
  return out;
}

void check_key_file(const config::Identity& identity, Unprepared& unprepared) {
  const Located<std::string>& key = identity.key;
  std::string what = "identity \"" + identity.name.value + "\": key";
  struct stat about{};
  if (::stat(key.value.c_str(), &about) != 0) {
    int error = errno;
    if (error == ENOENT || error == ENOTDIR)
      unprepared.missing.push_back(Problem{key.at, what + ": there is no file " + key.value, {}});
    else
      unprepared.problems.push_back(
          Problem{key.at, what + " " + key.value + ": " + std::generic_category().message(error), {}});
    return;
  }
  if (!S_ISREG(about.st_mode)) {
    unprepared.problems.push_back(Problem{key.at, what + " " + key.value + " is not a file", {}});
  } else if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    unprepared.problems.push_back(Problem{key.at,
                                          what + " " + key.value + " is open to others than its owner (mode " +
                                              octal(about.st_mode & 07777) + "); run: chmod 600 " + key.value,
                                          {}});
  }
}

/// Where relative paths of a config start: an absolute path, because processes of a node may run elsewhere.
std::string directory_of(const std::string& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? std::string(".") : absolute.parent_path().lexically_normal().string();
}

bool has_names(const config::Node& node) {
  return std::ranges::any_of(node.channels, [](const config::Channel& channel) {
    return std::ranges::any_of(channel.to.targets, [](const auto& target) { return target.value.name() != nullptr; });
  });
}

std::unexpected<Unprepared> only(Problem problem) {
  return std::unexpected(Unprepared{{std::move(problem)}, {}});
}

}  // namespace

std::expected<Loaded, Unprepared> load(const std::string& path, WallClock::time_point now) {
  Result<std::string> text = read_file(path, kMostConfigBytes);
  if (!text) return only(Problem{config::Place{path, 0, 0}, "cannot read this config: " + text.error().what, {}});
  return load_text(*std::move(text), path, directory_of(path), now);
}

std::expected<Loaded, Unprepared> load_text(std::string text, const std::string& file, const std::string& directory,
                                            WallClock::time_point now) {
  config::Snapshot snapshot{.text = std::move(text), .file = file, .directory = directory, .files = {}};

  config::Decoded decoded = config::decode(snapshot.text, snapshot.file, snapshot.directory);
  if (!decoded.node) return std::unexpected(Unprepared{std::move(decoded.problems), {}});

  // Files are read once: what is checked here is what workers get.
  auto read = [&](const std::string& path) -> Result<std::string> {
    if (auto known = snapshot.files.find(path); known != snapshot.files.end()) return known->second;
    std::string content = TRY(read_file(path, config::Snapshot::kMostFileBytes));
    snapshot.files.emplace(path, content);
    return content;
  };
  std::expected<Prepared, Unprepared> prepared = gateway::prepare(*decoded.node, read, now);
  // Workers resolve names and can open no file. A machine may do without either of these.
  if (has_names(*decoded.node))
    for (const char* path : {gateway::kResolvConf, gateway::kHosts}) static_cast<void>(read(path));
  Unprepared unprepared;
  if (!prepared) unprepared = std::move(prepared.error());
  for (const config::Identity& identity : decoded.node->identities) check_key_file(identity, unprepared);
  if (Result<Bytes> bytes = snapshot.to_bytes(); !bytes)
    unprepared.problems.push_back(Problem{config::Place{file, 0, 0}, bytes.error().what, {}});
  if (unprepared.empty()) return Loaded{std::move(snapshot), *std::move(prepared)};
  sort_by_place(unprepared.problems);
  sort_by_place(unprepared.missing);
  return std::unexpected(std::move(unprepared));
}

}  // namespace cipherway::node
