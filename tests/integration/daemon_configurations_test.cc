// What projects store under names, and sandboxes that are made with it.
#include "integration/daemon_tcp.h"

namespace sbx::test {

namespace {

std::string path_of(const std::string& project, const std::string& name) {
  return "/v1/projects/" + project + "/configurations/" + name;
}

json names(const json& list) {
  json found = json::array();
  for (const json& one : list["configurations"]) found.push_back(one["name"]);
  return found;
}

}  // namespace

TEST_CASE("a configuration that a project stored makes sandboxes, also after a restart") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const json given{{"environment_type", "host"},
                   {"env_vars", {{"A", "its"}, {"B", "its"}}},
                   {"labels", {{"team", "a"}, {"tier", "x"}}},
                   {"limits", {{"pids", 30}, {"memory_bytes", 100'000'000}}},
                   {"workspace_mode", "ephemeral"}};
  const json task{{"project_id", "p"}, {"task_id", "t"}, {"configuration", "ci"}};
  {
    const Daemon daemon(place);
    CHECK(daemon.get(path_of("p", "ci")).status == 404);
    CHECK(daemon.ask("PUT", path_of("p", "ci"), {{"policy", "strict"}}).status == 201);
    const HttpAnswer stored = daemon.ask("PUT", path_of("p", "ci"), given);
    CHECK(stored.status == 200);
    CHECK(stored.body["configuration"] == given);
    CHECK(daemon.ask("PUT", path_of("p", "b"), json::object()).status == 201);
    CHECK(daemon.ask("PUT", path_of("q", "c"), json::object()).status == 201);
  }
  const Daemon daemon(place);
  const HttpAnswer kept = daemon.get(path_of("p", "ci"));
  CHECK(kept.body["configuration"] == given);
  CHECK(kept.body["project_id"] == "p");
  CHECK(kept.body["created_at"].get<std::string>() <= kept.body["updated_at"].get<std::string>());
  CHECK(names(daemon.get("/v1/projects/p/configurations").body) == json{"b", "ci"});

  const std::string id = daemon.create(task);
  const json described = daemon.get("/v1/sandboxes/" + id).body;
  CHECK(described["configuration"] == "ci");
  CHECK(described["labels"] == json{{"sbx.managed", "true"}, {"team", "a"}, {"tier", "x"}});
  const json result = daemon.exec(id, "echo $A $B");
  CHECK(result["stdout"]["text"] == "its its\n");
  CHECK(result["limits"]["pids"] == 30);
  // Asked for again it is the same one, until the configuration is another.
  CHECK(daemon.post("/v1/sandboxes", task).body["id"] == id);
  json changed = given;
  changed["limits"]["pids"] = 40;
  CHECK(daemon.ask("PUT", path_of("p", "ci"), changed).status == 200);
  CHECK(daemon.post("/v1/sandboxes", task).status == 409);

  // What the request has wins, name by name.
  const std::string other = daemon.create({{"project_id", "p"},
                                           {"configuration", "ci"},
                                           {"image", "host"},
                                           {"env", {{"B", "mine"}, {"C", "mine"}}},
                                           {"labels", {{"tier", "y"}}},
                                           {"limits", {{"pids", 50}}}});
  const json merged = daemon.exec(other, "echo $A $B $C");
  CHECK(merged["stdout"]["text"] == "its mine mine\n");
  CHECK(merged["limits"]["pids"] == 50);
  CHECK(merged["limits"]["memory_bytes"] == 100'000'000);
  CHECK(daemon.get("/v1/sandboxes/" + other).body["labels"] ==
        json{{"sbx.managed", "true"}, {"team", "a"}, {"tier", "y"}});

  // A request that is repeated finds what was made, also without the configuration.
  const std::vector<std::string> key{"-H", "Idempotency-Key: k"};
  const json again{{"project_id", "p"}, {"configuration", "ci"}};
  const HttpAnswer made = daemon.ask("POST", "/v1/sandboxes", again, key);
  CHECK(made.status == 201);
  CHECK(daemon.ask("DELETE", path_of("p", "ci")).status == 204);
  CHECK(daemon.get(path_of("p", "ci")).status == 404);
  CHECK(daemon.ask("DELETE", path_of("p", "ci")).status == 404);
  CHECK(daemon.ask("POST", "/v1/sandboxes", again, key).body["id"] == made.body["id"]);
  CHECK(names(daemon.get("/v1/projects/p/configurations").body) == json{"b"});
}

TEST_CASE("a configuration that is no good is refused when it is stored, as a sandbox would be") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  for (const json& wrong :
       {json{{"imgae", "host"}}, json{{"packages", {"numpy"}}}, json{{"language", "Python"}},
        json{{"language", "python"}, {"image", "host"}}, json{{"env", {{"A=B", ""}}}},
        json{{"limits", {{"pids", 0}}}}, json{{"labels", {{"sbx.x", "y"}}}}, json{{"env", {{"A", 1}}}},
        json{{"policy", "/etc/passwd"}}, json{{"env", json::object()}, {"env_vars", json::object()}},
        json{{"workspace_mode", "none"}}}) {
    CAPTURE(wrong.dump());
    const HttpAnswer refused = daemon.ask("PUT", path_of("p", "n"), wrong);
    CHECK(refused.status == 400);
    CHECK(refused.body["detail"] == daemon.post("/v1/sandboxes", wrong).body["detail"]);
  }
  for (const char* key : {"project_id", "task_id", "session_id", "configuration"})
    CHECK(daemon.ask("PUT", path_of("p", "n"), {{key, "x"}}).status == 400);
  CHECK(daemon.ask("PUT", path_of("p", "n"), "[]").status == 400);
  CHECK(daemon.ask("PUT", path_of(".p", "n"), json::object()).status == 400);
  CHECK(daemon.ask("PUT", path_of("p", ".n"), json::object()).status == 400);
  CHECK(daemon.ask("PUT", path_of("p", "n"), {{"env", {{"A", std::string(70'000, 'x')}}}}).status == 413);
  CHECK(daemon.get("/v1/projects/p/configurations").body["configurations"].empty());

  CHECK(daemon.post("/v1/sandboxes", {{"configuration", "n"}}).status == 400);
  const HttpAnswer none = daemon.post("/v1/sandboxes", {{"project_id", "p"}, {"configuration", "n"}});
  CHECK(none.status == 422);
  CHECK(none.body["detail"] == "the project 'p' has no configuration 'n'");
  // Each is good, and together they are not.
  json many = json::object();
  for (int i = 0; i < 40; ++i) many["a" + std::to_string(i)] = "x";
  CHECK(daemon.ask("PUT", path_of("p", "n"), {{"labels", many}}).status == 201);
  json more = json::object();
  for (int i = 0; i < 40; ++i) more["b" + std::to_string(i)] = "x";
  const HttpAnswer both =
      daemon.post("/v1/sandboxes", {{"project_id", "p"}, {"configuration", "n"}, {"labels", more}});
  CHECK(both.status == 422);
  CHECK(both.body["detail"].get<std::string>().find("'labels'") != std::string::npos);
}

TEST_CASE("configurations are for those who see what is in their project, with the scope for it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  host.configure("socket_group: nogroup\n");
  const std::string look = host.token({"look", "--scope", "read", "--project", "p"});
  const std::string ci = host.token({"ci", "--project", "p"});
  const std::string other = host.token({"other", "--project", "q"});
  const Daemon daemon(place, {"--config", host.config()}, "/tmp/sbxd-test." + std::to_string(getpid()));
  const std::string url = host.plain() + path_of("p", "n");
  const std::string list = host.plain() + "/v1/projects/p/configurations";
  const std::vector<std::string> put{"-X", "PUT"};
  const std::vector<std::string> remove{"-X", "DELETE"};
  const json given{{"workspace_mode", "ephemeral"}, {"env", {{"A", "b"}}}};

  CHECK(ask(url, "", given, put).status == 401);
  CHECK(ask(url, look, given, put).status == 403);
  CHECK(ask(url, other, given, put).status == 403);
  // A policy that it has not been given is none to store, either.
  CHECK(ask(url, ci, {{"policy", "permissive"}}, put).status == 403);
  CHECK(ask(url, ci, given, put).status == 201);
  CHECK(ask(url, look).body["configuration"] == given);
  CHECK(names(ask(list, look).body) == json{"n"});
  CHECK(ask(url, other).status == 404);
  CHECK(names(ask(list, other).body) == json::array());
  CHECK(ask(url, other, nullptr, remove).status == 404);
  CHECK(ask(url, look, nullptr, remove).status == 403);
  const auto made = [&](const std::string& token, const char* project) {
    return ask(host.plain() + "/v1/sandboxes", token, {{"project_id", project}, {"configuration", "n"}});
  };
  CHECK(made(ci, "p").status == 201);
  CHECK(made(ci, "q").status == 422);
  CHECK(made(other, "p").status == 422);
  // What root stores is in the project, and a token makes with it only what it may make.
  CHECK(daemon.ask("PUT", path_of("p", "wide"), {{"policy", "permissive"}}).status == 201);
  const json wide{{"project_id", "p"}, {"configuration", "wide"}};
  CHECK(ask(host.plain() + "/v1/sandboxes", ci, wide).status == 403);
  json narrow = wide;
  narrow["policy"] = "default";
  CHECK(ask(host.plain() + "/v1/sandboxes", ci, narrow).status == 201);

  // Another user of the host has its own, and takes nobody's name.
  const auto as_nobody = [&](const std::string& path, std::vector<std::string> arguments) {
    std::vector<std::string> all{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",   "curl",
                                 "-s",      "--unix-socket", daemon.socket(), "http://sbx" + path};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return json::parse(run_program(all).out, nullptr, false);
  };
  CHECK(as_nobody(path_of("p", "n"), {})["status"] == 404);
  const json taken = as_nobody(path_of("p", "n"), {"-X", "PUT", "-d", "{}"});
  CHECK(taken["status"] == 409);
  CHECK(as_nobody(path_of("p", "own"), {"-X", "PUT", "-d", "{}"})["name"] == "own");
  CHECK(names(as_nobody("/v1/projects/p/configurations", {})) == json{"own"});
  CHECK(names(daemon.get("/v1/projects/p/configurations").body) == json{"n", "own", "wide"});
}

}  // namespace sbx::test
