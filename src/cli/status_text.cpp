#include "cli/status_text.h"

#include "cli/table.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <ctime>

namespace cipherway::cli {

namespace {

using Json = nlohmann::ordered_json;

/// A value as text; "-" where there is none: other versions of a node may say less.
std::string at(const Json& object, const char* name) {
  auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

const Json& inside(const Json& object, const char* name) {
  static const Json none = Json::object();
  auto found = object.find(name);
  return found != object.end() ? *found : none;
}

std::string joined(const Json& list) {
  std::string out;
  for (const Json& each : list) {
    if (!out.empty()) out += " ";
    out += each.is_string() ? each.get<std::string>() : each.dump();
  }
  return out.empty() ? "-" : out;
}

std::string bytes_in_words(const Json& object, const char* name) {
  auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return "-";
  double value = found->get<double>();
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (value < 1000) break;
    value /= 1000;
    unit = next;
  }
  char text[32];
  std::snprintf(text, sizeof text, value < 10 && *unit != 'B' ? "%.1f %s" : "%.0f %s", value, unit);
  return text;
}

std::string micros_in_words(const Json& object, const char* name) {
  auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", found->get<double>() / 1000);
  return text;
}

/// Seconds since 1970 of an RFC 3339 time in UTC.
std::optional<WallClock::time_point> parse_time(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return std::nullopt;
  return WallClock::from_time_t(::timegm(&parts));
}

std::string when(const std::string& time, WallClock::time_point now) {
  auto parsed = parse_time(time);
  if (!parsed) return time;
  return in_words(std::chrono::duration_cast<std::chrono::seconds>(*parsed - now));
}

/// An expiry: the day, for whoever plans, and how long that is, for whoever worries.
std::string until(const std::string& time, WallClock::time_point now) {
  return time.size() < 16 ? time : time.substr(0, 10) + " " + time.substr(11, 5) + "Z, " + when(time, now);
}

std::string sandbox(const Json& process) {
  const Json& box = inside(process, "sandbox");
  if (box.empty()) return at(process, "process") == "supervisor" ? "none: starts the others" : "-";
  std::string out;
  if (box.value("seccomp", false)) out = "seccomp";
  if (int version = box.value("landlock", 0); version > 0)
    out += (out.empty() ? "landlock " : " + landlock ") + std::to_string(version);
  return out.empty() ? "none" : out;
}

}  // namespace

std::string in_words(std::chrono::seconds from_now) {
  using namespace std::chrono;
  if (from_now.count() == 0) return "just now";
  bool past = from_now.count() < 0;
  auto left = past ? -from_now : from_now;
  std::string out;
  if (left >= days(3))
    out = std::to_string(duration_cast<days>(left).count()) + " days";
  else if (left >= hours(1))
    out = std::to_string(duration_cast<hours>(left).count()) + " h " +
          std::to_string(duration_cast<minutes>(left % hours(1)).count()) + " min";
  else if (left >= minutes(1))
    out = std::to_string(duration_cast<minutes>(left).count()) + " min";
  else
    out = std::to_string(left.count()) + " s";
  return past ? out + " ago" : "in " + out;
}

std::string exposure_text(const Json& report) {
  Table table({"KEY", "PROCESS", "PID", "FOR HOW LONG"});
  for (const Json& row : inside(report, "exposure"))
    table.add({at(row, "key"), at(row, "process"), at(row, "pid"), at(row, "lifetime")});
  std::string out = "Which process can read which key, as the processes themselves report\n";
  out += table.empty() ? "  nobody holds a key\n" : table.to_string();
  out += "  The supervisor holds none.\n";
  if (const Json& silent = inside(report, "silent"); silent.is_array() && !silent.empty())
    out += "  No answer in time from: " + joined(silent) + "\n";
  return out;
}

std::string status_text(const Json& report, WallClock::time_point now) {
  const Json& node = inside(report, "node");
  std::string out = "Node " + at(node, "config") + ": " + at(node, "phase") + ", started " +
                    when(at(node, "since"), now) + ", config " + at(node, "generation") + " in force\n\n";

  Table channels({"CHANNEL", "LISTENS ON", "FROM", "TO", "OPEN", "TOTAL", "FULL", "RESUMED", "REFUSED", "IN", "OUT"});
  for (const Json& row : inside(report, "channels"))
    channels.add({at(row, "name"), at(row, "listen"), at(inside(row, "from"), "protect"),
                  at(inside(row, "to"), "protect") + " " + joined(inside(inside(row, "to"), "targets")),
                  at(row, "open"), at(row, "total"), at(row, "full"), at(row, "resumed"), at(row, "refused"),
                  bytes_in_words(row, "bytes_in"), bytes_in_words(row, "bytes_out")});
  out += "Channels (handshakes are those with clients)\n" + channels.to_string() + "\n";

  Table targets({"CHANNEL", "TARGET", "HEALTH", "OPEN", "FAILURES", "EJECTIONS", "WEIGHT", "LAST CHECK"});
  for (const Json& row : inside(report, "channels")) {
    for (const Json& target : inside(row, "targets")) {
      if (!target.is_object()) continue;
      std::string address = at(target, "address"), name = at(target, "name");
      std::string where = address.empty() ? name : name == address || name == "-" ? address : name + " " + address;
      std::string weight = at(target, "weight"), share = at(target, "share_percent");
      if (share != "-" && share != "100") weight += " (at " + share + " %)";
      targets.add({at(row, "name"), where, at(target, "health"), at(target, "open"), at(target, "failures"),
                   at(target, "ejections"), weight, micros_in_words(target, "check_us")});
    }
  }
  if (!targets.empty()) out += "Targets (over all workers)\n" + targets.to_string() + "\n";

  Table identities({"IDENTITY", "NAMES", "ISSUER", "EXPIRES", "KEY", "SIGNATURES"});
  for (const Json& row : inside(report, "identities")) {
    const Json& key = inside(row, "key");
    identities.add({at(row, "name"), joined(inside(row, "names")), at(row, "issuer"), until(at(row, "not_after"), now),
                    key.empty() ? "-" : at(key, "type") + " in " + at(key, "process") + " " + at(key, "pid"),
                    at(key, "signatures")});
  }
  if (!identities.empty()) out += "Identities\n" + identities.to_string() + "\n";

  const Json& sessions = inside(report, "sessions");
  out += "Sessions\n  " + at(sessions, "open") + " open, " + at(sessions, "handshaking") + " in handshake; " +
         at(sessions, "full") + " full and " + at(sessions, "resumed") + " resumed handshakes, " +
         at(sessions, "refused") + " refused\n\n";

  Table processes({"PROCESS", "PID", "USER", "SANDBOX", "STARTED"});
  for (const Json& row : inside(report, "processes"))
    processes.add({at(row, "process"), at(row, "pid"), at(row, "user"), sandbox(row), when(at(row, "since"), now)});
  out += "Processes\n" + processes.to_string();
  if (const Json& silent = inside(report, "silent"); silent.is_array() && !silent.empty())
    out += "  No answer in time from: " + joined(silent) + "\n";
  return out;
}

}  // namespace cipherway::cli
