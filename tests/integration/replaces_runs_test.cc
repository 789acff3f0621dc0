// What sbxd replaces, point by point: runs. Sandboxes are in replaces_test.cc.
#include <sstream>

#include "integration/event_socket.h"
#include "integration/toy_image.h"

namespace sbx::test {

namespace {

// Says that it began, and goes on when another command has seen that.
const json kGated{{"shell", "echo one; until [ -e /tmp/go ]; do sleep 0.01; done; echo two >&2; exit 3"},
                  {"timeout_ms", 60'000}};

}  // namespace

// By Server-Sent Events: each is seen before the command ends, or it would never end.
TEST_CASE("replaces: streamed exec") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string exec = "/v1/sandboxes/" + daemon.create() + "/exec";
  const std::string run = daemon.post(exec, kGated).body["run_id"];
  const std::string curl = "curl -sN --unix-socket " + daemon.socket() + " http://sbx";
  const ProgramResult seen = run_program(
      {"sh", "-c",
       curl + "/v1/runs/" + run +
           "/events | while read -r line; do printf '%s\\n' \"$line\"; case $line in *'one\\n'*) " + curl +
           exec + "?wait -o /dev/null -d '{\"shell\": \"touch /tmp/go\"}';; esac; done"});
  std::vector<json> events;
  std::istringstream lines(seen.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("data: ")) events.push_back(json::parse(line.substr(6)));
  }
  REQUIRE_MESSAGE(events.size() == 4, seen.out);
  CHECK(events[0]["type"] == "stage");
  CHECK(events[0]["data"] == "run");
  CHECK(events[1]["type"] == "stdout");
  CHECK(events[1]["data"] == "one\n");
  CHECK(events[2]["type"] == "stderr");
  CHECK(events[2]["data"] == "two\n");
  CHECK(events[3]["type"] == "exit");
  CHECK(events[3]["exit_code"] == 3);
}

TEST_CASE("replaces: a run by language with inline code") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  import_toy(place, "toy-1", kPlainToy);
  const Daemon daemon(place);
  const json good = daemon.run({{"language", "toy"}, {"code", "print hello\n"}});
  CHECK(good["run_id"].get<std::string>().size() == 36);
  CHECK(good["status"] == "completed");
  CHECK(good["stdout"]["text"] == "hello\n");
  CHECK(good["stderr"]["text"] == "");
  CHECK(good["exit_code"] == 0);
  CHECK(good["image"]["name"] == "toy-1");
  CHECK(good["image"]["digest"].get<std::string>().starts_with("sha256:"));
  CHECK(good["created_at"].get<std::string>() <= good["started_at"].get<std::string>());
  CHECK(good["started_at"].get<std::string>() <= good["finished_at"].get<std::string>());
  const json bad = daemon.run({{"language", "toy"}, {"code", "print before\nnonsense\n"}});
  CHECK(bad["status"] == "error");
  CHECK(bad["exit_code"] == 1);
  CHECK(bad["stdout"]["text"] == "before\n");
  CHECK(bad["stderr"]["text"].get<std::string>().find("main.toy:2: unknown word 'nonsense'") !=
        std::string::npos);
  const json late = daemon.run({{"language", "toy"}, {"code", "wait\n"}, {"timeout_ms", 200}});
  CHECK(late["status"] == "timeout");
  CHECK(daemon.get("/v1/runs/" + good["run_id"].get<std::string>()).body == good);
}

// With a client that is not ours: tests/websocket.
TEST_CASE("replaces: live logs by WebSocket") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  const std::string run = daemon.post("/v1/sandboxes/" + id + "/exec", kGated).body["run_id"];
  EventSocket socket(daemon, "/v1/runs/" + run + "/events");
  CHECK(socket.next().value()["type"] == "stage");
  const json first = socket.next().value();
  CHECK(first["type"] == "stdout");
  CHECK(first["data"] == "one\n");
  (void)daemon.exec(id, "touch /tmp/go");
  const json second = socket.next().value();
  CHECK(second["type"] == "stderr");
  CHECK(second["data"] == "two\n");
  const json last = socket.next().value();
  CHECK(last["type"] == "exit");
  CHECK(last["data"] == "error");
  CHECK(last["exit_code"] == 3);
  CHECK(!socket.next());
  CHECK(socket.status() == 1000);
}

// More, also after kill -9: daemon_history_test.cc.
TEST_CASE("replaces: a run history that survives a restart") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  json before;
  json command;
  {
    const Daemon daemon(place);
    before = daemon.run({{"shell", "echo told"}, {"project_id", "p"}, {"task_id", "t"}});
    command = daemon.exec(daemon.create({{"task_id", "u"}}), "echo from a sandbox");
  }
  const Daemon daemon(place);
  const std::string path = "/v1/runs/" + before["run_id"].get<std::string>();
  CHECK(daemon.get(path).body == before);
  CHECK(daemon.get(path + "/output").text == "told\n");
  CHECK(daemon.get("/v1/runs?project_id=p").body["runs"][0]["run_id"] == before["run_id"]);
  CHECK(daemon.get("/v1/runs?task_id=u").body["runs"][0]["run_id"] == command["run_id"]);
  CHECK(daemon.get("/v1/runs").body["runs"].size() == 2);
}

TEST_CASE("replaces: limits per run with ceilings") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto with = [&](const json& limits, const std::string& shell) {
    return daemon.run({{"shell", shell}, {"limits", limits}});
  };
  const json granted = with({{"memory_bytes", 64 << 20}, {"cpus", 0.5}, {"pids", 20}}, "true");
  CHECK(granted["limits"]["memory_bytes"] == 64 << 20);
  CHECK(granted["limits"]["cpus"] == 0.5);
  CHECK(granted["limits"]["pids"] == 20);
  CHECK(with({{"memory_bytes", 32 << 20}}, "head -c 100M /dev/zero | tail")["outcome"] == "out_of_memory");
  CHECK(with({{"wall_ms", 200}}, "sleep 1000")["outcome"] == "timed_out");
  CHECK(with({{"cpu_ms", 200}}, "while :; do :; done")["outcome"] == "cpu_time_exceeded");
  CHECK(with({{"output_bytes", 1000}}, "yes")["outcome"] == "output_limit");
  // A ceiling is the policy's, and no client gets above it.
  for (const auto& [name, value] :
       {std::pair<const char*, json>{"memory_bytes", 2ULL << 30U}, {"wall_ms", 120'000}, {"cpus", 1.5}}) {
    const json limits{{name, value}};
    const json refused = daemon.run({{"shell", "true"}, {"policy", "strict"}, {"limits", limits}});
    INFO(refused.dump());
    CHECK(refused["outcome"] == "rejected");
    CHECK(refused["message"].get<std::string>().find("'strict'") != std::string::npos);
    CHECK(daemon.post("/v1/sandboxes", {{"policy", "strict"}, {"limits", limits}}).status == 422);
  }
}

// What else is tried of it: tests/security, tests/integration/isolation_namespaces_test.cc.
TEST_CASE("replaces: no network") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string script =
      "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; wc -l </proc/net/route; python3 -c '\n"
      "import socket\n"
      "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
      "    try: socket.socket(socket.AF_INET, kind).connect((\"1.1.1.1\", 53))\n"
      "    except OSError as error: print(error.strerror)'";
  const std::string expected = "lo\n1\nNetwork is unreachable\nNetwork is unreachable\n";
  CHECK(text_of(daemon.run({{"shell", script}})) == expected);
  CHECK(text_of(daemon.exec(daemon.create(), script)) == expected);
}

TEST_CASE("replaces: non-root") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string script =
      "id -u; id -g; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status | cut -f2; awk '$2 == 0' "
      "/proc/self/uid_map";
  const std::string none(16, '0');
  // No user inside, also its 0, is one of the host's first ids.
  const std::string expected = "1000\n1000\n" + none + "\n" + none + "\n1\n";
  CHECK(text_of(daemon.run({{"shell", script}})) == expected);
  CHECK(text_of(daemon.exec(daemon.create(), script)) == expected);
}

// The sandbox of a run, one that nobody uses, one that is old; and with sbxd all. That nothing is left on the
// host is looked at when `place` ends.
TEST_CASE("replaces: auto-clean-up") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  CHECK(daemon.run({{"shell", "sleep 1000 >/dev/null 2>&1 &"}})["outcome"] == "exited");
  CHECK(comes_true([&] { return daemon.processes("sbx-keeper").empty(); }));
  const std::string idle = daemon.create({{"idle_ms", 300}});
  const std::string old = daemon.create({{"total_ms", 300}});
  (void)daemon.post("/v1/sandboxes/" + old + "/exec", {{"shell", "sleep 1000"}});  // it may be gone already
  for (const std::string& id : {idle, old})
    CHECK(comes_true([&] { return daemon.get("/v1/sandboxes/" + id).body["state"] == "destroyed"; }));
  CHECK(place.leftovers() == "");
  (void)daemon.create();
}

}  // namespace sbx::test
