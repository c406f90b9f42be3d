#include "node/prepared.h"

#include "gateway/certificate_for_tests.h"

#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace cipherway::node {
namespace {

/// A folder with a config and its files, gone at the end of the test.
class Load : public ::testing::Test {
 protected:
  Load() {
    std::string pattern = ::testing::TempDir() + "cipherway-load-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    put("node.toml", R"([node]
state = "state"

[identity.shop]
certificate = "shop.pem"
key = "shop.key"
trust = "bundle.pem"

[[channel]]
name = "in"
from = { listen = "127.0.0.1:1", protect = "mutual-tls", identity = "shop", allow = ["any"] }
to = { targets = ["127.0.0.1:2"], protect = "none" }
)");
    put("shop.pem", gateway::to_pem({.alternative_names = "DNS:shop.example.org"}));
    put("bundle.pem", gateway::to_pem({.authority = true}));
    put("shop.key", "not a key: nobody here may look");
    ::chmod(path("shop.key").c_str(), 0600);
  }
  ~Load() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void put(const std::string& name, std::string_view content) const { std::ofstream(path(name)) << content; }
  std::vector<std::string> problems() const {
    auto loaded = load(path("node.toml"));
    std::vector<std::string> out;
    if (!loaded)
      for (const config::Problem& problem : loaded.error().all()) out.push_back(problem.to_string());
    return out;
  }
  std::string at(const char* place) const { return path("node.toml") + ":" + place; }

  std::string directory_;
};

using Texts = std::vector<std::string>;

TEST_F(Load, GivesWorkersWhatTheyNeedToResolveNames) {
  bool has_hosts = std::filesystem::exists("/etc/hosts");
  EXPECT_FALSE(load(path("node.toml"))->snapshot.files.contains("/etc/hosts")) << "no name in it, nothing to resolve";
  put("node.toml", R"([node]
state = "state"
[[channel]]
name = "in"
from = { listen = "127.0.0.1:1", protect = "none" }
to = { targets = ["app.internal:2"], protect = "none", allow_plaintext = true }
)");
  auto loaded = load(path("node.toml"));
  ASSERT_TRUE(loaded) << problems().front();
  EXPECT_EQ(loaded->snapshot.files.contains("/etc/hosts"), has_hosts);
}

TEST_F(Load, GivesWorkersTheBytesThatWereChecked) {
  auto loaded = load(path("node.toml"));
  ASSERT_TRUE(loaded) << problems().front();
  EXPECT_EQ(loaded->prepared.channels.size(), 1U);
  EXPECT_EQ(loaded->snapshot.files.size(), 2U) << "the certificate and the bundle";
  EXPECT_TRUE(loaded->snapshot.files.contains(path("shop.pem")));
  EXPECT_FALSE(loaded->snapshot.files.contains(path("shop.key")));

  auto worker = gateway::prepare(*config::Snapshot::from_bytes(*loaded->snapshot.to_bytes()));
  ASSERT_TRUE(worker);
  EXPECT_EQ(worker->identities.at("shop").chain.leaf().fingerprint(),
            loaded->prepared.identities.at("shop").chain.leaf().fingerprint());
}

TEST_F(Load, AKeyFileThatOthersMayReadIsRefused) {
  ::chmod(path("shop.key").c_str(), 0640);
  EXPECT_EQ(problems(), Texts{at("6:7: identity \"shop\": key ") + path("shop.key") +
                              " is open to others than its owner (mode 0640); run: chmod 600 " + path("shop.key")});
}

TEST_F(Load, TheKeyFileIsNeverOpened) {
  Fd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_GE(::inotify_add_watch(watch.get(), path("shop.key").c_str(), IN_OPEN), 0);
  char event[256];
  ASSERT_TRUE(load(path("node.toml")));
  EXPECT_EQ(::read(watch.get(), event, sizeof event), -1) << "somebody opened the key file";
  // The control: had anybody opened it, the watch would have told.
  ASSERT_TRUE(read_file(path("shop.key"), 100));
  EXPECT_GT(::read(watch.get(), event, sizeof event), 0);
}

TEST_F(Load, MissingFilesOfEveryKindAreNamed) {
  for (const char* name : {"shop.pem", "shop.key", "bundle.pem"}) std::filesystem::remove(path(name));
  EXPECT_EQ(problems(), (Texts{at("5:15: identity \"shop\": certificate: there is no file ") + path("shop.pem"),
                               at("6:7: identity \"shop\": key: there is no file ") + path("shop.key"),
                               at("7:9: identity \"shop\": trust: there is no file ") + path("bundle.pem")}));
}

TEST_F(Load, AnExpiredCertificateIsNamedAlthoughOtherFilesAreMissing) {
  put("shop.pem", gateway::to_pem({.not_after = "20260102000000Z"}));
  std::filesystem::remove(path("bundle.pem"));
  ASSERT_EQ(problems().size(), 2U);
  EXPECT_NE(problems()[0].find("expired at 2026-01-02T00:00:00.000Z; renew it"), std::string::npos);
}

TEST_F(Load, AFolderIsNoKey) {
  std::filesystem::remove(path("shop.key"));
  std::filesystem::create_directory(path("shop.key"));
  EXPECT_EQ(problems(), Texts{at("6:7: identity \"shop\": key ") + path("shop.key") + " is not a file"});
}

TEST_F(Load, AConfigThatIsNotThereSaysSo) {
  auto loaded = load(path("other.toml"));
  ASSERT_FALSE(loaded);
  EXPECT_TRUE(
      loaded.error().problems.at(0).to_string().starts_with(path("other.toml") + ": cannot read this config: "));
}

TEST_F(Load, EveryMistakeOfTheConfigItselfIsReported) {
  put("node.toml", "[node]\nstate = 5\nstatus = \"x\"\n");
  EXPECT_EQ(problems().size(), 3U);
}

}  // namespace
}  // namespace cipherway::node
