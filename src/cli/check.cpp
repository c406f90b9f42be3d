#include "cli/commands.h"
#include "cli/flags.h"
#include "node/prepared.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace cipherway::cli {

namespace {

using config::Place;
using config::Problem;
using nlohmann::json;

/// What `check` found in one file.
struct Verdict {
  std::string file;
  bool ok = true;
  std::vector<Problem> problems;
  std::vector<Problem> missing;
  std::size_t channels = 0;
  std::size_t identities = 0;
};

Verdict judge(const std::string& file, bool files_must_exist) {
  Verdict verdict{.file = file, .ok = true, .problems = {}, .missing = {}, .channels = 0, .identities = 0};
  auto loaded = node::load(file);
  if (loaded) {
    verdict.channels = loaded->prepared.channels.size();
    verdict.identities = loaded->prepared.identities.size();
    return verdict;
  }
  if (files_must_exist) {
    verdict.problems = loaded.error().all();
  } else {
    verdict.problems = loaded.error().problems;
    verdict.missing = loaded.error().missing;
  }
  verdict.ok = verdict.problems.empty();
  return verdict;
}

json to_json(const Place& place) {
  return {{"file", place.file}, {"line", place.line}, {"column", place.column}};
}

json to_json(const std::vector<Problem>& problems) {
  json list = json::array();
  for (const Problem& problem : problems) {
    json one = to_json(problem.at);
    one["what"] = problem.what;
    if (problem.because) one["because"] = to_json(*problem.because);
    list.push_back(std::move(one));
  }
  return list;
}

void print_json(const std::vector<Verdict>& verdicts) {
  json list = json::array();
  for (const Verdict& verdict : verdicts)
    list.push_back({{"file", verdict.file},
                    {"ok", verdict.ok},
                    {"problems", to_json(verdict.problems)},
                    {"missing", to_json(verdict.missing)}});
  // Messages quote what stands in a file: whatever is not UTF-8 there must not end the program here.
  std::puts(list.dump(2, ' ', false, json::error_handler_t::replace).c_str());
}

std::string counted(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

void print_text(const std::vector<Verdict>& verdicts) {
  for (const Verdict& verdict : verdicts) {
    for (const Problem& problem : verdict.problems) std::fprintf(stderr, "%s\n", problem.to_string().c_str());
    for (const Problem& problem : verdict.missing) std::fprintf(stderr, "note: %s\n", problem.to_string().c_str());
    if (!verdict.ok) continue;
    if (verdict.missing.empty())
      std::printf(
          "%s: ok, %s and %s\n", verdict.file.c_str(), counted(verdict.channels, "channel").c_str(),
          verdict.identities == 1 ? "1 identity" : (std::to_string(verdict.identities) + " identities").c_str());
    else
      std::printf("%s: ok, but for %s that cannot be checked here\n", verdict.file.c_str(),
                  counted(verdict.missing.size(), "missing file").c_str());
  }
}

}  // namespace

int check(int argc, char** argv) {
  CLI::App app{
      "Says what is wrong with configs, all of it at once, each with file:line:column. Certificates and trust bundles "
      "that "
      "a config names are read and checked as `cipherway run` does; key files are looked at, never opened. Exits 0 "
      "when "
      "every file is fine, 1 when one is not.",
      "cipherway check"};
  std::vector<std::string> files;
  bool files_must_exist = false;
  bool as_json = false;
  app.add_option("FILE", files, "config files")->required();
  app.add_flag(
      "--files", files_must_exist,
      "a file that a config names and that is not here is a problem, as it is for `cipherway run`, and not a note");
  app.add_flag("--json", as_json, "print one JSON list with an object for each file");
  if (auto status = parse(app, argc, argv)) return *status;

  std::vector<Verdict> verdicts;
  bool ok = true;
  for (const std::string& file : files) {
    verdicts.push_back(judge(file, files_must_exist));
    ok = ok && verdicts.back().ok;
  }
  if (as_json)
    print_json(verdicts);
  else
    print_text(verdicts);
  return ok ? kDone : kFailed;
}

}  // namespace cipherway::cli
