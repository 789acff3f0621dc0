// The history of runs, through the ends of sbxd and its parts; and requests that are made twice.
#include <map>
#include <set>

#include "integration/daemon.h"

namespace sbx::test {

namespace {

std::vector<std::string> listed(const Daemon& daemon, const std::string& query = {}) {
  const HttpAnswer answer = daemon.get("/v1/runs" + query);
  INFO(answer.text);
  REQUIRE(answer.status == 200);
  std::vector<std::string> ids;
  for (const json& run : answer.body["runs"]) ids.push_back(run["run_id"]);
  return ids;
}

std::string path_of(const json& run) { return "/v1/runs/" + run["run_id"].get<std::string>(); }

bool is_ready(const Daemon& daemon) {
  return daemon
             .ask("GET", "/v1/health/ready", nullptr,
                  {"--retry", "20", "--retry-connrefused", "--retry-delay", "1"})
             .status == 200;
}

HttpAnswer post_with_key(const Daemon& daemon, const std::string& path, const json& body,
                         const std::string& key, std::vector<std::string> options = {}) {
  options.insert(options.end(), {"-H", "Idempotency-Key: " + key});
  return daemon.ask("POST", path, body, options);
}

}  // namespace

TEST_CASE("runs survive the end of sbxd and of its parts: results, output, events and the list") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  std::vector<std::string> ids;
  json first;
  const auto look = [&](const Daemon& daemon) {
    CHECK(listed(daemon) == ids);
    const HttpAnswer again = daemon.get(path_of(first));
    CHECK(again.body == first);
    CHECK(daemon.get(path_of(first) + "/output").text == "told\n");
    CHECK(daemon.get(path_of(first) + "/output?stream=stderr").text == "warned\n");
    // SQLite's write-ahead log is on: 2, twice (sqlite.org/fileformat.html).
    const std::string database = read_file(place.state_dir() + "/api/history/history.db");
    REQUIRE(database.size() > 20);
    CHECK(database.substr(18, 2) == "\x02\x02");
    const std::string events = daemon.get(path_of(first) + "/events").text;
    CHECK(events.find(R"("type":"stdout","data":"told\n")") != std::string::npos);
    CHECK(events.find(R"("type":"stderr","data":"warned\n")") != std::string::npos);
    CHECK(events.find(R"("type":"exit","data":"error")") != std::string::npos);
    CHECK(daemon.ask("DELETE", path_of(first)).status == 409);
    const HttpAnswer waited = daemon.get(path_of(first) + "?wait");
    CHECK(waited.body == first);
  };
  const auto run = [&](const Daemon& daemon) {
    const json done = daemon.run({{"shell", "echo told; echo warned >&2; exit 3"},
                                  {"task_id", "t" + std::to_string(ids.size())},
                                  {"labels", {{"a", "b"}}}});
    ids.insert(ids.begin(), done["run_id"].get<std::string>());
    return done;
  };
  {
    Daemon daemon(place);
    first = run(daemon);
    CHECK(first["stdout"]["text"] == "told\n");
    CHECK(first["labels"]["a"] == "b");
    look(daemon);
    CHECK(daemon.stop() == 0);
  }
  {
    Daemon daemon(place);
    look(daemon);
    (void)run(daemon);
    daemon.kill_with_9();
  }
  {
    Daemon daemon(place);
    look(daemon);
    (void)run(daemon);
    for (const pid_t pid : daemon.processes("sbx-api")) (void)kill(pid, SIGKILL);
    CHECK(comes_true([&] { return daemon.said().find("the API") != std::string::npos; }));
    CHECK(is_ready(daemon));
    look(daemon);
    (void)run(daemon);
    look(daemon);
  }
}

TEST_CASE(
    "a run that goes on when sbxd or its API is killed is told as ended, with what it wrote until then") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const bool all : {true, false}) {
    CAPTURE(all);
    const Sandbox place;
    auto daemon = std::make_unique<Daemon>(place);
    const json begun = daemon->post("/v1/runs", {{"shell", "echo so far; sleep 1000"}}).body;
    const std::string sandbox = daemon->create();
    const json command =
        daemon->post("/v1/sandboxes/" + sandbox + "/exec", {{"shell", "echo so far; sleep 1000"}}).body;
    for (const json& run : {begun, command})
      CHECK(comes_true([&] { return daemon->get(path_of(run) + "/output").text == "so far\n"; }));
    if (all) {
      daemon->kill_with_9();
      daemon = std::make_unique<Daemon>(place);
    } else {
      for (const pid_t pid : daemon->processes("sbx-api")) (void)kill(pid, SIGKILL);
      CHECK(comes_true([&] { return daemon->said().find("the API") != std::string::npos; }));
      CHECK(is_ready(*daemon));
    }
    for (const json& run : {begun, command}) {
      const json told = daemon->get(path_of(run)).body;
      CHECK(told["status"] == "error");
      CHECK(told["outcome"] == "cancelled");
      CHECK(told["message"].get<std::string>().find("its supervisor ended") != std::string::npos);
      CHECK(told["stdout"]["text"] == "so far\n");
      const std::string events = daemon->get(path_of(run) + "/events").text;
      CHECK(events.find(R"("data":"so far\n")") != std::string::npos);
      CHECK(events.find(R"("outcome":"cancelled")") != std::string::npos);
    }
    CHECK(daemon->get(path_of(command)).body["sandbox_id"] == sandbox);
    CHECK(listed(*daemon, "?outcome=cancelled").size() == 2);
    CHECK(listed(*daemon, "?status=running").empty());
    CHECK(daemon->stop() == 0);
  }
}

TEST_CASE("runs are listed by what they are, by their labels and by time") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto run = [&](const json& request) {
    const json begun = daemon.post("/v1/runs", request).body;
    json ended = daemon.get(path_of(begun) + "?wait").body;
    CHECK(ended["created_at"] == begun["created_at"]);
    return ended;
  };
  const json one = run({{"shell", "true"}, {"project_id", "p"}, {"labels", {{"suite", "a b"}, {"x", "1"}}}});
  const json two = run({{"shell", "false"}, {"labels", {{"suite", "other"}, {"x", "1"}}}});
  const json three = daemon.post("/v1/runs", {{"shell", "sleep 1000"}}).body;
  CHECK(comes_true([&] { return listed(daemon, "?status=running").size() == 1; }));
  const std::string a = one["run_id"];
  const std::string b = two["run_id"];
  const std::string c = three["run_id"];
  using Ids = std::vector<std::string>;
  CHECK(listed(daemon) == Ids{c, b, a});
  CHECK(listed(daemon, "?project_id=p") == Ids{a});
  CHECK(listed(daemon, "?status=error") == Ids{b});
  CHECK(listed(daemon, "?status=running") == Ids{c});
  CHECK(listed(daemon, "?outcome=exited") == Ids{b, a});
  CHECK(listed(daemon, "?label=suite=a%20b") == Ids{a});
  CHECK(listed(daemon, "?label=suite") == Ids{b, a});
  CHECK(listed(daemon, "?label=x=1&label=suite=other") == Ids{b});
  const std::string then = two["created_at"];
  CHECK(listed(daemon, "?since=" + then) == Ids{c, b});
  CHECK(listed(daemon, "?until=" + then) == Ids{a});
  CHECK(listed(daemon, "?since=2099-01-01T00:00:00%2B02:00").empty());
  for (const char* bad : {"since=yesterday", "until=1e3", "cursor=x", "cursor=1.", "limit=501", "limit=0",
                          "outcome=exit", "status=done", "project=p", "task_id=a&task_id=b"}) {
    CAPTURE(std::string(bad));
    const HttpAnswer answer = daemon.get("/v1/runs?" + std::string(bad));
    CHECK(answer.status == 400);
    const std::string name = std::string(bad).substr(0, std::string(bad).find('='));
    CHECK(answer.body["detail"].get<std::string>().find(name) != std::string::npos);
  }
  CHECK(daemon.ask("DELETE", path_of(three)).status == 202);
}

TEST_CASE("what is beyond the limits of the history is forgotten, output before runs") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "history: {runs: 4, output_bytes: 100K, days: none}\n");
  const Daemon daemon(place, {"--config", config});
  std::vector<json> runs;
  for (int i = 0; i < 3; ++i) runs.push_back(daemon.run({{"shell", "head -c 40000 /dev/zero"}}));
  CHECK(daemon.get(path_of(runs[2]) + "/output").text.size() == 40'000);
  CHECK(daemon.get(path_of(runs[0]) + "/output").status == 410);
  CHECK_FALSE(
      std::filesystem::exists(place.state_dir() + "/api/output/" + runs[0]["run_id"].get<std::string>()));
  const json first = daemon.get(path_of(runs[0])).body;
  CHECK(first["outcome"] == "exited");
  CHECK(first["stdout"]["bytes"] == 40'000);
  CHECK_FALSE(first["stdout"].contains("text"));
  const std::string events = daemon.get(path_of(runs[0]) + "/events").text;
  CHECK(events.find(R"("type":"gap","data":"stdout","offset":0,"missing":40000)") != std::string::npos);
  CHECK(events.find(R"("type":"exit")") != std::string::npos);
  for (int i = 0; i < 2; ++i) runs.push_back(daemon.run({{"shell", "true"}}));
  CHECK(daemon.get(path_of(runs[0])).status == 404);
  CHECK(listed(daemon).size() == 4);
}

TEST_CASE("the limits of the history are checked as the rest of the configuration") {
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  const auto check = [&](const std::string& history) {
    write_file(config, "history: " + history + "\n");
    return run_program({program_directory() + "/sbxd", "--config", config, "--check-config"});
  };
  CHECK(check("{runs: 10, output_bytes: 1M, days: 7}").exit_status == 0);
  for (const char* bad :
       {"{runs: 0}", "{runs: 100000000}", "{output_bytes: much}", "{days: never}", "{day: 1}", "7"}) {
    CAPTURE(std::string(bad));
    const ProgramResult wrong = check(bad);
    CHECK(wrong.exit_status == 2);
    CHECK(wrong.err.find("config.yaml:1") != std::string::npos);
  }
}

TEST_CASE("the same request with the same key is made once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const json body = {{"shell", "echo once; date +%N"}};
  std::string run;
  {
    Daemon daemon(place);
    const HttpAnswer first = post_with_key(daemon, "/v1/runs", body, "k 1", {"-i"});
    CHECK(first.status == 202);
    CHECK(first.text.find("Idempotency-Replayed") == std::string::npos);
    const json waited = post_with_key(daemon, "/v1/runs?wait", body, "k 1").body;
    run = waited["run_id"];
    CHECK(waited["status"] == "completed");
    CHECK(waited["stdout"]["text"].get<std::string>().starts_with("once\n"));
    const HttpAnswer again = post_with_key(daemon, "/v1/runs", body, "k 1", {"-i"});
    CHECK(again.status == 202);
    CHECK(again.text.find("Idempotency-Replayed: true") != std::string::npos);
    CHECK(again.text.find(run) != std::string::npos);
    // Another body, another path.
    const HttpAnswer other = post_with_key(daemon, "/v1/runs", {{"shell", "true"}}, "k 1");
    CHECK(other.status == 422);
    CHECK(other.body["detail"].get<std::string>().find("another request") != std::string::npos);
    CHECK(post_with_key(daemon, "/v1/sandboxes/none/exec", body, "k 1").status == 422);
    CHECK(listed(daemon) == std::vector{run});
    for (const std::string& bad : {std::string(256, 'k'), std::string("caf\xC3\xA9")})
      CHECK(post_with_key(daemon, "/v1/runs", body, bad).status == 400);
    CHECK(post_with_key(daemon, "/v1/runs", body, "k 1", {"-H", "Idempotency-Key: k 2"}).status == 400);
    // What could not be begun is no request that was made.
    CHECK(post_with_key(daemon, "/v1/runs", {{"shell", 1}}, "k 3").status == 400);
    CHECK(post_with_key(daemon, "/v1/runs?wait", body, "k 3").status == 200);
    daemon.kill_with_9();
  }
  Daemon daemon(place);
  const HttpAnswer after = post_with_key(daemon, "/v1/runs?wait", body, "k 1");
  CHECK(after.status == 200);
  CHECK(after.body["run_id"] == run);
  CHECK(post_with_key(daemon, "/v1/runs", {{"shell", "true"}}, "k 1").status == 422);
  CHECK(listed(daemon).size() == 2);
}

TEST_CASE("doubles at the same time are one run, and none who goes away ends it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string ask = "curl -s --unix-socket " + daemon.socket() +
                          " -H 'Idempotency-Key: same' -d '{\"shell\": \"sleep 1; echo done\"}' "
                          "'http://sbx/v1/runs?wait' ";
  // The first of them gives up.
  const ProgramResult all = run_program(
      {"/bin/sh", "-c", ask + " -m 0.5 >/dev/null; for i in 1 2 3 4 5 6; do " + ask + "& done; wait"});
  std::set<std::string> ids;
  std::istringstream lines(all.out);
  int answers = 0;
  for (std::string line; std::getline(lines, line); ++answers) {
    const json run = json::parse(line, nullptr, false);
    REQUIRE(run.is_object());
    CHECK(run["outcome"] == "exited");
    CHECK(run["stdout"]["text"] == "done\n");
    ids.insert(run["run_id"]);
  }
  CHECK(answers == 6);
  CHECK(ids.size() == 1);
  CHECK(listed(daemon).size() == 1);
}

TEST_CASE("sandboxes and their commands are made once by key, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  std::string sandbox;
  json command;
  {
    Daemon daemon(place);
    const std::string ask = "curl -s --unix-socket " + daemon.socket() +
                            " -H 'Idempotency-Key: box' -d '{\"labels\": {\"a\": \"b\"}}' -o /dev/null -w "
                            "'%{http_code}\\n' http://sbx/v1/sandboxes ";
    const ProgramResult both = run_program({"/bin/sh", "-c", ask + "& " + ask + "& wait"});
    CHECK(both.out == "201\n201\n");
    const json made = daemon.get("/v1/sandboxes").body["sandboxes"];
    REQUIRE(made.size() == 1);
    sandbox = made[0]["id"];
    const std::string exec = "/v1/sandboxes/" + sandbox + "/exec";
    const json body = {{"shell", "echo x >>/tmp/count; wc -l </tmp/count"}};
    command = post_with_key(daemon, exec + "?wait", body, "command").body;
    CHECK(command["stdout"]["text"] == "1\n");
    CHECK(post_with_key(daemon, exec + "?wait", body, "command").body["run_id"] == command["run_id"]);
    CHECK(daemon.exec(sandbox, "wc -l </tmp/count")["stdout"]["text"] == "1\n");
    // One that cannot be made leaves no key.
    CHECK(post_with_key(daemon, "/v1/sandboxes", {{"image", "no-such"}}, "bad").status == 422);
    CHECK(post_with_key(daemon, "/v1/sandboxes", {{"hostname", "h"}}, "bad").status == 201);
    CHECK(daemon.stop() == 0);
  }
  Daemon daemon(place);
  const HttpAnswer gone = post_with_key(daemon, "/v1/sandboxes", R"({"labels": {"a": "b"}})", "box");
  CHECK(gone.status == 410);
  CHECK(gone.body["detail"].get<std::string>().find(sandbox) != std::string::npos);
  const HttpAnswer again = post_with_key(daemon, "/v1/sandboxes/" + sandbox + "/exec?wait",
                                         {{"shell", "echo x >>/tmp/count; wc -l </tmp/count"}}, "command");
  CHECK(again.status == 200);
  CHECK(again.body == command);
}

TEST_CASE("runs go on when the disk of the history is full, which is told until there is space again") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string api = place.state_dir() + "/api";
  Daemon daemon(place, {}, {},
                {"unshare", "-m", "/bin/sh", "-c",
                 "mkdir -p -m 0700 \"${0%/*}\" \"$0\" && mount -t tmpfs -o size=16m,mode=755 none \"$0\" && "
                 "exec \"$@\"",
                 api});
  const json before = daemon.run({{"shell", "echo before"}});
  const std::string filler = "/proc/" + std::to_string(daemon.pid()) + "/root" + api + "/filler";
  {
    std::ofstream file(filler);
    while (file << std::string(4096, 'x') << std::flush) continue;
  }
  // What is left in its pages is used up before it is felt.
  json during;
  CHECK(comes_true([&] {
    during = daemon.run({{"shell", "exit 7"}, {"task_id", "during"}});
    return daemon.get("/v1/health/ready").body["history"]["problem"] != nullptr;
  }));
  CHECK(during["exit_code"] == 7);
  CHECK(daemon.said().find("history: ") != std::string::npos);
  const json last = daemon.run({{"shell", "exit 8"}, {"task_id", "last"}});
  CHECK(last["exit_code"] == 8);
  CHECK(daemon.get(path_of(last)).body["exit_code"] == 8);
  CHECK(daemon.get(path_of(before)).body["stdout"]["text"] == "before\n");
  CHECK(daemon.get("/v1/health/ready").body["history"]["unwritten"] > 0);
  CHECK(std::filesystem::remove(filler));
  CHECK(comes_true([&] { return daemon.get("/v1/health/ready").body["history"]["problem"] == nullptr; }));
  CHECK(listed(daemon, "?task_id=last").size() == 1);
  CHECK(daemon.said().find("written again") != std::string::npos);
}

TEST_CASE("what could be no history is moved aside, and sbxd starts") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  {
    Daemon daemon(place);
    (void)daemon.run({{"shell", "true"}});
    CHECK(daemon.stop() == 0);
  }
  const std::string file = place.state_dir() + "/api/history/history.db";
  REQUIRE(std::filesystem::exists(file));
  write_file(file, std::string(5000, 'x'));
  Daemon daemon(place);
  CHECK(daemon.said().find("history.db.broken-") != std::string::npos);
  CHECK(listed(daemon).empty());
  const json run = daemon.run({{"shell", "true"}});
  CHECK(listed(daemon) == std::vector{run["run_id"].get<std::string>()});
}

}  // namespace sbx::test
