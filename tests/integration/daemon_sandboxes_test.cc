// Sandboxes of many commands through sbxd's API.
#include <map>

#include "integration/daemon.h"
#include "integration/toy_image.h"
#include "support/project_view.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

TEST_CASE("a task has one sandbox, whose files stay between commands") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id =
      daemon.create({{"task_id", "task"}, {"env", {{"A", "1"}}}, {"labels", {{"team", "x"}}}});
  const HttpAnswer again =
      daemon.post("/v1/sandboxes", {{"task_id", "task"}, {"env", {{"A", "1"}}}, {"labels", {{"team", "x"}}}});
  CHECK(again.status == 200);
  CHECK(again.body["id"] == id);
  CHECK(daemon.post("/v1/sandboxes", {{"task_id", "task"}}).status == 409);
  CHECK(daemon.exec(id, "echo $A >/tmp/file")["exit_code"] == 0);
  const json read = daemon.exec("task:task", "cat /tmp/file");
  CHECK(read["stdout"]["text"] == "1\n");
  CHECK(read["task_id"] == "task");
  const json listed = daemon.get("/v1/sandboxes?label=team=x").body["sandboxes"];
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["labels"]["sbx.managed"] == "true");
  CHECK(daemon.get("/v1/sandboxes?label=team=y").body["sandboxes"].empty());
  CHECK(daemon.get("/v1/sandboxes/" + id + "/stats").body["usage"]["memory_peak_bytes"] > 0);
  const HttpAnswer gone = daemon.ask("DELETE", "/v1/sandboxes/" + id);
  CHECK(gone.status == 200);
  CHECK(gone.body["state"] == "destroyed");
  // What became of it can be asked for, and nothing be done with it.
  CHECK(daemon.get("/v1/sandboxes/" + id).body["state"] == "destroyed");
  CHECK(daemon.get("/v1/sandboxes/task:task").status == 404);
  CHECK(daemon.get("/v1/sandboxes").body["sandboxes"].empty());
  CHECK(daemon.get("/v1/sandboxes?state=destroyed").body["sandboxes"][0]["id"] == id);
  for (const char* request : {"/exec", "/pause", "/resume", "/reset", "/stop"}) {
    const HttpAnswer late = daemon.post("/v1/sandboxes/" + id + request, {{"shell", "true"}});
    CHECK(late.status == 409);
    CHECK(late.body["detail"] == "the sandbox is destroyed");
  }
  // And the task may have another one.
  (void)daemon.create({{"task_id", "task"}});
}

TEST_CASE("a memory limit in which no sandbox begins is named") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  for (const int bytes : {1'000, 100'000}) {
    const HttpAnswer made = daemon.post("/v1/sandboxes", {{"limits", {{"memory_bytes", bytes}}}});
    CHECK(made.status == 422);
    CHECK_MESSAGE(made.text.find("its memory limit, ") != std::string::npos, made.text);
  }
}

// What is in /tmp is memory, and belongs to nobody who could be killed for it.
TEST_CASE("a sandbox whose memory is full ends its commands, and not itself") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const json limits{{"memory_bytes", 24U << 20U}, {"tmp_bytes", 64U << 20U}};
  const std::string id = daemon.create({{"limits", limits}});
  const std::string path = "/v1/sandboxes/" + id;
  for (int i = 0; i < 100; ++i) {
    const json full = daemon.exec(id, "exec cat /dev/zero >>/tmp/full");
    // There may be not enough of it to begin one.
    const std::string told = full["message"];
    const bool begun = full["outcome"] == "out_of_memory";
    CHECK_MESSAGE((begun || told.find("the sandbox's memory, 24M, is used up") != std::string::npos), told);
    REQUIRE(comes_true([&] { return daemon.get(path).body["state"] == "ready"; }));
  }
  CHECK(daemon.post(path + "/reset", nullptr).status == 200);
  CHECK(daemon.exec(id, "ls -A /tmp")["stdout"]["text"] == "");
}

TEST_CASE("a command that is refused leaves its sandbox ready") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string path = "/v1/sandboxes/" + daemon.create();
  const json rejected =
      daemon.post(path + "/exec?wait", {{"shell", "true"}, {"limits", {{"wall_ms", 999'999'999'999}}}}).body;
  CHECK(rejected["outcome"] == "rejected");
  CHECK(comes_true([&] { return daemon.get(path).body["state"] == "ready"; }));
  CHECK(daemon.get(path).body["commands"] == 0);
}

TEST_CASE("a sandbox that is being made takes nothing but its end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto nurseries = daemon.processes("sbx-nursery");
  REQUIRE(!nurseries.empty());
  for (const pid_t pid : nurseries) REQUIRE(kill(pid, SIGSTOP) == 0);
  std::thread asking([&] { (void)daemon.post("/v1/sandboxes", json::object()); });
  json made;
  CHECK(comes_true([&] { return (made = daemon.get("/v1/sandboxes").body["sandboxes"]).size() == 1; }));
  CHECK(made[0]["state"] == "creating");
  const std::string path = "/v1/sandboxes/" + made[0]["id"].get<std::string>();
  for (const char* request : {"/exec", "/pause", "/resume", "/reset", "/stop"}) {
    const HttpAnswer early = daemon.post(path + request, {{"shell", "true"}});
    CHECK(early.status == 409);
    CHECK(early.body["detail"] == "the sandbox is creating");
  }
  CHECK(daemon.get(path + "/stats").status == 409);
  for (const pid_t pid : nurseries) CHECK(kill(pid, SIGCONT) == 0);
  asking.join();
  CHECK(daemon.ask("DELETE", path).body["state"] == "destroyed");
}

TEST_CASE("a list of sandboxes goes by pages, the oldest first") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  std::vector<std::string> made;
  for (int i = 0; i < 3; ++i) made.push_back(daemon.create({{"labels", {{"of", "pages"}}}}));
  (void)daemon.create();
  REQUIRE(daemon.ask("DELETE", "/v1/sandboxes/" + made[1]).status == 200);
  for (const std::string list : {"/v1/sandboxes", "/v1/sandboxes/stats"}) {
    const json first = daemon.get(list + "?label=of&limit=1").body;
    REQUIRE(first["sandboxes"].size() == 1);
    CHECK(first["sandboxes"][0]["id"] == made[0]);
    const std::string cursor = first["next_cursor"].get<std::string>();
    const json last = daemon.get(list + "?label=of&limit=1&cursor=" + cursor).body;
    REQUIRE(last["sandboxes"].size() == 1);
    CHECK(last["sandboxes"][0]["id"] == made[2]);
    CHECK(last["next_cursor"] == nullptr);
    for (const char* wrong : {"limit=0", "limit=1001", "cursor=x", "limit=1&limit=2"})
      CHECK_MESSAGE(daemon.get(list + "?" + wrong).status == 400, wrong);
  }
  CHECK(daemon.get("/v1/sandboxes?label=of&state=destroyed").body["sandboxes"][0]["id"] == made[1]);
  // What is to end is not chosen by page.
  CHECK(daemon.ask("DELETE", "/v1/sandboxes?limit=1").status == 400);
}

TEST_CASE("a sandbox in the wrong state says which") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  const std::string path = "/v1/sandboxes/" + id;
  CHECK(daemon.ask("POST", path + "/resume").body["detail"] == "the sandbox is ready");
  CHECK(daemon.ask("POST", path + "/pause").body["state"] == "paused");
  const HttpAnswer refused = daemon.post(path + "/exec", {{"shell", "true"}});
  CHECK(refused.status == 409);
  CHECK(refused.body["detail"] == "the sandbox is paused");
  CHECK(daemon.ask("POST", path + "/resume").body["state"] == "ready");
  const std::string run =
      daemon
          .post(path + "/exec",
                {{"shell", "trap 'exit 6' TERM; touch /tmp/up; while :; do sleep 0.01; done"}})
          .body["run_id"];
  CHECK(daemon.get(path).body["state"] == "busy");
  (void)daemon.exec(id, "until [ -e /tmp/up ]; do sleep 0.01; done");
  CHECK(daemon.ask("POST", path + "/stop").body["state"] == "destroyed");
  CHECK(daemon.get("/v1/runs/" + run).body["exit_code"] == 6);
}

TEST_CASE("a sandbox that cannot be made is told, and one with packages is refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const HttpAnswer missing = daemon.post("/v1/sandboxes", {{"image", "no-such-image"}});
  CHECK(missing.status == 422);
  CHECK(missing.body["detail"].get<std::string>().find("no-such-image") != std::string::npos);
  for (const char* path : {"/v1/sandboxes", "/v1/runs"}) {
    const HttpAnswer packages = daemon.post(path, {{"packages", {"numpy"}}});
    CHECK(packages.status == 400);
    CHECK(packages.text.find("cannot be installed yet") != std::string::npos);
  }
  CHECK(daemon.get("/v1/sandboxes").body["sandboxes"].empty());
}

TEST_CASE("nobody who asks for a sandbox that cannot be made gets one, with a key neither") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const json body = {{"task_id", "t"}, {"image", "no-such-image"}};
  std::vector<std::string> statuses(6);
  {
    std::vector<std::jthread> askers;
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      askers.emplace_back([&, i] {
        statuses[i] = run_program({"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket",
                                   daemon.socket(), "http://sbx/v1/sandboxes", "-H",
                                   "Idempotency-Key: key-" + std::to_string(i), "-d", body.dump()})
                          .out;
      });
    }
  }
  for (const std::string& status : statuses) CHECK(status == "422");
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const ProgramResult again = run_program(
        {"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", daemon.socket(),
         "http://sbx/v1/sandboxes", "-H", "Idempotency-Key: key-" + std::to_string(i), "-d", body.dump()});
    CHECK(again.out == "422");
  }
}

TEST_CASE("what no sandbox or command can have is refused with the request, in its words") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto why = [&](const std::string& path, const json& body) {
    const HttpAnswer answer = daemon.post(path, body);
    CHECK(answer.status == 400);
    return answer.body.is_object() ? answer.body["detail"].get<std::string>() : answer.text;
  };
  const std::string sandboxes = "/v1/sandboxes";
  CHECK(why(sandboxes, {{"env", {{"A=B", "1"}}}}) == "env: 'A=B' is not a variable name");
  CHECK(why(sandboxes, {{"env_vars", {{"", "1"}}}}) == "env_vars: '' is not a variable name");
  json many = json::object();
  for (int i = 0; i < 4097; ++i) many["V" + std::to_string(i)] = "";
  CHECK(why("/v1/runs", {{"shell", "true"}, {"env", many}}) == "env: more than 4096 variables");
  CHECK(why(sandboxes, {{"idle_ms", 0}}).starts_with("'idle_ms': give at least 1"));
  CHECK(why(sandboxes, {{"total_ms", 0}}).starts_with("'total_ms': give at least 1"));
  CHECK(why("/v1/runs", {{"shell", "true"}, {"cwd", "x"}}) == "'cwd': 'x' is not an absolute path");
  const std::string id = daemon.create();
  CHECK(why("/v1/sandboxes/" + id + "/exec", {{"shell", "true"}, {"limits", {{"pids", 3}}}})
            .starts_with("'limits.pids': belongs to the sandbox"));
  // Of the query, too.
  for (const auto& [path, said] : std::map<std::string, std::string>{
           {"/v1/capabilities?polcy=strict", "'polcy' is not known: did you mean 'policy'?"},
           {"/v1/sandboxes/" + id + "/stats?every=1000", "'every' is not known: known: 'every_ms'"},
           {"/v1/stats?label=x", "'label' is not known: this takes no parameters"}}) {
    const HttpAnswer answer = daemon.get(path);
    CHECK(answer.status == 400);
    CHECK(answer.body["detail"] == said);
  }
  CHECK(daemon.ask("POST", "/v1/cleanup?label=x").status == 400);
}

TEST_CASE("a large request costs the supervisor no time that others need, and no memory that stays") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  std::string list = "{}";
  for (int i = 0; i < 2'000'000; ++i) list += ",{}";
  write_file(place.state_dir() + "/body", "{\"x\":[" + list + "]}");
  const ProgramResult large =
      run_program({"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", daemon.socket(),
                   "http://sbx/v1/runs", "--data-binary", "@" + place.state_dir() + "/body"});
  CHECK(large.out == "400");
  std::map<std::string, std::string> most;
  for (int i = 0; i < 4000; ++i) most["VARIABLE_" + std::to_string(i)] = std::string(30, 'x');
  const json run = daemon.post("/v1/runs?wait", {{"shell", "echo $VARIABLE_3999"}, {"env", most}}).body;
  CHECK(text_of(run) == std::string(30, 'x') + "\n");
}

TEST_CASE("a sandbox is asked for by its image, or by a language or an alias of one") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  import_toy(
      place, "toy-1",
      "languages: [{name: toy, aliases: [t], file: main.toy, actions: {run: [/bin/toy, \"{file}\"]}}]\n");
  const Daemon daemon(place);
  for (const json& asked :
       {json{{"language", "toy"}}, json{{"language", "t"}}, json{{"environment_type", "t"}},
        json{{"image", "toy"}}, json{{"image", "toy-1"}}}) {
    INFO(asked.dump());
    const HttpAnswer made = daemon.post("/v1/sandboxes", asked);
    CHECK(made.status == 201);
    CHECK(made.body["image"]["name"] == "toy-1");
    CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + made.body["id"].get<std::string>()).status == 200);
  }
  const HttpAnswer unknown = daemon.post("/v1/sandboxes", {{"language", "tox"}});
  CHECK(unknown.status == 422);
  CHECK(unknown.body["detail"].get<std::string>().find("did you mean 'toy'") != std::string::npos);
  CHECK(daemon.post("/v1/sandboxes", {{"image", "tox"}})
            .body["detail"]
            .get<std::string>()
            .find("there is no image 'tox'") != std::string::npos);
  CHECK(daemon.post("/v1/sandboxes", {{"language", "toy"}, {"image", "toy-1"}}).status == 400);
  // A configuration has one of both, and a request the other.
  const std::string configuration = "/v1/projects/p/configurations/c";
  CHECK(daemon.ask("PUT", configuration, {{"language", "toy"}}).status == 201);
  json asked = {{"project_id", "p"}, {"configuration", "c"}};
  CHECK(daemon.post("/v1/sandboxes", asked).body["image"]["name"] == "toy-1");
  asked["image"] = "host";
  CHECK(daemon.post("/v1/sandboxes", asked).body["image"]["name"] == "host");
  CHECK(daemon.ask("PUT", configuration, {{"image", "host"}}).status == 200);
  asked = {{"project_id", "p"}, {"configuration", "c"}, {"language", "t"}};
  CHECK(daemon.post("/v1/sandboxes", asked).body["image"]["name"] == "toy-1");
}

TEST_CASE("a command may be one that its sandbox ends with, unless it ends by itself") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  const std::string exec = "/v1/sandboxes/" + id + "/exec?wait";
  CHECK(daemon.post(exec, {{"shell", "exit 3"}, {"fatal", true}}).body["exit_code"] == 3);
  CHECK(daemon.post(exec, {{"shell", "sleep 60"}, {"timeout_ms", 50}}).body["outcome"] == "timed_out");
  CHECK(daemon.get("/v1/sandboxes/" + id).body["state"] == "ready");
  CHECK(daemon.post(exec, {{"shell", "sleep 60"}, {"timeout_ms", 50}, {"fatal", true}}).body["outcome"] ==
        "timed_out");
  CHECK(comes_true([&] { return daemon.get("/v1/sandboxes/" + id).body["state"] == "destroyed"; }));
}

TEST_CASE("a sandbox that nobody uses goes, and one that is old") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  for (const char* limit : {"idle_ms", "total_ms"}) {
    CAPTURE(std::string(limit));
    // Where making it takes as long, it may be going already when the answer comes.
    const HttpAnswer made = daemon.post("/v1/sandboxes", {{limit, 300}});
    CHECK(made.status == 201);
    const std::string id = made.body["id"];
    CHECK(comes_true([&] { return daemon.get("/v1/sandboxes/" + id).body["state"] == "destroyed"; }));
  }
}

TEST_CASE("a program inherits what it does without a supervisor") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string script =
      "umask; nice; ulimit -a; cat /proc/self/oom_score_adj /proc/self/cmdline; "
      "grep -E 'Sig(Ign|Blk|Cgt)|Cap|NoNew' /proc/self/status";
  const std::string alone = place.shell(script).out;
  const Daemon daemon(place);
  CHECK(alone.starts_with("0022\n"));
  CHECK(daemon.run({{"shell", script}})["stdout"]["text"] == alone);
  CHECK(daemon.exec(daemon.create(), script)["stdout"]["text"] == alone);
}

TEST_CASE("there are as many sandboxes as the configuration says") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "max_sandboxes: 2\nadmission: {queue: none}\n");
  const Daemon daemon(place, {"--config", config});
  (void)daemon.create();
  const std::string second = daemon.create();
  const HttpAnswer third = daemon.post("/v1/sandboxes", json::object());
  CHECK(third.status == 429);
  CHECK(daemon.post("/v1/runs?wait", {{"shell", "true"}}).status == 429);
  (void)daemon.ask("DELETE", "/v1/sandboxes/" + second);
  CHECK(daemon.run({{"shell", "true"}})["exit_code"] == 0);
}

TEST_CASE("who is not root sees only what is theirs, and gets nothing of the host") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "socket_group: nogroup\n");
  // Where everybody may go, which is not so for our own directory.
  const Daemon daemon(place, {"--config", config}, "/tmp/sbxd-test." + std::to_string(getpid()));
  const auto as_nobody = [&](std::vector<std::string> arguments) {
    std::vector<std::string> all{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl",
                                 "-s",      "--unix-socket", daemon.socket()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_program(all);
  };
  const std::string run = daemon.run({{"shell", "true"}})["run_id"];
  const std::string id = daemon.create({{"task_id", "roots"}});
  const json own = json::parse(as_nobody({"http://sbx/v1/runs?wait", "-d", R"({"shell":"id -u"})"}).out);
  CHECK(own["caller"]["uid"] == 65534);
  CHECK(own["stdout"]["text"] == "1000\n");
  CHECK(json::parse(as_nobody({"http://sbx/v1/runs"}).out)["runs"].size() == 1);
  CHECK(json::parse(as_nobody({"http://sbx/v1/runs/" + run}).out)["status"] == 404);
  CHECK(json::parse(as_nobody({"http://sbx/v1/sandboxes"}).out)["sandboxes"].empty());
  CHECK(json::parse(as_nobody({"http://sbx/v1/sandboxes/" + id + "/exec", "-d", R"({"shell":"true"})"})
                        .out)["status"] == 404);
  CHECK(json::parse(
            as_nobody({"-X", "DELETE", "http://sbx/v1/sandboxes?label=sbx.managed=true"}).out)["destroyed"] ==
        json::array());
  CHECK(daemon.get("/v1/sandboxes/" + id).body["state"] == "ready");
  const ProgramResult bind = run_program({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                          "env", "SBX_SOCKET=" + daemon.socket(),
                                          program_directory() + "/sbxrun", "--bind=/etc:/mnt", "--", "true"});
  CHECK(bind.exit_status == 125);
  CHECK(bind.err.find("show nothing of the host there") != std::string::npos);
  // Who is in no group of the socket's cannot connect.
  CHECK(run_program({"setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "curl", "-s",
                     "--unix-socket", daemon.socket(), "http://sbx/v1/version"})
            .exit_status == 7);
}

TEST_CASE("a reset leaves what was uploaded, and nothing else") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  REQUIRE(
      place.run({"--quiet", "--policy=permissive", "--disk=200M", "--project=p", "--", "true"}).exit_status ==
      0);
  write_file(ProjectView(place, "p").path() + "/project_files/given", "given");
  const Daemon daemon(place);
  for (const char* mode : {"persistent", "ephemeral"}) {
    CAPTURE(std::string(mode));
    const std::string id =
        daemon.create({{"policy", "permissive"}, {"project_id", "p"}, {"workspace_mode", mode}});
    const std::string path = "/v1/sandboxes/" + id;
    // What is asked for here is told by nobody but the sandbox.
    const std::string everything =
        "find / -xdev -newer /tmp/before 2>/dev/null; "
        "find /workspace /tmp /var/tmp /dev/shm /dev/mqueue $HOME -mindepth 1 ! -path '/workspace/*_*' "
        "! -path /workspace/outputs; ls -A /workspace/agent_workspace /workspace/outputs; set -- "
        "/proc/[0-9]*; "
        "echo $#";
    const std::string before = daemon.exec(id, everything)["stdout"]["text"];
    const json filled = daemon.exec(
        id,
        "cd /workspace; mkdir -p agent_workspace/a/b outputs/c; touch agent_workspace/a/b/x outputs/c/y "
        "agent_workspace/-rf $HOME/z /tmp/t /var/tmp/v /dev/shm/s; ln -s /etc agent_workspace/link; "
        "chmod 000 agent_workspace/a; "
        "python3 -c 'import ctypes; print(ctypes.CDLL(None).shmget(7, 4096, 0o1600) >= 0)'; sleep 300 "
        ">/dev/null 2>&1 &");
    CHECK(filled["exit_code"] == 0);
    CHECK(filled["stdout"]["text"] == "True\n");
    CHECK(daemon.exec(id, everything)["stdout"]["text"] != before);
    const std::string run = daemon.post(path + "/exec", {{"command", {"sleep", "300"}}}).body["run_id"];
    const HttpAnswer reset = daemon.ask("POST", path + "/reset");
    CHECK(reset.status == 200);
    CHECK(reset.body["state"] == "ready");
    CHECK(daemon.get("/v1/runs/" + run + "?wait").body["outcome"] == "cancelled");
    CHECK(daemon.exec(id, everything)["stdout"]["text"] == before);
    CHECK(daemon.exec(id, "wc -l </proc/sysvipc/shm")["stdout"]["text"] == "1\n");
    CHECK(daemon.exec(id, "cat /workspace/project_files/given")["stdout"]["text"] == "given");
    // Again, and in another state.
    CHECK(daemon.ask("POST", path + "/pause").status == 200);
    CHECK(daemon.ask("POST", path + "/reset").body["state"] == "ready");
    CHECK(daemon.exec(id, "echo on")["stdout"]["text"] == "on\n");
    CHECK(daemon.ask("DELETE", path).status == 200);
  }
}

TEST_CASE("what a sandbox uses, once and as a stream until its end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  (void)daemon.exec(id, "head -c 1000000 /dev/zero >/workspace/agent_workspace/file");
  const json stats = daemon.get("/v1/sandboxes/" + id + "/stats").body;
  CHECK(stats["usage"]["cpu_ms"] >= 0);
  CHECK(stats["current"]["memory_bytes"] > 1'000'000);
  CHECK(stats["current"]["pids"] >= 1);
  CHECK(stats["current"]["workspace_bytes"] >= 1'000'000);
  CHECK(daemon.get("/v1/sandboxes/" + id + "/stats?every_ms=1").status == 400);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    (void)run_program(
        {"curl", "-s", "--unix-socket", daemon.socket(), "-X", "DELETE", "http://sbx/v1/sandboxes/" + id});
  });
  const HttpAnswer stream = daemon.get("/v1/sandboxes/" + id + "/stats?every_ms=100");
  later.join();
  CHECK(stream.status == 200);
  CHECK(stream.text.starts_with("event: stats\ndata: {"));
  CHECK(stream.text.find("\n\nevent: stats\n") != std::string::npos);
}

TEST_CASE("what a sandbox felt of its limits and waited for is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"limits", {{"cpus", 0.1}}}});
  // Many periods of the scheduler, in most of which it has no more.
  CHECK(daemon.exec(id, "timeout 2 sh -c 'while :; do :; done'")["exit_code"] == 124);
  const json stats = daemon.get("/v1/sandboxes/" + id + "/stats").body;
  const json& throttled = stats["usage"]["throttled_ms"];
  CHECK((throttled.is_null() || throttled > 500));
  // v1 has no pressure of groups (docs/results.md).
  const json& pressure = stats["current"]["cpu_pressure"];
  CHECK_MESSAGE((pressure.is_null() || pressure > 0), stats.dump());
}

TEST_CASE("who follows for long hears that all is well") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  const std::string run =
      daemon.post("/v1/sandboxes/" + id + "/exec", {{"shell", "sleep 1000"}}).body["run_id"];
  // Both at once: the first sign comes after 15 s.
  const std::string curl = "curl -s -N --max-time 17 --unix-socket " + daemon.socket() + " http://sbx/v1/";
  const ProgramResult said = run_program(
      {"sh", "-c",
       curl + "runs/" + run + "/events & " + curl + "sandboxes/" + id + "/stats?every_ms=60000 & wait"});
  const std::string sign = ": still there\n\n";
  const std::size_t first = said.out.find(sign);
  REQUIRE(first != std::string::npos);
  CHECK(said.out.find(sign, first + 1) != std::string::npos);
}

TEST_CASE("a sandbox is called by its project and task") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"project_id", "p"}, {"task_id", "t-1"}});
  CHECK(daemon.exec(id, "hostname")["stdout"]["text"] == "sbx-p-t-1\n");
  CHECK(daemon.get("/v1/sandboxes/" + id).body["sandbox_id"] == "sbx-p-t-1");
  CHECK(daemon.exec(daemon.create(), "hostname")["stdout"]["text"] == "sandbox\n");
  const std::string own = daemon.create({{"task_id", "u"}, {"hostname", "mine"}});
  CHECK(daemon.exec(own, "hostname")["stdout"]["text"] == "mine\n");
  // Asked for again, it is the same one.
  CHECK(daemon.post("/v1/sandboxes", {{"project_id", "p"}, {"task_id", "t-1"}}).body["id"] == id);
}

TEST_CASE("a session keeps its state between requests") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string path = "/v1/sandboxes/" + daemon.create() + "/exec";
  const auto line = [&](const std::string& text) {
    return daemon.post(path + "?wait", {{"shell", text}, {"session", "main"}}).body;
  };
  CHECK(line("cd /tmp; A='x y'")["exit_code"] == 0);
  CHECK(line("pwd; echo $A")["stdout"]["text"] == "/tmp\nx y\n");
  CHECK(daemon.post(path, {{"command", {"true"}}, {"session", "main"}}).status == 400);
  CHECK(daemon.post(path, {{"shell", "true"}, {"session", "main"}, {"cwd", "/"}}).status == 400);
  CHECK(daemon.post("/v1/runs", {{"shell", "true"}, {"session", "main"}}).status == 400);
}

TEST_SUITE_END();

}  // namespace sbx::test
