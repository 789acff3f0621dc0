// Runs through sbxd's API.
#include "integration/daemon.h"

namespace sbx::test {

namespace {

struct Event {
  std::string id;
  json data;
};

std::vector<Event> events_in(const std::string& text) {
  std::vector<Event> events;
  std::istringstream lines(text);
  Event event;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id: ")) event.id = line.substr(4);
    if (line.starts_with("data: ")) event.data = json::parse(line.substr(6));
    if (line.empty() && !event.data.is_null()) events.push_back(std::exchange(event, {}));
  }
  return events;
}

std::string joined(const std::vector<Event>& events, const std::string& stream) {
  std::string text;
  for (const Event& event : events) {
    if (event.data["type"] == stream) text += event.data["data"];
  }
  return text;
}

}  // namespace

TEST_CASE("a run through the API gives the result that sbxrun gives") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const json result = daemon.run({{"shell", "echo out; echo err >&2; exit 3"},
                                  {"task_id", "task"},
                                  {"env", {{"NAME", "value"}}},
                                  {"labels", {{"team", "a"}}},
                                  {"limits", {{"memory_bytes", 100'000'000}, {"cpus", 0.5}}}});
  CHECK(result["outcome"] == "exited");
  CHECK(result["exit_code"] == 3);
  CHECK(result["status"] == "error");
  CHECK(result["mode"] == "supervisor");
  CHECK(result["task_id"] == "task");
  CHECK(result["stdout"] == json{{"text", "out\n"}, {"bytes", 4}, {"truncated", false}});
  CHECK(result["stderr"]["text"] == "err\n");
  CHECK(result["limits"]["memory_bytes"] == 100'000'000);
  CHECK(result["limits"]["cpus"] == 0.5);
  CHECK(result["environment"] == json{"NAME"});
  CHECK(result["labels"] == json{{"team", "a"}});
  const json again = daemon.get("/v1/runs/" + result["run_id"].get<std::string>()).body;
  CHECK(again == result);
  CHECK(place.log_lines().size() == 1);
  CHECK(place.log_lines()[0]["run_id"] == result["run_id"]);
  // Its API holds no descriptor for it any more, and can still tell what it wrote.
  const auto api = daemon.processes("sbx-api");
  REQUIRE(api.size() == 1);
  const auto open_files = [&] {
    const std::filesystem::directory_iterator files("/proc/" + std::to_string(api[0]) + "/fd");
    return std::distance(begin(files), end(files));
  };
  const auto before = open_files();
  for (int i = 0; i < 10; ++i) (void)daemon.run({{"shell", "echo more"}});
  CHECK(comes_true([&] { return open_files() <= before; }));  // curl's last connection may be there still
}

TEST_CASE("standard input, code of a language that is missing, and limits through the API") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string much(300'000, 'x');
  CHECK(daemon.run({{"command", {"wc", "-c"}}, {"stdin", much}})["stdout"]["text"] == "300000\n");
  CHECK(daemon.run({{"command", {"cat"}}, {"stdin_base64", "//4A"}})["stdout"]["base64"] == "//4A");
  CHECK(daemon.run({{"command", {"cat"}}})["stdout"]["bytes"] == 0);
  CHECK(daemon.run({{"shell", "sleep 100"}, {"timeout_ms", 200}})["outcome"] == "timed_out");
  CHECK(daemon.run({{"shell", "yes"}, {"limits", {{"output_bytes", 10'000}}}})["outcome"] == "output_limit");
  const json missing = daemon.run({{"language", "python"}, {"code", "print(1)"}});
  CHECK(missing["outcome"] == "setup_failed");
  CHECK(missing["message"].get<std::string>().find("python") != std::string::npos);
  const json refused = daemon.run({{"command", {"true"}}, {"limits", {{"memory_bytes", 1ULL << 50U}}}});
  CHECK_MESSAGE(refused["message"].get<std::string>().find(
                    "limits.memory_bytes 1048576G: above the ceiling") != std::string::npos,
                refused["message"]);
  CHECK(refused["outcome"] == "rejected");
}

TEST_CASE("a run that nobody waits for is looked at while it runs, and cancelled") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const HttpAnswer begun = daemon.post("/v1/runs", {{"shell", "echo begun; sleep 1000"}});
  CHECK(begun.status == 202);
  const std::string path = "/v1/runs/" + begun.body["run_id"].get<std::string>();
  CHECK(comes_true([&] { return daemon.get(path).body["status"] == "running"; }));
  CHECK(comes_true([&] { return daemon.get(path + "/output").text == "begun\n"; }));
  CHECK(daemon.ask("DELETE", path).status == 202);
  const json ended = daemon.get(path + "?wait").body;
  CHECK(ended["outcome"] == "cancelled");
  CHECK(ended["stdout"]["text"] == "begun\n");
  CHECK(daemon.ask("DELETE", path).status == 409);
}

TEST_CASE("a client that waits and goes away cancels its run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const ProgramResult gone = run_program({"curl", "-s", "--max-time", "1", "--unix-socket", daemon.socket(),
                                          "http://sbx/v1/runs?wait", "-d", R"({"shell":"sleep 1000"})"});
  CHECK(gone.exit_status == 28);
  CHECK(comes_true([&] {
    const json runs = daemon.get("/v1/runs").body["runs"];
    return runs.size() == 1 && runs[0].value("outcome", json()) == "cancelled";
  }));
}

TEST_CASE("the events of a run are its output and its end, also later and from the middle") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const HttpAnswer begun = daemon.post(
      "/v1/runs", {{"shell", "for i in 1 2 3; do echo line $i; sleep 0.2; done; echo bad >&2; exit 5"}});
  const std::string path = "/v1/runs/" + begun.body["run_id"].get<std::string>() + "/events";
  const auto live = events_in(daemon.get(path).text);
  CHECK(joined(live, "stdout") == "line 1\nline 2\nline 3\n");
  CHECK(joined(live, "stderr") == "bad\n");
  REQUIRE(live.size() >= 5);
  CHECK(live.back().data["type"] == "exit");
  CHECK(live.back().data["exit_code"] == 5);
  CHECK(live.back().data["data"] == "error");
  const auto replayed = events_in(daemon.get(path).text);
  CHECK(joined(replayed, "stdout") == joined(live, "stdout"));
  // From behind the first line on.
  for (const std::string& query : {std::string("?after=7.0"), std::string()}) {
    const std::vector<std::string> header =
        query.empty() ? std::vector<std::string>{"-H", "Last-Event-ID: 7.0"} : std::vector<std::string>();
    const auto rest = events_in(daemon.ask("GET", path + query, nullptr, header).text);
    CHECK(joined(rest, "stdout") == "line 2\nline 3\n");
    REQUIRE_FALSE(rest.empty());
    CHECK(rest.front().data["offset"] == 7);
    CHECK(rest.back().data["type"] == "exit");
  }
  CHECK(daemon.get(path + "?after=x").status == 400);
  const HttpAnswer beyond = daemon.get(path + "?after=99999.0.0");
  CHECK(beyond.status == 400);
  CHECK(beyond.body["detail"].get<std::string>().find("beyond what the run has written") !=
        std::string::npos);
}

TEST_CASE("much output, and what is no text, come whole") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  // A character of three bytes that is cut by writes, and bytes that are none.
  const json begun = daemon
                         .post("/v1/runs", {{"shell",
                                             "printf '\\342'; sleep 0.2; printf '\\202'; sleep 0.2; "
                                             "printf '\\254 \\377\\n'"}})
                         .body;
  const std::string path = "/v1/runs/" + begun["run_id"].get<std::string>();
  const auto events = events_in(daemon.get(path + "/events").text);
  REQUIRE_FALSE(events.empty());
  CHECK(events.back().data["type"] == "exit");
  std::uint64_t end = 0;
  for (const Event& event : events) {
    if (event.data["type"] == "exit") break;
    if (event.data["type"] == "stage") continue;
    CHECK(event.data["offset"] == end);
    end += event.data.contains("encoding") ? 3 : event.data["data"].get<std::string>().size();
  }
  CHECK(daemon.get(path).body["stdout"]["base64"] == "4oKsIP8K");
  CHECK(daemon.get(path + "/output").text == "\xE2\x82\xAC \xFF\n");

  const json much = daemon.run({{"shell", "seq 1 1000000"}});
  CHECK(much["stdout"]["bytes"] == 6'888'896);
  CHECK(much["stdout"]["text"].get<std::string>().size() == 6'888'896);
  const std::string url = "/v1/runs/" + much["run_id"].get<std::string>();
  CHECK(daemon.get(url + "/output").text.size() == 6'888'896);
  CHECK(joined(events_in(daemon.get(url + "/events").text), "stdout").size() == 6'888'896);
}

TEST_CASE("runs are listed, the newest first, by page and by what they are") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  for (int i = 0; i < 5; ++i)
    (void)daemon.run({{"shell", "exit " + std::to_string(i % 2)}, {"task_id", "task" + std::to_string(i)}});
  const json all = daemon.get("/v1/runs").body;
  CHECK(all["runs"].size() == 5);
  CHECK(all["next_cursor"] == nullptr);
  CHECK(all["runs"][0]["task_id"] == "task4");
  CHECK(daemon.get("/v1/runs?task_id=task2").body["runs"].size() == 1);
  CHECK(daemon.get("/v1/runs?status=completed").body["runs"].size() == 3);
  std::vector<std::string> seen;
  std::string path = "/v1/runs?limit=2";
  for (int page = 0; page < 3; ++page) {
    const json body = daemon.get(path).body;
    for (const json& run : body["runs"]) seen.push_back(run["task_id"]);
    if (body["next_cursor"].is_null()) break;
    path = "/v1/runs?limit=2&cursor=" + body["next_cursor"].get<std::string>();
  }
  CHECK(seen == std::vector<std::string>{"task4", "task3", "task2", "task1", "task0"});
}

TEST_CASE("what is wrong with a request is said, by name") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  struct Case {
    const char* body;
    const char* detail;
  };
  for (const Case& one :
       {Case{"", "the body is no JSON"}, Case{"[]", "no JSON object"},
        Case{"{\"a\":1,\"a\":2}", "given twice"}, Case{"{}", "give one of 'command', 'shell' and 'language'"},
        Case{R"({"comand":["x"]})", "did you mean 'command'?"},
        Case{R"({"command":"x"})", "'command' is not a list of strings"},
        Case{R"({"command":[]})", "'command' is empty"},
        Case{R"({"shell":"x","command":["y"]})", "give one of"},
        Case{R"({"shell":1})", "'shell' is not a string"},
        Case{R"({"shell":"x","limits":{"memory":1}})", "'limits.memory' is not known"},
        Case{R"({"shell":"x","limits":{"pids":0}})", "limits.pids"},
        Case{R"({"shell":"x","limits":{"cpus":-1}})", "'limits.cpus'"},
        Case{R"({"shell":"x","policy":"/etc/passwd"})", "policy"},
        Case{R"({"shell":"x","project_id":"../x"})", "project_id"},
        Case{R"({"shell":"x","task_id":"a","session_id":"a"})", "mean the same"},
        Case{R"({"shell":"x","stdin_base64":"*"})", "base64"},
        Case{R"({"shell":"x","labels":{"sbx.x":"y"}})", "sbx's own"},
        Case{R"({"shell":"x","code":"y"})", "needs a 'language'"},
        Case{R"({"language":"python","code":"x","files":[{"name":"../x","content":""}]})",
             "files[0].name"}}) {
    CAPTURE(std::string(one.body));
    const HttpAnswer answer = daemon.post("/v1/runs", std::string(one.body));
    CHECK(answer.status == 400);
    CHECK(answer.body["status"] == 400);
    CHECK(answer.body["detail"].get<std::string>().find(one.detail) != std::string::npos);
  }
  const std::string deep =
      std::string(R"({"shell":"x","labels":)") + std::string(100, '[') + std::string(100, ']') + "}";
  CHECK(daemon.post("/v1/runs", deep).body["detail"].get<std::string>().find("32 levels") !=
        std::string::npos);
  CHECK(daemon.post("/v1/runs", R"({"shell":")" + std::string(9U << 20U, 'x') + "\"}").status == 413);
  CHECK(daemon.get("/v1/runs/nothing").status == 404);
  CHECK(daemon.get("/v1/nothing").status == 404);
  CHECK(daemon.ask("PUT", "/v1/runs").status == 405);
  CHECK(daemon.get("/v1/runs?limit=0").status == 400);
  CHECK(daemon.get("/v1/version").body["api"] == "v1");
  CHECK(daemon.get("/v1/health/live").status == 200);
}

}  // namespace sbx::test
