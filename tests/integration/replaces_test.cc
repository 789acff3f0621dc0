// What sbxd replaces, point by point: sandboxes. Runs are in replaces_runs_test.cc.
#include <filesystem>

#include "integration/daemon_files.h"
#include "integration/lifecycle_fixture.h"
#include "integration/toy_image.h"

namespace sbx::test {

TEST_CASE("replaces: start-up pre-pull with per-image status and graceful degradation") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string cache = place.directory() + "/cache";
  std::filesystem::create_directories(cache + "/images");
  (void)make_toy(place, cache + "/images", "good", kPlainToy);
  write_file(make_toy(place, cache + "/images", "broken", kPlainToy), "no image");
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "prepare_images: [broken, missing, good]\n");
  const Daemon daemon(place, {"--config", config}, "", {},
                      [&] { (void)setenv("SBX_CACHE_DIR", cache.c_str(), 1); });
  const auto state = [&](const std::string& image) {
    return daemon.get("/v1/images/" + image).body["state"];
  };
  CHECK(comes_true([&] { return state("good") == "ready"; }));
  CHECK(comes_true([&] { return state("missing") == "missing"; }));
  CHECK(state("broken") == "failed");
  CHECK(daemon.get("/v1/images/broken").body["detail"].get<std::string>().find("broken") !=
        std::string::npos);
  // What is there serves.
  CHECK(text_of(daemon.run({{"image", "good"}, {"language", "toy"}, {"code", "print on\n"}})) == "on\n");
  CHECK(daemon.post("/v1/sandboxes", {{"image", "broken"}}).status == 422);
  CHECK(daemon.post("/v1/sandboxes", {{"image", "missing"}}).status == 422);
}

TEST_CASE("replaces: create, get and destroy by task") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"task_id", "t"}});
  const std::string other = daemon.create({{"session_id", "u"}});
  CHECK(daemon.get("/v1/sandboxes/task:t").body["id"] == id);
  CHECK(daemon.get("/v1/sandboxes?task_id=u").body["sandboxes"][0]["id"] == other);
  CHECK(daemon.ask("DELETE", "/v1/sandboxes/task:t").body["state"] == "destroyed");
  CHECK(daemon.get("/v1/sandboxes/task:t").status == 404);
  CHECK(daemon.get("/v1/sandboxes/task:u").body["state"] == "ready");
}

TEST_CASE("replaces: exec with timeout, cwd and env") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string path =
      "/v1/sandboxes/" + daemon.create({{"env", {{"A", "1"}, {"B", "2"}}}}) + "/exec?wait";
  const json placed =
      daemon.post(path, {{"shell", "pwd; echo $A$B"}, {"cwd", "/tmp"}, {"env", {{"B", "3"}}}}).body;
  CHECK(text_of(placed) == "/tmp\n13\n");
  const json late =
      daemon.post(path, {{"shell", "echo begun; sleep 1000"}, {"timeout_ms", 500 * time_scale()}}).body;
  CHECK(late["status"] == "timeout");
  CHECK(late["outcome"] == "timed_out");
  CHECK(late["stdout"]["text"] == "begun\n");
  // Of neither is anything left for the next.
  CHECK(
      text_of(daemon.post(path, {{"shell", "pwd; echo $A$B; cat /proc/[0-9]*/comm | grep -c sleep || true"}})
                  .body) == "/workspace/agent_workspace\n12\n0\n");
}

TEST_CASE("replaces: read, write and list files") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  CHECK(files.put("notes/a.txt&parents=true", "one\n").status == 201);
  CHECK(files.shell("cat notes/a.txt; echo two >notes/b.txt") == "one\n");
  CHECK(files.get("notes/b.txt").text == "two\n");
  CHECK(files.names("notes") == std::vector<std::string>{"a.txt", "b.txt"});
  CHECK(files.get("/etc/shadow").status == 404);
}

// That a reset leaves nothing is in daemon_sandboxes_test.cc, "a reset leaves what was uploaded, and nothing
// else".
TEST_CASE("replaces: reset") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, {{"project_id", "p"}});
  (void)files.shell("touch a ../outputs/b /tmp/c; sleep 1000 >/dev/null 2>&1 &");
  CHECK(daemon.ask("POST", "/v1/sandboxes/" + files.id() + "/reset").body["state"] == "ready");
  CHECK(files.shell("ls -A . ../outputs /tmp") == ".:\n\n../outputs:\n\n/tmp:\n");
  CHECK(files.shell("cat /proc/[0-9]*/comm | grep -c sleep || true") == "0\n");
}

TEST_CASE("replaces: status and resource statistics") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  const std::string path = "/v1/sandboxes/" + id;
  CHECK(daemon.get(path).body["state"] == "ready");
  const json begun =
      daemon.post(path + "/exec", {{"shell", "x=$(head -c 20000000 /dev/zero | tr '\\0' x); sleep 1000"}})
          .body;
  CHECK(daemon.get(path).body["state"] == "busy");
  CHECK(comes_true([&] {
    const json stats = daemon.get(path + "/stats").body;
    return stats["current"]["memory_bytes"] > 20'000'000 && stats["current"]["pids"] >= 2 &&
           stats["usage"]["cpu_ms"] > 0;
  }));
  CHECK(daemon.ask("DELETE", "/v1/runs/" + begun["run_id"].get<std::string>()).status == 202);
  CHECK(comes_true([&] { return daemon.get(path).body["state"] == "ready"; }));
}

TEST_CASE("replaces: reuse, the same task gives the same sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"task_id", "t"}});
  (void)daemon.exec(id, "echo kept >/tmp/file");
  const HttpAnswer again = daemon.post("/v1/sandboxes", {{"task_id", "t"}});
  CHECK(again.status == 200);
  CHECK(again.body["id"] == id);
  CHECK(text_of(daemon.exec(again.body["id"], "cat /tmp/file")) == "kept\n");
  CHECK(daemon.get("/v1/sandboxes").body["sandboxes"].size() == 1);
}

TEST_CASE("replaces: cleanup of all and of orphans") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "cleanup_interval: off\n");
  const Daemon daemon(place, {"--config", config});
  const std::string one = daemon.create({{"task_id", "t"}, {"labels", {{"team", "a"}, {"tier", "x"}}}});
  const std::string two = daemon.create({{"project_id", "p"}, {"labels", {{"team", "a"}}}});
  const std::string three = daemon.create({{"labels", {{"team", "b"}}}});
  // A slip ends nothing.
  CHECK(daemon.ask("DELETE", "/v1/sandboxes").status == 400);
  CHECK(daemon.ask("DELETE", "/v1/sandboxes?lable=team=a").status == 400);
  CHECK(daemon.ask("DELETE", "/v1/sandboxes?state=gone").status == 400);
  const auto destroyed = [&](const std::string& query) {
    const HttpAnswer answer = daemon.ask("DELETE", "/v1/sandboxes?" + query);
    INFO(answer.text);
    CHECK(answer.status == 200);
    return answer.body["destroyed"];
  };
  CHECK(destroyed("label=team=a&label=tier=y") == json::array());
  CHECK(destroyed("label=team=a&label=tier") == json{one});
  CHECK(destroyed("project_id=q") == json::array());
  CHECK(daemon.get("/v1/sandboxes?label=team").body["sandboxes"].size() == 2);
  CHECK(destroyed("label=sbx.managed=true").size() == 2);
  CHECK(daemon.get("/v1/sandboxes").body["sandboxes"].empty());
  CHECK(daemon.processes("sbx-keeper").empty());
  // daemon_host_test.cc has more: by sbxctl, and from time to time.
  REQUIRE(run_and_kill(place, unique_duration(), {Program::direct, {}, true}).hit);
  CHECK(journals(place) != "");
  CHECK(daemon.ask("POST", "/v1/cleanup").body["removed"].size() == 1);
  CHECK(journals(place) == "");
}

TEST_CASE("replaces: environment type and environment variables") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  import_toy(place, "toy", kPlainToy);
  const Daemon daemon(place);
  const Files files(daemon, {{"environment_type", "toy"}, {"env_vars", {{"A", "of the sandbox"}}}});
  CHECK(files.put("script", "env A\n").status == 201);
  const std::string path = "/v1/sandboxes/" + files.id() + "/exec?wait";
  const json command{"/bin/toy", "script"};
  CHECK(text_of(daemon.post(path, {{"command", command}}).body) == "A=of the sandbox\n");
  CHECK(text_of(daemon.post(path, {{"command", command}, {"env_vars", {{"A", "b"}}}}).body) == "A=b\n");
  CHECK(text_of(daemon.run(
            {{"environment_type", "host"}, {"env_vars", {{"A", "c"}}}, {"shell", "echo $A"}})) == "c\n");
  CHECK(daemon.post("/v1/sandboxes", {{"environment_type", "toy"}, {"image", "toy"}}).status == 400);
}

TEST_CASE("replaces: labels and naming") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id =
      daemon.create({{"project_id", "shop"}, {"task_id", "17"}, {"labels", {{"team", "a"}}}});
  const json described = daemon.get("/v1/sandboxes/" + id).body;
  CHECK(described["sandbox_id"] == "sbx-shop-17");
  CHECK(described["labels"] == json{{"sbx.managed", "true"}, {"team", "a"}});
  CHECK(text_of(daemon.exec(id, "hostname")) == "sbx-shop-17\n");
  const auto found = [&](const std::string& label) {
    return daemon.get("/v1/sandboxes?label=" + label).body["sandboxes"].size();
  };
  CHECK(found("sbx.managed=true") == 1);
  CHECK(found("sbx.managed=false") == 0);
  CHECK(found("team=a") == 1);
  CHECK(found("team=b") == 0);
  (void)daemon.create({{"labels", {{"team", "b"}}}});
  (void)daemon.exec(id, "head -c 3000000 /dev/zero >/tmp/file");
  const json used = daemon.get("/v1/sandboxes/stats?label=team=a").body["sandboxes"];
  REQUIRE(used.size() == 1);
  CHECK(used[0]["id"] == id);
  CHECK(used[0]["current"]["memory_bytes"] >= 3'000'000);
  CHECK(daemon.get("/v1/sandboxes/stats").body["sandboxes"].size() == 2);
  CHECK(daemon.post("/v1/sandboxes", {{"labels", {{"sbx.managed", "no"}}}}).status == 400);
}

TEST_CASE("replaces: a persistent volume per project, across sandboxes and isolated between projects") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto in = [](const char* project) { return json{{"project_id", project}}; };
  const std::string first = daemon.create(in("p"));
  CHECK(text_of(daemon.exec(first, "echo mine >file; cat file")) == "mine\n");
  CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + first).status == 200);
  CHECK(text_of(daemon.exec(daemon.create(in("p")), "cat file")) == "mine\n");
  CHECK(text_of(daemon.exec(daemon.create(in("q")), "ls -A; echo theirs >file")) == "");
  CHECK(text_of(daemon.run({{"project_id", "p"}, {"shell", "cat file"}})) == "mine\n");
}

TEST_CASE("replaces: a read-only system") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  for (const char* directory : {"/", "/usr", "/etc", "/bin", "/root", "/proc/sys/kernel"}) {
    const json tried = daemon.exec(id, "echo x >" + std::string(directory) + "/sbx-test");
    CHECK_MESSAGE(tried["exit_code"] != 0, tried.dump());
  }
  CHECK(daemon.exec(id, "echo x >>/etc/hostname")["exit_code"] != 0);
  CHECK(text_of(daemon.exec(id, "awk '$5 == \"/\" {print substr($6, 1, 2)}' /proc/self/mountinfo")) ==
        "ro\n");
}

}  // namespace sbx::test
