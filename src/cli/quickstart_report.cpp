#include "cli/quickstart_report.h"

#include "cli/table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cipherway::cli {

namespace {

std::string short_hash(const std::string& hash) {
  return hash.size() > 16 ? hash.substr(0, 16) + "..." : hash;
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

std::vector<std::string> QuickstartReport::shortcomings() const {
  std::vector<std::string> out;
  auto expect = [&](bool holds, std::string otherwise) {
    if (!holds) out.push_back(std::move(otherwise));
  };
  expect(protect == "mutual-tls", "the channel is protected by \"" + protect + "\" and not by mutual-tls");
  expect(protocol == "TLSv1.3", "the nodes agreed on \"" + protocol + "\" and not on TLSv1.3");
  expect(!client.empty(), "B did not report whom it verified");
  expect(!server_name.empty(), "A did not report whom it verified");
  expect(sha256_match(), "the file that arrived is not the file that was sent");
  expect(bytes >= file_bytes, "the channel reports fewer bytes than the file has");
  expect(full + resumed > 0, "the nodes report no handshakes");
  expect(!marker_seen_protected, "the recorder read the marker in the protected traffic");
  expect(marker_seen_clear, "the control failed: the recorder did not read the marker in unprotected traffic either");
  bool held = false;
  for (const auto& row : exposure) {
    if (row.key.find("private key") == std::string::npos) continue;
    held = true;
    expect(row.process.find("keyholder") != std::string::npos, row.process + " holds the " + row.key);
  }
  expect(held, "no process reports the private keys");
  return out;
}

std::string QuickstartReport::to_json() const {
  auto holdings = nlohmann::ordered_json::array();
  for (const Holding& each : exposure)
    holdings.push_back({{"key", each.key}, {"process", each.process}, {"pid", each.pid}, {"lifetime", each.lifetime}});
  nlohmann::ordered_json report = {{"channel",
                                    {{"protect", protect},
                                     {"protocol", protocol},
                                     {"group", group},
                                     {"cipher", cipher},
                                     {"client", client},
                                     {"server", server_name},
                                     {"bytes", bytes},
                                     {"sha256_match", sha256_match()},
                                     {"sha256", sha256_received},
                                     {"requests", requests},
                                     {"full_handshakes", full},
                                     {"resumed_handshakes", resumed}}},
                                   {"wire",
                                    {{"marker_in_clear_when_protected", marker_seen_protected},
                                     {"marker_in_clear_when_not", marker_seen_clear},
                                     {"bytes_recorded_when_protected", recorded_protected},
                                     {"bytes_recorded_when_not", recorded_clear}}},
                                   {"exposure", std::move(holdings)},
                                   {"seconds", seconds}};
  return report.dump(2) + "\n";
}

std::string QuickstartReport::to_text() const {
  std::string out = fmt::format(
      "\nProcess A talked to process B through Cipherway; process C recorded the path between the nodes.\n\n"
      "  curl --> node A {} ==> recorder ==> node B {} --> HTTP server {}\n\n",
      listen_a, listen_b, server);

  out += "The channel\n";
  auto row = [&](const char* name, const std::string& value) { out += fmt::format("  {:<22}{}\n", name, value); };
  row("protected by", fmt::format("{}: {}, {}, {}", protect, protocol, group, cipher));
  row("B verified A as", client);
  row("A verified B as", server_name);
  row("moved",
      fmt::format("a file of {} and {} small requests, {} in all", megabytes(file_bytes), requests, megabytes(bytes)));
  row("SHA-256 sent", short_hash(sha256_sent));
  row("SHA-256 received", short_hash(sha256_received) + (sha256_match() ? "  (the same)" : "  (NOT the same)"));
  row("handshakes",
      fmt::format("{} full (key agreement and both certificates), {} resumed (key agreement)", full, resumed));

  out += "\nWhat process C could read\n";
  row("protected", fmt::format("{} recorded; the marker that was sent is {}", megabytes(recorded_protected),
                               marker_seen_protected ? "IN IT" : "not in it"));
  row("control: unprotected", fmt::format("the same with protect = \"none\": the marker is {}",
                                          marker_seen_clear ? "in it, as it must be" : "NOT IN IT"));

  out += "\nWhich process could read which key, as the processes reported it\n";
  Table table({"KEY", "PROCESS", "PID", "FOR HOW LONG"});
  for (const Holding& each : exposure) table.add({each.key, each.process, std::to_string(each.pid), each.lifetime});
  out += table.to_string();
  out += "  curl, the HTTP server and the supervisors held none of them.\n\n";

  auto missing = shortcomings();
  if (missing.empty())
    out += fmt::format("All of it is as it should be ({:.1f} s). Nothing of it is left on this machine.\n", seconds);
  for (const std::string& each : missing) out += "NOT as it should be: " + each + "\n";
  out +=
      "Next: docs/guide/config.md describes a channel between programs of your own, docs/guide/running.md how to run "
      "it.\n";
  return out;
}

}  // namespace cipherway::cli
