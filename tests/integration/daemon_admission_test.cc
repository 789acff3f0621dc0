// How many sandboxes sbxd lets live at once, and who waits.
#include <sys/stat.h>

#include <algorithm>

#include "integration/daemon.h"

namespace sbx::test {
namespace {

std::string begin(const Daemon& daemon, const std::string& project, const std::string& script,
                  const json& limits = json::object()) {
  json request = {{"shell", script}, {"limits", limits}};
  if (!project.empty()) request["project_id"] = project;
  request["workspace_mode"] = "ephemeral";
  const HttpAnswer begun = daemon.post("/v1/runs", request);
  INFO(begun.text);
  REQUIRE(begun.status == 202);
  return "/v1/runs/" + begun.body["run_id"].get<std::string>();
}

bool becomes(const Daemon& daemon, const std::string& path, const std::string& status) {
  return comes_true([&] { return daemon.get(path).body["status"] == status; });
}

}  // namespace

TEST_CASE("runs that have no place wait for it, the projects in turn, and may be cancelled meanwhile") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "max_sandboxes: 1\nadmission: {queue: 3}\n");
  const Daemon daemon(place, {"--config", config});
  const std::string first = begin(daemon, "", "sleep 1000");
  CHECK(becomes(daemon, first, "running"));
  std::vector<std::string> of_a;
  for (int i = 0; i < 3; ++i) of_a.push_back(begin(daemon, "a", "true"));
  const std::string of_b = begin(daemon, "b", "cat; echo more");
  for (const std::string& path : of_a) CHECK(daemon.get(path).body["status"] == "queued");
  CHECK(daemon.get("/v1/health/ready").body["queued"] == 4);
  const HttpAnswer full = daemon.ask("POST", "/v1/runs", {{"shell", "true"}, {"project_id", "a"}}, {"-i"});
  CHECK(full.status == 429);
  CHECK(full.text.find("Retry-After: ") != std::string::npos);
  CHECK(full.text.find("admission.queue") != std::string::npos);
  CHECK(daemon.post("/v1/sandboxes", json::object()).status == 429);

  const std::string last = begin(daemon, "c", "true");
  CHECK(daemon.ask("DELETE", last).status == 202);
  const json cancelled = daemon.get(last + "?wait").body;
  CHECK(cancelled["outcome"] == "cancelled");
  CHECK(cancelled["message"].get<std::string>().find("waited") != std::string::npos);
  CHECK(daemon.ask("DELETE", last).status == 409);

  CHECK(daemon.ask("DELETE", first).status == 202);
  std::vector<std::pair<std::string, std::string>> started;
  for (const std::string& path : {of_a[0], of_a[1], of_a[2], of_b}) {
    const json result = daemon.get(path + "?wait").body;
    CHECK(result["outcome"] == "exited");
    started.emplace_back(result["started_at"], path);
  }
  std::ranges::sort(started);
  CHECK(started[0].second == of_a[0]);
  CHECK(started[1].second == of_b);
  CHECK(started[2].second == of_a[1]);
  CHECK(started[3].second == of_a[2]);
  CHECK(daemon.get("/v1/health/ready").body["queued"] == 0);
}

TEST_CASE("a client that waits for its turn and goes away waits no longer, and sbxd stops with a queue") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "max_sandboxes: 1\n");
  Daemon daemon(place, {"--config", config});
  const std::string first = begin(daemon, "", "sleep 1000");
  const ProgramResult gone = run_program({"curl", "-s", "--max-time", "1", "--unix-socket", daemon.socket(),
                                          "http://sbx/v1/runs?wait", "-d", R"({"shell":"echo never"})"});
  CHECK(gone.exit_status == 28);
  CHECK(comes_true([&] { return daemon.get("/v1/health/ready").body["queued"] == 0; }));
  (void)begin(daemon, "", "true");
  CHECK(daemon.stop() == 0);
  CHECK(place.log_lines().size() == 1);  // the others never began
}

TEST_CASE("the limits of memory of all sandboxes together are bounded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "admission: {memory: 600M}\n");
  const Daemon daemon(place, {"--config", config});
  const json small = {{"memory_bytes", 64U << 20U}};
  const std::string first = begin(daemon, "", "sleep 1000");  // the policy's 512M
  CHECK(becomes(daemon, first, "running"));
  CHECK(daemon.get("/v1/health/ready").body["memory_bytes"] == 512U << 20U);
  CHECK(daemon.run({{"shell", "true"}, {"limits", small}})["outcome"] == "exited");
  const std::string second = begin(daemon, "", "true");
  CHECK(daemon.get(second).body["status"] == "queued");
  CHECK(daemon.post("/v1/sandboxes", json::object()).status == 429);
  const HttpAnswer never =
      daemon.post("/v1/runs", {{"shell", "true"}, {"limits", {{"memory_bytes", 1U << 30U}}}});
  CHECK(never.status == 422);
  CHECK(never.text.find("admission.memory") != std::string::npos);
  CHECK(daemon.ask("DELETE", first).status == 202);
  CHECK(daemon.get(second + "?wait").body["outcome"] == "exited");
  CHECK(comes_true([&] { return daemon.get("/v1/health/ready").body["memory_bytes"] == 0; }));
}

TEST_CASE("a client that asks too often is told when to come again, root is not") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "admission: {per_client_rate: 1, burst: 3}\n");
  const Daemon daemon(place, {"--config", config}, "/tmp/sbx-rate-test.sock");
  REQUIRE(chmod(daemon.socket().c_str(), 0666) == 0);
  for (int i = 0; i < 10; ++i) CHECK(daemon.get("/v1/version").status == 200);
  const ProgramResult often =
      run_program({"setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "curl", "-s", "-i",
                   "--unix-socket", daemon.socket(), "http://sbx[1-20]/v1/version"});
  CHECK(often.out.find("200 OK") != std::string::npos);
  CHECK(often.out.find("429 Too Many Requests") != std::string::npos);
  CHECK(often.out.find("Retry-After: 1") != std::string::npos);
}

}  // namespace sbx::test
