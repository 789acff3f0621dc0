// What living sandboxes promise through sbxd's API, from their first state to their last.
#include <set>

#include "integration/daemon.h"
#include "integration/daemon_files.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

namespace {

// A command that says "up", and its run.
std::string begin(const Daemon& daemon, const std::string& sandbox, const std::string& script) {
  const HttpAnswer begun = daemon.post("/v1/sandboxes/" + sandbox + "/exec", {{"shell", script}});
  INFO(begun.text);
  REQUIRE(begun.status == 202);
  const std::string run = "/v1/runs/" + begun.body["run_id"].get<std::string>();
  REQUIRE(comes_true([&] { return daemon.get(run + "/output").text.starts_with("up\n"); }));
  return run;
}

constexpr const char* kDeaf = "trap '' TERM; echo up; while :; do sleep 0.02; done";

bool on_v2() { return std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers"); }

}  // namespace

TEST_CASE("many who create a sandbox for one task at once get the same one") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  std::vector<std::string> answers(8);
  {
    std::vector<std::jthread> askers;
    for (std::string& answer : answers) {
      askers.emplace_back([&] {
        answer = run_program({"curl", "-s", "--unix-socket", daemon.socket(), "http://sbx/v1/sandboxes", "-d",
                              R"({"task_id":"one"})"})
                     .out;
      });
    }
  }
  std::set<std::string> ids;
  for (const std::string& answer : answers) {
    const json made = json::parse(answer, nullptr, false);
    REQUIRE_MESSAGE((made.is_object() && made.contains("id")), answer);
    CHECK(made["state"] == "ready");
    ids.insert(made["id"]);
  }
  CHECK(ids.size() == 1);
  CHECK(daemon.get("/v1/sandboxes").body["sandboxes"].size() == 1);
}

TEST_CASE("what runs in a sandbox stands still while it is paused, and goes on where it was") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  const std::string path = "/v1/sandboxes/" + id;
  const std::string run = begin(daemon, id, "echo up; while :; do echo more; sleep 0.01; done");
  const auto written = [&] { return daemon.get(run + "/output").text.size(); };
  const std::size_t first = written();
  REQUIRE(comes_true([&] { return written() > first; }));
  CHECK(daemon.ask("POST", path + "/pause").body["state"] == "paused");
  // What was written before may still be on its way.
  std::size_t still = 0;
  CHECK(comes_true([&] { return std::exchange(still, written()) == still; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(written() == still);
  CHECK(daemon.get(path).body["state"] == "paused");
  CHECK(daemon.ask("POST", path + "/resume").body["state"] == "busy");
  CHECK(comes_true([&] { return written() > still; }));
  CHECK(daemon.ask("DELETE", run).status == 202);
  CHECK(daemon.get(run + "?wait").body["outcome"] == "cancelled");
}

TEST_CASE(
    "a stop asks commands, sessions and what they left running, and ends after its grace what is deaf") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"project_id", "stop" + std::to_string(getpid())}});
  const std::string path = "/v1/sandboxes/" + id;
  // Each says so in a file of the project; what was left running, too.
  const auto obeys = [](const std::string& name) {
    return "trap 'echo bye >/workspace/agent_workspace/" + name + "; exit 4' TERM; touch /tmp/" + name +
           "; while :; do sleep 0.02; done";
  };
  (void)daemon.exec(id, "setsid sh -c \"" + obeys("left") + "\" >/dev/null 2>&1 &");
  const HttpAnswer session =
      daemon.post(path + "/exec", {{"shell", "( " + obeys("session") + " )"}, {"session", "main"}});
  CHECK(session.status == 202);
  const HttpAnswer command = daemon.post(path + "/exec", {{"shell", obeys("command")}});
  const std::string deaf = begin(daemon, id, kDeaf);
  (void)daemon.exec(id, "until [ -e /tmp/left -a -e /tmp/session -a -e /tmp/command ]; do sleep 0.02; done");
  const auto begun = std::chrono::steady_clock::now();
  std::thread stopping([&] {
    const ProgramResult stopped = run_program(
        {"curl", "-s", "--unix-socket", daemon.socket(), "-X", "POST", "http://sbx" + path + "/stop"});
    CHECK(json::parse(stopped.out, nullptr, false).value("state", "") == "destroyed");
  });
  // Meanwhile it takes nothing but its end.
  CHECK(comes_true([&] { return daemon.get(path).body["state"] == "stopping"; }));
  for (const char* request : {"/exec", "/pause", "/resume", "/reset", "/stop"}) {
    CAPTURE(std::string(request));
    const HttpAnswer late = daemon.post(path + request, {{"shell", "true"}});
    CHECK(late.status == 409);
    CHECK(late.body["detail"] == "the sandbox is stopping");
  }
  CHECK(daemon.get(path + "/stats").status == 409);
  CHECK(daemon.get(path + "/files/list?path=/tmp").status == 409);
  stopping.join();
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(took >= std::chrono::milliseconds(4'900));  // the grace was given
  CHECK(daemon.get(deaf).body["outcome"] == "cancelled");
  CHECK(daemon.get("/v1/runs/" + command.body["run_id"].get<std::string>()).body["exit_code"] == 4);
  const json kept = daemon.run({{"project_id", "stop" + std::to_string(getpid())}, {"shell", "ls"}});
  CHECK(kept["stdout"]["text"] == "command\nleft\nsession\n");
}

TEST_CASE("a sandbox that could not be made is listed as failed, and takes nothing any more") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  CHECK(daemon.post("/v1/sandboxes", {{"image", "no-such-image"}, {"task_id", "t"}}).status == 422);
  const json failed = daemon.get("/v1/sandboxes?state=failed").body["sandboxes"];
  REQUIRE(failed.size() == 1);
  CHECK(failed[0]["state"] == "failed");
  const std::string path = "/v1/sandboxes/" + failed[0]["id"].get<std::string>();
  for (const char* request : {"/exec", "/pause", "/resume", "/reset", "/stop"}) {
    CAPTURE(std::string(request));
    const HttpAnswer late = daemon.post(path + request, {{"shell", "true"}});
    CHECK(late.status == 409);
    CHECK(late.body["detail"] == "the sandbox is failed");
  }
  CHECK(daemon.ask("DELETE", path).status == 409);
  CHECK(daemon.get(path + "/stats").status == 409);
}

TEST_CASE("statistics of a sandbox have every number that its control groups can tell") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"limits", {{"cpus", 0.1}}}});
  // Many periods of the scheduler, in most of which it has no more.
  CHECK(daemon.exec(id, "timeout 2 sh -c 'while :; do :; done'")["exit_code"] == 124);
  (void)daemon.exec(id, "head -c 8000000 /dev/urandom >/workspace/agent_workspace/file; sync");
  const json stats = daemon.get("/v1/sandboxes/" + id + "/stats").body;
  INFO(stats.dump());
  for (const char* key : {"cpu_ms", "memory_peak_bytes"}) CHECK(stats["usage"][key] > 0);
  for (const char* key : {"memory_bytes", "pids", "workspace_bytes"}) CHECK(stats["current"][key] > 0);
  CHECK(stats["usage"]["throttled_ms"] > 500);
  if (!on_v2()) return;  // v1 has no pressure of groups (docs/results.md)
  for (const char* key : {"cpu_pressure", "memory_pressure", "io_pressure"})
    CHECK_MESSAGE(stats["current"][key].is_number(), key);
  CHECK(stats["current"]["cpu_pressure"] > 0);
  for (const char* key : {"io_read_bytes", "io_write_bytes"})
    CHECK_MESSAGE(stats["usage"][key].is_number(), key);
}

TEST_CASE("files of a sandbox in each mode and layout of its workspace are those that its commands have") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string project = "modes" + std::to_string(getpid());
  const json limits{{"disk_bytes", 64U << 20U}};
  {
    const Files files(daemon, {{"project_id", project}, {"limits", limits}});
    CHECK(files.put("/workspace/agent_workspace/given", "given").status == 201);
    CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + files.id()).status == 200);
  }
  std::string transaction;
  {
    const Files files(daemon,
                      {{"project_id", project}, {"workspace_mode", "transaction"}, {"limits", limits}});
    transaction = daemon.get("/v1/sandboxes/" + files.id()).body["transaction"];
    const std::string directory = "/workspace/agent_workspace/";
    CHECK(files.get(directory + "given").text == "given");
    CHECK(files.put(directory + "given", "changed").status == 200);
    CHECK(files.put(directory + "more", "more").status == 201);
    CHECK(files.shell("cd " + directory + " && cat given more") == "changedmore");
    CHECK(files.names("/workspace/agent_workspace") == std::vector<std::string>{"given", "more"});
    CHECK(files.ask("DELETE", "?path=" + directory + "given").status == 204);
    CHECK(files.shell("ls " + directory) == "more\n");
    CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + files.id()).status == 200);
  }
  const auto list = [&] { return daemon.run({{"project_id", project}, {"shell", "ls"}})["stdout"]["text"]; };
  CHECK(list() == "given\n");
  CHECK(daemon.post("/v1/projects/" + project + "/transactions/" + transaction + "/commit", nullptr).status ==
        204);
  CHECK(list() == "more\n");
  // Flat: the workspace is one directory.
  const std::string policy = place.directory() + "/flat.yaml";
  write_file(policy, replaced(read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml"),
                              "layout: split", "layout: flat"));
  CHECK(place.run({"--quiet", "--policy=" + policy, "--disk=64M", "--project=flat" + project, "--", "true"})
            .exit_status == 0);
  const Files flat(daemon, {{"project_id", "flat" + project}});
  CHECK(flat.put("/workspace/file", "flat").status == 201);
  CHECK(flat.put("file2", "two").status == 201);
  CHECK(flat.shell("pwd; cat file file2") == "/workspace\nflattwo");
  CHECK(flat.names("/workspace") == std::vector<std::string>{"file", "file2"});
}

TEST_CASE("what a run that timed out wrote is told later, also by the next sbxd") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  std::string in_sandbox;
  std::string alone;
  const auto check = [&](const Daemon& daemon) {
    for (const std::string& run : {in_sandbox, alone}) {
      CHECK(daemon.get(run).body["outcome"] == "timed_out");
      CHECK(daemon.get(run + "/output").text == "before\n");
      const std::string events = daemon.get(run + "/events").text;
      CHECK(events.find(R"("data":"before\n")") != std::string::npos);
      CHECK(events.find(R"("data":"timeout")") != std::string::npos);
    }
  };
  {
    const Daemon daemon(place);
    const json request{{"shell", "echo before; sleep 60"}, {"timeout_ms", 300}};
    const std::string id = daemon.create();
    in_sandbox = "/v1/runs/" +
                 daemon.post("/v1/sandboxes/" + id + "/exec?wait", request).body["run_id"].get<std::string>();
    alone = "/v1/runs/" + daemon.run(request)["run_id"].get<std::string>();
    CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + id).status == 200);
    check(daemon);
  }
  check(Daemon(place));
}

TEST_CASE("when the end of a run is told its processes are gone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string mark = std::to_string(40'000 + getpid() % 10'000) + ".";
  const auto lives = [&](const std::string& seconds) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string line = read_file(entry.path() / "cmdline");
      if (line.starts_with("sleep") && line.find(seconds) != std::string::npos) return true;
    }
    return false;
  };
  for (int i = 0; i < 10; ++i) {
    const std::string seconds = mark + std::to_string(i);
    const std::string script =
        "for i in 1 2 3 4 5; do setsid sleep " + seconds + " </dev/null >/dev/null 2>&1 & done; exit 3";
    const json begun = daemon.post("/v1/runs", {{"shell", script}}).body;
    const std::string events = daemon.get("/v1/runs/" + begun["run_id"].get<std::string>() + "/events").text;
    CHECK(events.find(R"("type":"exit")") != std::string::npos);
    CHECK_FALSE(lives(seconds));
  }
}

TEST_SUITE_END();

}  // namespace sbx::test
