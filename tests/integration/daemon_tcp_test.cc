// sbxd over TCP: who comes in with which token, TLS, and what a SIGHUP changes.
#include "integration/daemon_tcp.h"

#include <sys/stat.h>

namespace sbx::test {
namespace {

const json kTrue = {{"shell", "true"}};

json in_project(const char* project, json request = kTrue) {
  request["project_id"] = project;
  request["workspace_mode"] = "ephemeral";
  return request;
}

}  // namespace

TEST_CASE("over TCP each token sees and makes what it is for, and nothing is had without one") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  const std::string look = host.token({"look", "--scope", "read", "--project", "p"});
  const std::string ci = host.token({"ci", "--project", "p", "--expires", "1d"});
  const std::string other = host.token({"other", "--project", "q"});
  const std::string boss = host.token({"boss", "--scope", "admin", "--all-projects", "--policy", "strict"});
  const Daemon daemon(place, {"--config", host.config()});
  const std::string runs = host.plain() + "/v1/runs";

  const Answer nobody = ask(runs, "");
  CHECK(nobody.status == 401);
  CHECK(nobody.headers.find("WWW-Authenticate: Bearer") != std::string::npos);
  CHECK(nobody.body["detail"].get<std::string>().find("token") != std::string::npos);
  CHECK(ask(host.plain() + "/v1/health/live", "").status == 401);
  CHECK(ask(runs, "sbx_wrong").status == 401);
  CHECK(ask(runs, ci + "x").status == 401);

  CHECK(ask(runs, look).status == 200);
  const Answer lacks = ask(runs, look, in_project("p"));
  CHECK(lacks.status == 403);
  CHECK(lacks.body["detail"].get<std::string>().find("'run'") != std::string::npos);
  CHECK(ask(host.plain() + "/v1/connect", look).status == 403);
  CHECK(ask(runs + "/any/terminal", look).status == 403);
  CHECK(ask(runs + "/any/terminal", ci).status == 404);

  const Answer made = ask(runs + "?wait", ci, in_project("p", {{"shell", "id -u"}}));
  REQUIRE(made.status == 200);
  CHECK(made.body["outcome"] == "exited");
  CHECK(made.body["stdout"]["text"] == "1000\n");
  CHECK(made.body["caller"] == json{{"token", "ci"}});
  CHECK(place.log_lines().back()["caller"] == json{{"token", "ci"}});
  CHECK(ask(runs, ci, kTrue).status == 403);
  CHECK(ask(runs, ci, in_project("q")).status == 403);
  json permissive = in_project("p");
  permissive["policy"] = "permissive";
  CHECK(ask(runs, ci, permissive).status == 403);
  CHECK(ask(runs + "?wait", boss, permissive).status == 403);
  permissive["policy"] = "strict";
  CHECK(ask(runs + "?wait", boss, permissive).body["policy"]["name"] == "strict");

  // Of root's what is in the project.
  const std::string its = daemon.run(in_project("p"))["run_id"];
  const std::string none = daemon.run(kTrue)["run_id"];
  const std::string id = made.body["run_id"];
  for (const std::string& token : {look, ci}) {
    CHECK(ask(runs + "/" + id, token).status == 200);
    CHECK(ask(runs + "/" + its, token).status == 200);
    CHECK(ask(runs + "/" + none, token).status == 404);
    CHECK(ask(runs, token).body["runs"].size() == 3);
  }
  CHECK(ask(runs + "/" + id, other).status == 404);
  CHECK(ask(runs, other).body["runs"].empty());
  CHECK(ask(runs, boss).body["runs"].size() == 4);
  CHECK(daemon.get("/v1/runs/" + id).status == 200);

  // A sandbox of the project, and its commands.
  const json request = in_project("p", {{"task_id", "t"}});
  const Answer living = ask(host.plain() + "/v1/sandboxes", ci, request);
  INFO(living.body.dump());
  REQUIRE(living.status == 201);
  const std::string url = host.plain() + "/v1/sandboxes/task:t";
  const json own = ask(url + "/exec?wait", ci, kTrue).body;
  CHECK(own["caller"] == json{{"token", "ci"}});
  CHECK(own["exit_code"] == 0);
  CHECK(ask(url, look).status == 200);
  CHECK(ask(url + "/exec", look, kTrue).status == 403);
  CHECK(ask(url, other).status == 404);
  CHECK(ask(url, other, nullptr, {"-X", "DELETE"}).status == 404);
  const json refused = ask(url + "/exec?wait", boss, kTrue).body;
  CHECK(refused["message"].get<std::string>().find("not for the policy 'default'") != std::string::npos);
  CHECK(daemon.post("/v1/sandboxes/task:t/exec?wait", kTrue).body["caller"] == json{{"uid", 0}});
  CHECK(ask(url, ci, nullptr, {"-X", "DELETE"}).status == 200);

  for (const std::string& token : {look, ci, other, boss, std::string("sbx_wrong")}) {
    CHECK(daemon.said().find(token) == std::string::npos);
    CHECK(read_file(place.log()).find(token) == std::string::npos);
    CHECK(read_file(host.tokens()).find(token) == std::string::npos);
  }
}

TEST_CASE("a web page in somebody's browser gets nothing of the API") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  host.configure("origins: [\"https://good.example\"]\n");
  const std::string ci = host.token({"ci", "--project", "p"});
  const Daemon daemon(place, {"--config", host.config()});
  const std::string runs = host.plain() + "/v1/runs";
  CHECK(ask(runs, ci, nullptr, {"-H", "Origin: https://evil.example"}).status == 403);
  CHECK(ask(runs, ci, nullptr, {"-H", "Origin: https://good.example"}).status == 200);
  const std::string id = ask(runs + "?wait", ci, in_project("p")).body["run_id"];
  const std::vector<std::string> upgrade{"--http1.1",
                                         "-H",
                                         "Connection: Upgrade",
                                         "-H",
                                         "Upgrade: websocket",
                                         "-H",
                                         "Sec-WebSocket-Version: 13",
                                         "-H",
                                         "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                                         "-H"};
  std::vector<std::string> evil = upgrade;
  evil.emplace_back("Origin: https://evil.example");
  CHECK(ask(runs + "/" + id + "/events", ci, nullptr, evil).status == 403);
  CHECK(daemon.ask("GET", "/v1/runs", nullptr, {"-H", "Origin: null"}).status == 403);
}

TEST_CASE("TLS, and another certificate, tokens and limits after a SIGHUP") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  const std::string ci = host.token({"ci", "--project", "p"});
  const std::string gone = host.token({"gone", "--project", "p"});
  const Daemon daemon(place, {"--config", host.config()});
  const std::string runs = host.encrypted() + "/v1/runs";
  const auto over_tls = [&](const std::string& token, const std::string& ca) {
    return ask(runs, token, nullptr, {"--cacert", ca}).status;
  };
  const std::string before = place.directory() + "/before.pem";
  write_file(before, read_file(host.certificate()));
  CHECK(over_tls(ci, before) == 200);
  CHECK(over_tls("", before) == 401);
  CHECK(ask("http" + runs.substr(5), ci).status == 0);  // no TLS there
  const Answer run = ask(runs + "?wait", ci, in_project("p", {{"shell", "sleep 1000"}, {"timeout_ms", 100}}),
                         {"--cacert", before});
  CHECK(run.body["outcome"] == "timed_out");

  const std::string late = host.token({"late", "--project", "p"});
  CHECK(host.sbxctl({"revoke", "gone"}).exit_status == 0);
  CHECK(over_tls(gone, before) == 200);
  CHECK(over_tls(late, before) == 401);
  host.make_certificate();
  host.configure("max_sandboxes: 7\nauto_build: true\n");
  hang_up(daemon, "were read again");
  CHECK(over_tls(ci, host.certificate()) == 200);
  CHECK(over_tls(ci, before) == 0);
  CHECK(over_tls(late, host.certificate()) == 200);
  CHECK(over_tls(gone, host.certificate()) == 401);
  CHECK(daemon.get("/v1/health/ready").body["max_sandboxes"] == 7);
  CHECK(daemon.said().find("'auto_build' changes only when") != std::string::npos);

  // What is wrong changes nothing at all.
  CHECK(host.sbxctl({"revoke", "late"}).exit_status == 0);
  host.configure("max_sandboxes: many\n");
  hang_up(daemon, "everything stays as it was");
  CHECK(over_tls(late, host.certificate()) == 200);
  host.configure("max_sandboxes: 8\n");
  const std::string good = read_file(host.certificate());
  write_file(host.certificate(), read_file(before));
  hang_up(daemon, "cannot be used");
  CHECK(daemon.get("/v1/health/ready").body["max_sandboxes"] == 7);
  write_file(host.certificate(), good);
  CHECK(over_tls(late, host.certificate()) == 200);
  write_file(host.tokens(), read_file(host.tokens()) + "x");
  hang_up(daemon, "tokens.yaml:");
  CHECK(over_tls(late, host.certificate()) == 200);
}

TEST_CASE("a configuration with which tokens would be everybody's is refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host host(place);
  const std::string ci = host.token({"ci", "--project", "p"});
  CHECK(host.check().exit_status == 0);
  const auto says = [&] {
    const ProgramResult result = host.check();
    CHECK(result.exit_status == 2);
    CHECK(result.err.find(ci) == std::string::npos);
    return result.err;
  };
  const std::string key = place.directory() + "/key.pem";
  REQUIRE(chmod(key.c_str(), 0644) == 0);
  CHECK(says().find("chmod o-rwx") != std::string::npos);
  REQUIRE(chmod(key.c_str(), 0600) == 0);
  write_file(key, "x");
  CHECK(says().find("key.pem' cannot be used: the key") != std::string::npos);
  write_file(host.certificate(), "x");
  CHECK(says().find("the certificate chain") != std::string::npos);
  host.make_certificate();
  REQUIRE(chmod(host.tokens().c_str(), 0640) == 0);
  CHECK(says().find("chmod 600") != std::string::npos);
  REQUIRE(chmod(host.tokens().c_str(), 0600) == 0);
  REQUIRE(host.check().exit_status == 0);
  write_file(host.config(), "listen:\n  - {address: 0.0.0.0, port: 1}\n");
  CHECK(says().find("config.yaml:2") != std::string::npos);
}

}  // namespace sbx::test
