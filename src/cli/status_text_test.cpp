#include "cli/status_text.h"

#include "cli/quickstart_report.h"
#include "cli/table.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cipherway::cli {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

TEST(TableTest, AlignsColumnsAndKeepsTheTerminalOutOfReach) {
  Table table({"A", "LONG"});
  table.add({"wide", "x"});
  table.add({"\x1b[2J", "y"});
  EXPECT_EQ(table.to_string(), "  A     LONG\n  wide  x\n  ?[2J  y\n");
}

TEST(InWordsTest, ChoosesAUnitThatAPersonWould) {
  EXPECT_EQ(in_words(0s), "just now");
  EXPECT_EQ(in_words(45s), "in 45 s");
  EXPECT_EQ(in_words(-90s), "1 min ago");
  EXPECT_EQ(in_words(23h + 10min), "in 23 h 10 min");
  EXPECT_EQ(in_words(-std::chrono::days(10)), "10 days ago");
}

TEST(StatusTextTest, ShowsChannelsIdentitiesSessionsAndProcesses) {
  auto report = Json::parse(R"({
    "node": {"config": "node.toml", "phase": "serving", "since": "2026-01-01T00:00:00.000Z", "generation": 2},
    "processes": [{"process": "supervisor", "pid": 1, "user": "root", "since": "2026-01-01T00:00:00.000Z"},
                  {"process": "gateway-0", "pid": 3, "user": "nobody", "since": "2026-01-01T00:59:00.000Z",
                   "sandbox": {"seccomp": true, "landlock": 7}}],
    "silent": ["keyholder"],
    "channels": [{"name": "orders", "listen": "192.0.2.1:443", "from": {"protect": "mutual-tls"},
                  "to": {"protect": "none", "targets": ["127.0.0.1:1", "127.0.0.1:2"]}, "open": 3, "total": 9, "full": 4,
                  "resumed": 5, "refused": 1, "bytes_in": 999, "bytes_out": 67108864,
                  "targets": [{"address": "127.0.0.1:1", "name": "127.0.0.1:1", "health": "up", "open": 2, "weight": 3,
                               "share_percent": 40, "check_us": 1500},
                              {"address": "", "name": "app.internal:80", "health": "unresolved"}]}],
    "sessions": {"open": 3, "handshaking": 0, "full": 4, "resumed": 5, "refused": 1},
    "identities": [{"name": "shop", "names": ["spiffe://example.org/shop"], "issuer": "CN=x",
                    "not_after": "2026-01-02T00:00:00.000Z", "key": {"type": "p256", "process": "keyholder", "pid": 2}}]})");
  auto now = WallClock::from_time_t(1767229200);  // 2026-01-01T01:00:00Z
  std::string text = status_text(report, now);
  for (const char* part :
       {"Node node.toml: serving, started 1 h 0 min ago, config 2 in force",
        "orders   192.0.2.1:443  mutual-tls  none 127.0.0.1:1 127.0.0.1:2  3     9      4     5        1        999 B  "
        "67 MB",
        "shop      spiffe://example.org/shop  CN=x    2026-01-02 00:00Z, in 23 h 0 min  p256 in keyholder 2",
        "3 open, 0 in handshake; 4 full and 5 resumed", "gateway-0   3    nobody  seccomp + landlock 7     1 min ago",
        "orders   127.0.0.1:1      up          2     -         -          3 (at 40 %)  1.5 ms",
        "orders   app.internal:80  unresolved  -     -         -          -            -",
        "No answer in time from: keyholder"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nnot in\n" << text;
}

TEST(StatusTextTest, AnEmptyReportIsShownWithoutFailing) {
  EXPECT_NE(status_text(Json::object(), WallClock::now()).find("Channels"), std::string::npos);
  EXPECT_NE(exposure_text(Json::object()).find("nobody holds a key"), std::string::npos);
}

QuickstartReport good_report() {
  QuickstartReport report;
  report.protect = "mutual-tls";
  report.protocol = "TLSv1.3";
  report.client = "spiffe://example.org/a";
  report.server_name = "spiffe://example.org/b";
  report.bytes = 100;
  report.file_bytes = 90;
  report.sha256_sent = report.sha256_received = "abc";
  report.full = 1;
  report.marker_seen_clear = true;
  report.exposure.push_back({"private key of a", "keyholder of node A", 1, "x"});
  return report;
}

TEST(QuickstartReportTest, IsContentOnlyWhenEverythingHolds) {
  EXPECT_TRUE(good_report().shortcomings().empty());
  auto breaks = [](auto&& change) {
    QuickstartReport report = good_report();
    change(report);
    return report.shortcomings().size() == 1;
  };
  EXPECT_TRUE(breaks([](auto& r) { r.protect = "none"; }));
  EXPECT_TRUE(breaks([](auto& r) { r.protocol = "TLSv1.2"; }));
  EXPECT_TRUE(breaks([](auto& r) { r.client = ""; }));
  EXPECT_TRUE(breaks([](auto& r) { r.sha256_received = "abd"; }));
  EXPECT_TRUE(breaks([](auto& r) { r.bytes = 89; }));
  EXPECT_TRUE(breaks([](auto& r) { r.marker_seen_protected = true; }));
  EXPECT_TRUE(breaks([](auto& r) { r.marker_seen_clear = false; }));
  EXPECT_TRUE(breaks([](auto& r) { r.exposure.clear(); }));
  EXPECT_TRUE(breaks([](auto& r) { r.exposure.push_back({"private key of b", "gateway-0 of node B", 2, "x"}); }));
}

}  // namespace
}  // namespace cipherway::cli
