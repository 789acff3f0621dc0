// Transactions of sandboxes of many commands.
#include "integration/daemon.h"

namespace sbx::test {

namespace {

constexpr const char* kTransactions = "/v1/projects/p/transactions/";

// The project `p`, whose file `f` has one line.
class Place {
 public:
  Place() { CHECK(persistent("echo 1 >f") == ""); }

  // A sandbox with a transaction.
  json create(json request = {{"workspace_mode", "transaction"}}) const {
    request["project_id"] = "p";
    const HttpAnswer made = daemon.post("/v1/sandboxes", request);
    REQUIRE_MESSAGE(made.status == 201, made.text);
    REQUIRE(made.body["transaction"].is_string());
    return made.body;
  }
  std::string persistent(const std::string& script) const {
    return daemon.run(
        {{"project_id", "p"}, {"shell", script}, {"limits", {{"disk_bytes", 16U << 20U}}}})["stdout"]["text"];
  }
  std::string exec(const json& sandbox, const std::string& script) const {
    return daemon.exec(sandbox["id"], script)["stdout"]["text"];
  }
  json diff(const json& sandbox) const {
    const HttpAnswer answer = daemon.get(kTransactions + id(sandbox) + "/diff");
    REQUIRE_MESSAGE(answer.status == 200, answer.text);
    return answer.body;
  }
  int commit(const json& sandbox) const {
    return daemon.post(kTransactions + id(sandbox) + "/commit", nullptr).status;
  }
  void destroy(const json& sandbox) const {
    const std::string path = "/v1/sandboxes/" + sandbox["id"].get<std::string>();
    CHECK(daemon.ask("DELETE", path).status == 200);
    CHECK(comes_true([&] { return daemon.get(path).body["state"] == "destroyed"; }));
  }
  static std::string id(const json& sandbox) { return sandbox["transaction"]; }

  const Sandbox place;
  const Daemon daemon{place};
};

}  // namespace

TEST_CASE(
    "what a sandbox's commands change waits in its transaction, which is looked at meanwhile and decided "
    "behind") {
  SKIP_UNLESS(is_root(), "needs root");
  const Place place;
  const json first = place.create();
  const HttpAnswer result = place.daemon.post(
      "/v1/sandboxes/" + first["id"].get<std::string>() + "/exec?wait", {{"shell", "echo 2 >>f; cat f"}});
  CHECK(result.body["stdout"]["text"] == "1\n2\n");
  CHECK(result.body["transaction"] == first["transaction"]);
  CHECK(place.exec(first, "echo new >n; cat f n") == "1\n2\nnew\n");
  CHECK(place.persistent("cat f; ls") == "1\nf\n");

  CHECK(place.diff(first)["changed"] == 1);
  CHECK(place.diff(first)["added"] == 1);
  const HttpAnswer patch = place.daemon.get(kTransactions + Place::id(first) + "/diff?format=patch");
  CHECK_MESSAGE(patch.text.find(" 1\n+2\n") != std::string::npos, patch.text);
  CHECK(place.commit(first) == 409);
  CHECK(place.daemon.ask("DELETE", kTransactions + Place::id(first)).status == 409);
  const HttpAnswer second =
      place.daemon.post("/v1/sandboxes", {{"project_id", "p"}, {"transaction", Place::id(first)}});
  CHECK(second.status == 422);
  CHECK_MESSAGE(second.text.find("a run uses it now") != std::string::npos, second.text);

  place.destroy(first);
  const json again = place.create({{"transaction", Place::id(first)}});
  CHECK(again["transaction"] == first["transaction"]);
  CHECK(place.exec(again, "cat f; echo 3 >>f") == "1\n2\n");
  place.destroy(again);
  CHECK(place.commit(again) == 204);
  CHECK(place.persistent("cat f n") == "1\n2\n3\nnew\n");
  CHECK(place.daemon.get("/v1/projects/p/transactions").body["transactions"].empty());
}

TEST_CASE("a reset drops what the sandbox's transaction holds, and no more") {
  SKIP_UNLESS(is_root(), "needs root");
  const Place place;
  const json sandbox = place.create();
  CHECK(place.exec(sandbox, "echo 2 >f; echo new >n; echo o >../outputs/o; rm -f gone; ls") == "f\nn\n");
  const std::string path = "/v1/sandboxes/" + sandbox["id"].get<std::string>();
  const HttpAnswer reset = place.daemon.post(path + "/reset", nullptr);
  CHECK_MESSAGE(reset.status == 200, reset.text);
  CHECK(reset.body["transaction"] == sandbox["transaction"]);
  const json nothing = place.diff(sandbox);
  CHECK(nothing["added"].get<int>() + nothing["changed"].get<int>() + nothing["deleted"].get<int>() == 0);
  CHECK(place.exec(sandbox, "cat f; ls . ../outputs; echo 3 >f") == "1\n.:\nf\n\n../outputs:\n");
  place.destroy(sandbox);
  CHECK(place.commit(sandbox) == 204);
  CHECK(place.persistent("cat f") == "3\n");
}

TEST_CASE("a transaction is looked at while its programs change what is in it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Place place;
  const json sandbox = place.create();
  const HttpAnswer busy = place.daemon.post(
      "/v1/sandboxes/" + sandbox["id"].get<std::string>() + "/exec",
      {{"shell", "while :; do mkdir -p a/b; echo x >a/b/c; ln -s / a/l; mv a z; rm -rf z; done"}});
  REQUIRE(busy.status == 202);
  for (int i = 0; i < 20; ++i) {
    for (const char* as : {"/diff", "/diff?format=patch"}) {
      const HttpAnswer answer = place.daemon.get(kTransactions + Place::id(sandbox) + as);
      if (answer.status == 200) continue;
      CHECK_MESSAGE(answer.status == 409, answer.text);
      CHECK_MESSAGE(answer.text.find("pause its sandbox") != std::string::npos, answer.text);
    }
  }
  const std::string path = "/v1/sandboxes/" + sandbox["id"].get<std::string>();
  CHECK(place.daemon.post(path + "/pause", nullptr).status == 200);
  CHECK(place.daemon.get(kTransactions + Place::id(sandbox) + "/diff").status == 200);
  place.destroy(sandbox);
}

TEST_CASE("a sandbox that is killed leaves its transaction whole") {
  SKIP_UNLESS(is_root(), "needs root");
  const Place place;
  const json sandbox = place.create();
  CHECK(place.exec(sandbox, "echo 2 >f") == "");
  const auto keepers = place.daemon.processes("sbx-keeper");
  REQUIRE(keepers.size() == 1);
  REQUIRE(kill(keepers[0], SIGKILL) == 0);
  // Once the last of it is gone.
  CHECK(comes_true([&] { return place.commit(sandbox) == 204; }));
  CHECK(place.persistent("cat f") == "2\n");
}

TEST_CASE("a configuration may ask for a transaction, and belongs to none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Place place;
  const std::string path = "/v1/projects/p/configurations/apart";
  CHECK(place.daemon.ask("PUT", path, {{"workspace_mode", "transaction"}}).status == 201);
  const json sandbox = place.create({{"configuration", "apart"}});
  CHECK(place.exec(sandbox, "echo 2 >f; cat f") == "2\n");
  place.destroy(sandbox);
  CHECK(place.persistent("cat f") == "1\n");
  CHECK(place.commit(sandbox) == 204);
  const HttpAnswer bound = place.daemon.ask("PUT", path, {{"transaction", Place::id(sandbox)}});
  CHECK(bound.status == 400);
  CHECK(bound.body["detail"] == "'transaction': belongs to the request of a sandbox");
}

TEST_CASE("what is no good about a sandbox's transaction is refused by name") {
  SKIP_UNLESS(is_root(), "needs root");
  const Place place;
  const auto refused = [&](int status, const json& request) {
    const HttpAnswer answer = place.daemon.post("/v1/sandboxes", request);
    CHECK_MESSAGE(answer.status == status, answer.text);
    return answer.body["detail"].get<std::string>();
  };
  CHECK(refused(400, {{"workspace_mode", "transaction"}}) == "workspace_mode: a transaction needs a project");
  CHECK(refused(400, {{"project_id", "p"}, {"workspace_mode", "ephemeral"}, {"transaction", "x"}}) ==
        "'transaction': not with another 'workspace_mode'");
  CHECK(refused(400, {{"project_id", "p"}, {"show_changes", true}}).starts_with("'show_changes'"));
  CHECK(refused(422, {{"project_id", "p"}, {"transaction", "x"}}).find("there is no transaction 'x'") !=
        std::string::npos);
  CHECK(place.daemon.get("/v1/projects/p/transactions").body["transactions"].empty());
}

}  // namespace sbx::test
