// The history of all runs: sbxctl history, show and stats.
#include "integration/daemon.h"
#include "integration/terminal_run.h"

namespace sbx::test {

namespace {

using Strings = std::vector<std::string>;

ProgramResult sbxctl(const Sandbox& place, const Strings& words) {
  Strings all{program_directory() + "/sbxctl", "--state-dir=" + place.state_dir(), "--log=" + place.log()};
  all.insert(all.end(), words.begin(), words.end());
  return run_program(all);
}

std::vector<json> listed(const Sandbox& place, Strings words) {
  words.insert(words.begin(), {"history", "--json"});
  const ProgramResult result = sbxctl(place, words);
  INFO(result.err);
  CHECK(result.exit_status == 0);
  std::vector<json> found;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) found.push_back(json::parse(line));
  return found;
}

}  // namespace

TEST_CASE("every run is in the history, however it was asked for, with the record that the log has") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  CHECK(listed(place, {}).empty());
  CHECK(place.run({"--quiet", "--task=direct", "--", "/bin/sh", "-c", "exit 3"}).exit_status == 3);
  {
    const Daemon daemon(place);
    CHECK(daemon.sbxrun({"--quiet", "--task=socket", "--", "true"}).exit_status == 0);
    CHECK(daemon.run({{"shell", "true"}, {"task_id", "api"}, {"project_id", "p"}})["exit_code"] == 0);
    const std::string id = daemon.create({{"task_id", "living"}});
    CHECK(daemon.exec(id, "kill -SEGV $$")["signal"] == "SIGSEGV");
  }
  const auto all = listed(place, {});
  REQUIRE(all.size() == 4);
  CHECK(all[0]["task_id"] == "living");
  CHECK(all[3]["task_id"] == "direct");
  json logged = place.log_lines().at(0);
  logged.erase("seq");
  logged.erase("prev");
  CHECK(all[3] == logged);
  CHECK(listed(place, {"--project=p"}).size() == 1);
  CHECK(listed(place, {"--outcome=signaled"}).at(0)["task_id"] == "living");
  CHECK(listed(place, {"--status=completed", "--task=socket"}).size() == 1);
  CHECK(listed(place, {"--since=1h"}).size() == 4);
  CHECK(listed(place, {"--until=1h"}).empty());
  CHECK(listed(place, {"--limit=2"}).size() == 2);

  const std::string run = logged["run_id"];
  const ProgramResult shown = sbxctl(place, {"show", run});
  CHECK_MESSAGE(json::parse(shown.out) == logged, shown.err);
  const ProgramResult unknown = sbxctl(place, {"show", "zzz"});
  CHECK(unknown.exit_status == 1);
  CHECK(unknown.err == "sbxctl: there is no run 'zzz' in the history\n");
  CHECK(sbxctl(place, {"show", "01"}).err == "sbxctl: more than one run begins with '01'\n");
  const ProgramResult wrong = sbxctl(place, {"history", "--since=yesterday"});
  CHECK(wrong.exit_status == 2);
  CHECK(wrong.err.find("--since 'yesterday': neither a time") != std::string::npos);
  const std::string words = sbxctl(place, {"history"}).out;
  CHECK(words.find(run) != std::string::npos);
  CHECK(words.find("exited 3") != std::string::npos);
  CHECK(words.find("signaled SIGSEGV") != std::string::npos);
}

TEST_CASE("statistics are those of the runs that are searched for, for each group, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  for (const char* code : {"0", "0", "1"})
    CHECK(
        place.run({"--quiet", "--task=a", "--", "/bin/sh", "-c", "exit " + std::string(code)}).exit_status ==
        code[0] - '0');
  CHECK(place.run({"--quiet", "--task=b", "--wall-time=100ms", "--", "sleep", "10"}).exit_status == 124);
  const json stats = json::parse(sbxctl(place, {"stats", "--json", "--by=task"}).out);
  CHECK(stats["runs"] == 4);
  CHECK(stats["completed"] == 2);
  CHECK(stats["success_rate"] == 0.5);
  CHECK(stats["outcomes"] == json{{"exited", 3}, {"timed_out", 1}});
  CHECK(stats["wall_ms"]["max"] >= 100);
  CHECK(stats["wall_ms"]["count"] == 4);
  CHECK(stats["memory_peak_bytes"]["p50"] > 0);
  REQUIRE(stats["by"].size() == 2);
  CHECK(stats["by"][0]["task"] == "a");
  CHECK(stats["by"][0]["runs"] == 3);
  CHECK(stats["by"][1]["outcomes"] == json{{"timed_out", 1}});
  const std::string words = sbxctl(place, {"stats", "--by", "task"}).out;
  CHECK(words.find("runs      4, of which 2 completed (50.0 %)") != std::string::npos);
  CHECK(words.find("outcomes  exited 3, timed_out 1") != std::string::npos);
  CHECK(sbxctl(place, {"stats", "--by", "mood"}).exit_status == 2);
  CHECK(json::parse(sbxctl(place, {"stats", "--json", "--task=none"}).out)["runs"] == 0);
}

TEST_CASE("what is out of the ordinary in the log is told, with its runs, and what is over on request") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const auto alerts = [&](const Strings& more) {
    Strings words{"alerts"};
    words.insert(words.end(), more.begin(), more.end());
    return sbxctl(place, words);
  };
  CHECK(alerts({}).exit_status == 0);
  for (int i = 0; i < 3; ++i)
    CHECK(place.run({"--quiet", "--project=p", "--", "/bin/sh", "-c", "kill -SEGV $$"}).exit_status == 139);
  const ProgramResult told = alerts({"--json"});
  CHECK(told.exit_status == 3);
  const json alert = json::parse(told.out);
  CHECK(alert["kind"] == "repeated_crash");
  CHECK(alert["scope"] == "project:p SIGSEGV");
  CHECK(alert["active"] == true);
  CHECK(alert["evidence"]["same"] == 3);
  CHECK(alert["runs"].back() == place.log_lines().back()["run_id"]);
  CHECK(alerts({}).out.find("3 of the last 3 runs ended by the same SIGSEGV") != std::string::npos);
  for (int i = 0; i < 10; ++i) CHECK(place.run({"--quiet", "--project=p", "--", "true"}).exit_status == 0);
  CHECK(alerts({}).exit_status == 0);
  CHECK(alerts({}).out.empty());
  const json over = json::parse(alerts({"--all", "--json"}).out);
  CHECK(over["active"] == false);
  CHECK(over["cleared"].is_string());
  CHECK(alerts({"--since=never"}).exit_status == 2);
}

TEST_CASE("what living sandboxes use just now is shown, again and again, on a terminal until a key") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  CHECK(sbxctl(place, {"top", "--run-dir", place.run_dir()}).err ==
        "sbxctl: no sbxd answers at '" + place.run_dir() + "/sbxd.sock'\n");
  const Daemon daemon(place);
  const std::string busy = daemon.create({{"task_id", "busy"}});
  const std::string idle = daemon.create({{"project_id", "top" + std::to_string(getpid())}});
  CHECK(daemon.post("/v1/sandboxes/" + busy + "/exec", {{"shell", "while :; do :; done"}}).status == 202);
  const ProgramResult looks =
      sbxctl(place, {"top", "--socket", daemon.socket(), "--json", "--count=2", "--every=300ms"});
  CHECK_MESSAGE(looks.exit_status == 0, looks.err);
  const json look = json::parse(looks.out.substr(looks.out.find('\n') + 1));
  REQUIRE(look["sandboxes"].size() == 2);
  CHECK(look["sandboxes"][0]["name"] == "busy");
  CHECK(look["sandboxes"][0]["state"] == "busy");
  CHECK(look["sandboxes"][0]["cpu_percent"] > 5);
  CHECK(look["sandboxes"][0]["memory_bytes"] > 0);
  CHECK(look["sandboxes"][0]["age_ms"] >= 0);
  CHECK(look["sandboxes"][1]["id"] == idle);
  CHECK(look["sandboxes"][1]["cpu_percent"] < 5);
  // Into a file: no command of a terminal.
  const std::string words = sbxctl(place, {"top", "--socket", daemon.socket(), "--count=1"}).out;
  CHECK(words.find(" 2 sandboxes, cpu ") != std::string::npos);
  CHECK(words.find('\033') == std::string::npos);
  TerminalRun terminal({program_directory() + "/sbxctl", "--state-dir=" + place.state_dir(), "top",
                        "--socket", daemon.socket(), "--every=100ms"});
  CHECK(terminal.shows("2 sandboxes"));
  CHECK(terminal.shows("2 sandboxes"));
  terminal.type("q");
  CHECK(terminal.wait() == 0);
  CHECK(terminal.restored());
  CHECK(sbxctl(place, {"top", "--every=0"}).exit_status == 2);
}

TEST_CASE("a history that is broken is made anew, and one that cannot be written is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  CHECK(place.run({"--quiet", "--", "true"}).exit_status == 0);
  CHECK(listed(place, {}).size() == 1);
  write_file(place.state_dir() + "/monitor/runs.db", std::string(8192, 'x'));
  const ProgramResult mended = sbxctl(place, {"history", "--json"});
  CHECK(mended.exit_status == 0);
  CHECK(mended.err.find("made anew from the log") != std::string::npos);
  CHECK(json::parse(mended.out)["outcome"] == "exited");
  const ProgramResult nobody = run_program({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                            program_directory() + "/sbxctl", "history"});
  CHECK(nobody.exit_status == 1);
  CHECK(nobody.err.find("only root can read the monitor log") != std::string::npos);
}

}  // namespace sbx::test
