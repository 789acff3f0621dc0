// Projects over the API: what is done with them beside their runs.
#include <thread>

#include "integration/daemon_tcp.h"

namespace sbx::test {

namespace {

constexpr const char* kProjects = "/v1/projects";

std::string path_of(const std::string& project, const std::string& more = {}) {
  return std::string(kProjects) + "/" + project + more;
}

json with_project(const std::string& project, const std::string& script) {
  return {{"project_id", project}, {"shell", script}, {"limits", {{"disk_bytes", 16 << 20}}}};
}

HttpAnswer make(const Daemon& daemon, const std::string& id) {
  return daemon.post(kProjects, {{"project_id", id}, {"limits", {{"disk_bytes", 16 << 20}}}});
}

json names(const HttpAnswer& list) {
  json found = json::array();
  for (const json& one : list.body["projects"]) found.push_back(one["project_id"]);
  return found;
}

std::string begin_transaction(const Daemon& daemon, const std::string& project, const std::string& script) {
  json request = with_project(project, script);
  request["workspace_mode"] = "transaction";
  const json result = daemon.run(request);
  REQUIRE_MESSAGE(result["transaction"].is_string(), result.dump());
  return result["transaction"];
}

}  // namespace

TEST_CASE("a project is made, found, told with how much is in it, limited anew, renamed and deleted") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  CHECK(daemon.get(kProjects).body == json({{"projects", json::array()}, {"next_cursor", nullptr}}));
  const HttpAnswer made = make(daemon, "p");
  CHECK(made.status == 201);
  CHECK(made.body["name"] == "sbx-project-p");
  CHECK(made.body["limits"]["disk_bytes"] == 16 << 20);
  CHECK(made.body["layout"] == "split");
  CHECK(make(daemon, "p").status == 409);
  CHECK(text_of(daemon.run(with_project("p", "echo text >f; cat f"))) == "text\n");
  const json before = daemon.get(path_of("p")).body;
  CHECK(before["usage"]["inodes"] == 1);
  CHECK(before["usage"]["bytes"].get<int>() > 0);
  CHECK(before["in_use"] == false);
  CHECK(before["sandboxes"].empty());
  CHECK(before["created_at"].get<std::string>() <= before["last_used_at"].get<std::string>());

  const HttpAnswer limited = daemon.ask("PATCH", path_of("p"), {{"limits", {{"disk_bytes", 32 << 20}}}});
  CHECK_MESSAGE(limited.status == 200, limited.text);
  CHECK(limited.body["limits"]["disk_bytes"] == 32 << 20);
  const HttpAnswer too_much = daemon.ask("PATCH", path_of("p"), {{"limits", {{"inodes", 5}}}});
  CHECK(too_much.status == 422);
  CHECK_MESSAGE(too_much.body["detail"].get<std::string>().find("limits.inodes") != std::string::npos,
                too_much.text);

  CHECK(daemon.ask("PUT", path_of("p", "/configurations/ci"), json::object()).status == 201);
  const HttpAnswer renamed = daemon.post(path_of("p", "/rename"), {{"project_id", "q"}});
  CHECK(renamed.status == 200);
  CHECK(renamed.body["project_id"] == "q");
  CHECK(daemon.get(path_of("p")).status == 404);
  CHECK(daemon.get(path_of("q")).body["configurations"] == json{"ci"});
  CHECK(text_of(daemon.run({{"project_id", "q"}, {"shell", "cat f"}})) == "text\n");

  CHECK(make(daemon, "a").status == 201);
  CHECK(daemon.post(path_of("a", "/rename"), {{"project_id", "q"}}).status == 409);
  CHECK(names(daemon.get(kProjects)) == json{"a", "q"});
  const HttpAnswer page = daemon.get(std::string(kProjects) + "?limit=1");
  CHECK(names(page) == json{"a"});
  CHECK(page.body["next_cursor"] == "a");
  CHECK(names(daemon.get(std::string(kProjects) + "?limit=1&cursor=a")) == json{"q"});

  CHECK(daemon.ask("DELETE", path_of("q")).status == 204);
  CHECK(daemon.ask("DELETE", path_of("q")).status == 404);
  CHECK(make(daemon, "q").status == 201);
  CHECK(daemon.get(path_of("q")).body["configurations"].empty());
  const HttpAnswer all = daemon.ask("DELETE", kProjects);
  CHECK(all.body == json({{"deleted", {"a", "q"}}, {"refused", json::array()}}));
  CHECK(names(daemon.get(kProjects)).empty());
}

TEST_CASE("ten branches of one project at once see their own changes alone, and each is decided by itself") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  constexpr int kBranches = 10;
  REQUIRE(make(daemon, "p").status == 201);
  (void)daemon.run(with_project("p", "for i in 0 1 2 3 4 5 6 7 8 9; do echo old >f$i; done; echo old >both"));
  std::vector<std::string> runs;
  for (int i = 0; i < kBranches; ++i) {
    const std::string n = std::to_string(i);
    // All of them are there before the first one is done.
    json request =
        with_project("p", "echo new" + n + " >f" + n + "; echo " + n + " >both; sleep 2; cat f?; cat both");
    request["workspace_mode"] = "transaction";
    const HttpAnswer begun = daemon.post("/v1/runs", request);
    REQUIRE_MESSAGE(begun.status == 202, begun.text);
    runs.push_back(begun.body["run_id"]);
  }
  std::vector<std::string> branches;
  for (int i = 0; i < kBranches; ++i) {
    const std::string run = "/v1/runs/" + runs[static_cast<std::size_t>(i)];
    REQUIRE(comes_true([&] { return daemon.get(run).body["status"] == "completed"; }));
    std::string expected;
    for (int j = 0; j < kBranches; ++j) expected += i == j ? "new" + std::to_string(i) + "\n" : "old\n";
    const json result = daemon.get(run).body;
    CHECK(result["stdout"]["text"] == expected + std::to_string(i) + "\n");
    branches.push_back(result["transaction"]);
  }
  CHECK(daemon.get(path_of("p", "/transactions")).body["transactions"].size() == kBranches);
  // The first commit wins what all of them changed; the others are refused for that alone.
  CHECK(daemon.ask("POST", path_of("p", "/transactions/" + branches[3] + "/commit")).status == 204);
  for (int i = 0; i < kBranches; ++i) {
    if (i == 3) continue;
    const std::string branch = path_of("p", "/transactions/" + branches[static_cast<std::size_t>(i)]);
    CHECK(daemon.ask("POST", branch + "/commit").body["conflicts"] == json{"agent_workspace/both"});
    CHECK(daemon.ask("DELETE", branch).status == 204);
  }
  CHECK(text_of(daemon.run(with_project("p", "cat f? both"))) ==
        "old\nold\nold\nnew3\nold\nold\nold\nold\nold\nold\n3\n");
  CHECK(daemon.ask("DELETE", path_of("p")).status == 204);
}

TEST_CASE("what is no good about a project is refused by name, and nothing is made of it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  for (const json& wrong :
       {json::object(), json{{"project_id", ""}}, json{{"project_id", ".x"}}, json{{"project_id", "a/b"}},
        json{{"project_id", ".."}}, json{{"project_id", std::string(300, 'x')}}, json{{"project_id", 1}},
        json{{"project_id", "p"}, {"disk", 1}}, json{{"project_id", "p"}, {"limits", {{"pids", 1}}}},
        json{{"project_id", "p"}, {"limits", {{"disk_bytes", 0}}}},
        json{{"project_id", "p"}, {"policy", "/etc/passwd"}}}) {
    CAPTURE(wrong.dump());
    CHECK(daemon.post(kProjects, wrong).status == 400);
  }
  CHECK(daemon.post(kProjects, {{"project_id", "p"}, {"policy", "none"}}).status == 422);
  const HttpAnswer huge =
      daemon.post(kProjects, {{"project_id", "p"}, {"limits", {{"disk_bytes", 1ULL << 59U}}}});
  CHECK_MESSAGE(huge.status == 507, huge.text);
  CHECK(names(daemon.get(kProjects)).empty());
  for (const char* id : {".x", "none"}) CHECK(daemon.get(path_of(id)).status == 404);
  for (const char* id : {"%2e%2e", "a%2fb", "%00"}) CHECK(daemon.get(path_of(id)).status == 400);
  CHECK(make(daemon, "p").status == 201);
  CHECK(daemon.ask("PATCH", path_of("p"), json::object()).status == 400);
  CHECK(daemon.ask("PATCH", path_of("p"), {{"layout", "flat"}}).status == 400);
  for (const json& wrong :
       {json::object(), json{{"project_id", "../x"}}, json{{"project_id", "q"}, {"x", 1}}})
    CHECK(daemon.post(path_of("p", "/rename"), wrong).status == 400);
  CHECK(daemon.get(std::string(kProjects) + "?limit=0").status == 400);
  CHECK(daemon.get(std::string(kProjects) + "?cursor=../x").status == 400);
  CHECK(daemon.get(std::string(kProjects) + "?x=1").status == 400);
  CHECK(daemon.ask("DELETE", path_of("p", "?force=maybe")).status == 400);
  CHECK(daemon.get(path_of("p", "/transactions/none/diff")).status == 404);
  CHECK(daemon.get(path_of("p", "/transactions/none/diff?format=pdf")).status == 400);
  CHECK(daemon.post(path_of("none", "/snapshots"), {{"name", "s"}}).status == 404);
}

TEST_CASE("a project with a sandbox or a run in it is neither renamed nor deleted, unless that is forced") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"project_id", "p"}, {"limits", {{"disk_bytes", 16 << 20}}}});
  const json shown = daemon.get(path_of("p")).body;
  CHECK(shown["in_use"] == true);
  CHECK(shown["sandboxes"] == json{id});
  CHECK(daemon.ask("DELETE", path_of("p")).status == 409);
  CHECK(daemon.post(path_of("p", "/rename"), {{"project_id", "q"}}).status == 409);
  CHECK(daemon.ask("PATCH", path_of("p"), {{"limits", {{"disk_bytes", 32 << 20}}}}).status == 409);
  const HttpAnswer kept = daemon.ask("DELETE", kProjects);
  CHECK(kept.body["deleted"].empty());
  CHECK(kept.body["refused"][0]["project_id"] == "p");
  CHECK(text_of(daemon.exec(id, "echo text >f; cat f")) == "text\n");

  const HttpAnswer moved = daemon.post(path_of("p", "/rename?force"), {{"project_id", "q"}});
  CHECK_MESSAGE(moved.status == 200, moved.text);
  CHECK(daemon.get("/v1/sandboxes/" + id).body["state"] == "destroyed");
  const json run = daemon.post("/v1/runs", with_project("q", "cat f; sleep 100")).body;
  REQUIRE(comes_true([&] { return daemon.get(path_of("q")).body["in_use"] == true; }));
  CHECK(daemon.ask("DELETE", path_of("q")).status == 409);
  const HttpAnswer gone = daemon.ask("DELETE", path_of("q", "?force"));
  CHECK_MESSAGE(gone.status == 204, gone.text);
  const std::string outcome = daemon.get("/v1/runs/" + run["run_id"].get<std::string>()).body["outcome"];
  CHECK(outcome == "cancelled");
  CHECK(names(daemon.get(kProjects)).empty());
  // A run that sbxd does not have in its hands stays in its project.
  (void)make(daemon, "p");
  std::thread direct([&] { (void)place.sbxrun({"--direct", "--project=p", "--", "sleep", "2"}); });
  REQUIRE(comes_true([&] { return daemon.get(path_of("p")).body["in_use"] == true; }));
  CHECK(daemon.ask("DELETE", path_of("p")).status == 409);
  direct.join();
}

TEST_CASE("who looks at a project for a moment keeps nobody from renaming, limiting or deleting it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  REQUIRE(make(daemon, "p").status == 201);
  const auto beside = [&](const std::string& project, const std::function<HttpAnswer()>& ask) {
    const std::string held = place.directory() + "/held";
    std::filesystem::remove(held);
    std::thread holder([&] {
      const std::string lock = place.state_dir() + "/projects/" + project + "/in_use";
      CHECK(run_program({"flock", "-s", lock, "sh", "-c", "touch " + held + "; sleep 0.3"}).exit_status == 0);
    });
    CHECK(comes_true([&] { return access(held.c_str(), F_OK) == 0; }));
    const HttpAnswer answer = ask();
    holder.join();
    return answer.status;
  };
  CHECK(beside("p", [&] {
          return daemon.ask("PATCH", path_of("p"), {{"limits", {{"disk_bytes", 32U << 20U}}}});
        }) == 200);
  CHECK(beside("p", [&] { return daemon.post(path_of("p", "/rename"), {{"project_id", "q"}}); }) == 200);
  CHECK(beside("q", [&] { return daemon.ask("DELETE", path_of("q")); }) == 204);
}

TEST_CASE("neither sandboxes that end nor a sweep take a project with them") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create({{"project_id", "p"}, {"limits", {{"disk_bytes", 16 << 20}}}});
  CHECK(text_of(daemon.exec(id, "echo text >f; cat f")) == "text\n");
  CHECK(daemon.ask("DELETE", "/v1/sandboxes?label=sbx.managed=true").body["destroyed"].size() == 1);
  CHECK(daemon.post("/v1/cleanup", json::object()).status == 200);
  CHECK(text_of(daemon.run(with_project("p", "cat f"))) == "text\n");
}

TEST_CASE("transactions and snapshots are looked at and decided over the API") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  CHECK(text_of(daemon.run(with_project("p", "echo 1 >f; cat f"))) == "1\n");
  CHECK(daemon.post(path_of("p", "/snapshots"), {{"name", "one"}}).body["name"] == "one");
  CHECK(daemon.post(path_of("p", "/snapshots"), {{"name", "one"}}).status == 409);

  const std::string id = begin_transaction(daemon, "p", "echo 2 >f; echo new >n");
  const std::string other = begin_transaction(daemon, "p", "echo 3 >f");
  const json list = daemon.get(path_of("p", "/transactions")).body["transactions"];
  REQUIRE(list.size() == 2);
  CHECK(list[0]["id"] == id);
  const json changes = daemon.get(path_of("p", "/transactions/" + id + "/diff")).body;
  CHECK(changes["added"] == 1);
  CHECK(changes["changed"] == 1);
  const HttpAnswer patch = daemon.get(path_of("p", "/transactions/" + id + "/diff?format=patch"));
  CHECK(patch.status == 200);
  CHECK_MESSAGE(patch.text.find("-1\n+2\n") != std::string::npos, patch.text);

  const std::string living = daemon.create({{"project_id", "p"}});
  CHECK(daemon.post(path_of("p", "/transactions/" + id + "/commit"), nullptr).status == 409);
  CHECK(daemon.post(path_of("p", "/snapshots/one/restore"), nullptr).status == 409);
  CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + living).status == 200);
  REQUIRE(comes_true([&] { return daemon.get(path_of("p")).body["in_use"] == false; }));
  CHECK(daemon.post(path_of("p", "/transactions/" + id + "/commit"), nullptr).status == 204);
  CHECK(text_of(daemon.run(with_project("p", "cat f n"))) == "2\nnew\n");
  const HttpAnswer conflict = daemon.post(path_of("p", "/transactions/" + other + "/commit"), nullptr);
  CHECK(conflict.status == 409);
  CHECK(conflict.body["conflicts"] == json{"agent_workspace/f"});
  CHECK(daemon.ask("DELETE", path_of("p", "/transactions/" + other)).status == 204);
  CHECK(daemon.ask("DELETE", path_of("p", "/transactions/" + other)).status == 404);

  const json snapshots = daemon.get(path_of("p", "/snapshots")).body["snapshots"];
  REQUIRE(snapshots.size() == 1);
  CHECK(snapshots[0]["name"] == "one");
  CHECK(daemon.post(path_of("p", "/snapshots/one/restore"), nullptr).status == 204);
  CHECK(text_of(daemon.run(with_project("p", "cat f; ls"))) == "1\nf\n");
  CHECK(daemon.ask("DELETE", path_of("p", "/snapshots/one")).status == 204);
  CHECK(daemon.post(path_of("p", "/snapshots/one/restore"), nullptr).status == 404);
}

TEST_CASE("a token has to do with its projects alone, and none but an administrator's deletes all") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  const std::string own = host.token({"own", "--scope", "run", "--project", "a"});
  const std::string reader = host.token({"reader", "--scope", "read", "--project", "a"});
  const Daemon daemon(place, {"--config", host.config()});
  for (const char* id : {"a", "b"}) REQUIRE(make(daemon, id).status == 201);
  const std::string url = host.plain() + kProjects;
  const json list = ask(url, own).body["projects"];
  REQUIRE(list.size() == 1);
  CHECK(list[0]["project_id"] == "a");
  CHECK(ask(url + "/a", reader).status == 200);
  CHECK(ask(url + "/b", own).status == 403);
  CHECK(ask(url + "/a/snapshots", reader, {{"name", "s"}}).status == 403);
  CHECK(ask(url + "/a/snapshots", own, {{"name", "s"}}).status == 201);
  CHECK(ask(url + "/b/snapshots", own, {{"name", "s"}}).status == 403);
  CHECK(ask(url + "/a/rename", own, {{"project_id", "c"}}).status == 403);
  CHECK(ask(url, own, {{"project_id", "c"}}).status == 403);
  CHECK(ask(url, own, nullptr, {"-X", "DELETE"}).status == 403);
  CHECK(ask(url + "/b", own, nullptr, {"-X", "DELETE"}).status == 403);
  CHECK(ask(url + "/a", own, nullptr, {"-X", "DELETE"}).status == 204);
  CHECK(names(daemon.get(kProjects)) == json{"b"});
}

}  // namespace sbx::test
