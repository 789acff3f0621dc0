// Signals to programs through sbxd's API.
#include "integration/daemon.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

namespace {

// A command that says when it is there, and its run.
std::string begin(const Daemon& daemon, const std::string& path, json request) {
  const HttpAnswer begun = daemon.post(path, request);
  INFO(begun.text);
  REQUIRE(begun.status == 202);
  return "/v1/runs/" + begun.body["run_id"].get<std::string>();
}

bool has_said(const Daemon& daemon, const std::string& run, const std::string& text) {
  return comes_true([&] { return daemon.get(run + "/output").text == text; });
}

HttpAnswer signal(const Daemon& daemon, const std::string& run, const json& which) {
  return daemon.post(run + "/signal", {{"signal", which}});
}

json end_of(const Daemon& daemon, const std::string& run) { return daemon.get(run + "?wait").body; }

constexpr const char* kCounts =
    "trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'echo term; exit 7' TERM; echo up; "
    "while :; do sleep 0.01; done";

}  // namespace

TEST_CASE("a program gets the signals of its caller, and what it does about them is its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string sandbox = "/v1/sandboxes/" + daemon.create() + "/exec";
  for (const std::string& path : {std::string("/v1/runs"), sandbox}) {
    CAPTURE(path);
    const std::string run = begin(daemon, path, {{"shell", kCounts}});
    REQUIRE(has_said(daemon, run, "up\n"));
    const HttpAnswer first = signal(daemon, run, "USR1");
    CHECK(first.status == 202);
    CHECK(first.body["status"] == "running");
    REQUIRE(has_said(daemon, run, "up\nusr1\n"));
    CHECK(signal(daemon, run, "SIGHUP").status == 202);
    REQUIRE(has_said(daemon, run, "up\nusr1\nhup\n"));
    CHECK(signal(daemon, run, SIGTERM).status == 202);
    const json ended = end_of(daemon, run);
    CHECK(ended["outcome"] == "exited");
    CHECK(ended["exit_code"] == 7);
    CHECK(ended["stdout"]["text"] == "up\nusr1\nhup\nterm\n");
    const HttpAnswer late = signal(daemon, run, "TERM");
    CHECK(late.status == 409);
    CHECK(late.body["detail"] == "the run has ended");
  }
}

TEST_CASE("a program that does nothing about a signal ends by it, and SIGKILL ends all of a command") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"policy", "permissive"}});
  const std::string sandbox = "/v1/sandboxes/" + id + "/exec";
  const std::string deaf = "trap '' TERM INT HUP; setsid sleep 4321 & echo up; while :; do sleep 0.01; done";
  const auto others = [&] { return daemon.exec(id, "pgrep -cx sleep")["stdout"]["text"]; };
  const std::string neighbour = begin(daemon, sandbox, {{"shell", "echo up; exec sleep 1234"}});
  REQUIRE(has_said(daemon, neighbour, "up\n"));
  for (const std::string& path : {std::string("/v1/runs"), sandbox}) {
    CAPTURE(path);
    const std::string run = begin(daemon, path, {{"shell", deaf}});
    REQUIRE(has_said(daemon, run, "up\n"));
    CHECK(signal(daemon, run, "INT").status == 202);
    CHECK(signal(daemon, run, "KILL").status == 202);
    const json ended = end_of(daemon, run);
    CHECK(ended["outcome"] == "signaled");
    CHECK(ended["signal"] == "SIGKILL");
    CHECK(comes_true([&] { return others() == "1\n"; }));  // the neighbour's alone
  }
  CHECK(signal(daemon, neighbour, "QUIT").status == 202);
  CHECK(end_of(daemon, neighbour)["signal"] == "SIGQUIT");
  // Stopped it is not ended.
  const std::string stopped = begin(daemon, sandbox, {{"shell", "echo up; exec sleep 1234"}});
  REQUIRE(has_said(daemon, stopped, "up\n"));
  const auto state = [&] { return daemon.exec(id, "ps -o stat= -C sleep | cut -c1")["stdout"]["text"]; };
  CHECK(signal(daemon, stopped, "STOP").status == 202);
  CHECK(comes_true([&] { return state() == "T\n"; }));
  CHECK(signal(daemon, stopped, "CONT").status == 202);
  CHECK(comes_true([&] { return state() == "S\n"; }));
  CHECK(daemon.ask("DELETE", stopped).status == 202);
  CHECK(end_of(daemon, stopped)["outcome"] == "cancelled");
}

TEST_CASE("a signal to a line of a session is not for its shell, but for SIGKILL") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string sandbox = "/v1/sandboxes/" + daemon.create() + "/exec";
  const auto line = [&](const std::string& text) { return json{{"shell", text}, {"session", "main"}}; };
  const auto ends = [&](const std::string& text, const char* how) {
    const std::string run = begin(daemon, sandbox, line("A=1; echo up; " + text));
    REQUIRE(has_said(daemon, run, "up\n"));
    CHECK(signal(daemon, run, how).status == 202);
    return end_of(daemon, run);
  };
  CHECK(ends("sleep 1234", "TERM")["exit_code"] == 128 + SIGTERM);
  CHECK(ends("sleep 1234", "INT")["exit_code"] == 128 + SIGINT);
  CHECK(daemon.post(sandbox + "?wait", line("echo $A")).body["stdout"]["text"] == "1\n");
  CHECK(ends("while :; do :; done", "KILL")["signal"] == "SIGKILL");
  CHECK(daemon.post(sandbox + "?wait", line("echo .$A")).body["stdout"]["text"] == ".\n");
}

TEST_CASE("what is no signal for a program is refused by name, and one that waits gets none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "max_sandboxes: 1\n");
  const Daemon daemon(place, {"--config", config});
  const std::string run = begin(daemon, "/v1/runs", {{"shell", "echo up; sleep 1000"}});
  const std::string waits = begin(daemon, "/v1/runs", {{"shell", "true"}});
  REQUIRE(has_said(daemon, run, "up\n"));
  const HttpAnswer unknown = signal(daemon, run, "TREM");
  CHECK(unknown.status == 400);
  CHECK(unknown.body["detail"].get<std::string>().find("did you mean 'TERM'") != std::string::npos);
  CHECK(daemon.post(run + "/signal", json::object()).status == 400);
  CHECK(daemon.post(run + "/signal", {{"signal", "TERM"}, {"grace", 1}}).status == 400);
  CHECK(signal(daemon, "/v1/runs/none", "TERM").status == 404);
  CHECK(daemon.get(run + "/signal").status == 405);
  const HttpAnswer early = signal(daemon, waits, "TERM");
  CHECK(early.status == 409);
  CHECK(early.body["detail"].get<std::string>().find("waits for its turn") != std::string::npos);
  CHECK(signal(daemon, run, "KILL").status == 202);
  CHECK(end_of(daemon, run)["signal"] == "SIGKILL");
  CHECK(end_of(daemon, waits)["exit_code"] == 0);
}

}  // namespace sbx::test
