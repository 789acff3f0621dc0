// Sandboxes that sbxd makes before they are asked for.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "integration/daemon.h"
#include "integration/own_policies.h"
#include "integration/toy_image.h"

namespace sbx::test {
namespace {

std::vector<std::string> pool(const Sandbox& place, const std::string& config) {
  const std::string path = place.directory() + "/config.yaml";
  write_file(path, config);
  return {"--config", path};
}

// As on a kernel that tells of no pressure: what other tests make of the memory of this host empties no pool.
void without_pressure() {
  constexpr const char* kPath = "/proc/pressure/memory";
  const bool hidden = unshare(CLONE_NEWNS) == 0 &&
                      mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                      (access(kPath, F_OK) != 0 ||
                       (mount(kPath, kPath, nullptr, MS_BIND, nullptr) == 0 &&
                        mount("", kPath, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0));
  if (!hidden) _exit(126);
}

class CalmDaemon : public Daemon {
 public:
  CalmDaemon(const Sandbox& place, const std::string& config, const std::string& socket = {},
             const std::vector<std::string>& wrapper = {})
      : Daemon(place, pool(place, config), socket, wrapper, without_pressure) {}
};

json kind(const Daemon& daemon) { return daemon.get("/v1/pool").body["kinds"].at(0); }

bool has_ready(const Daemon& daemon, int count) {
  const bool there = comes_true([&] { return kind(daemon)["ready"] == count; });
  CHECK_MESSAGE(there, kind(daemon).dump());
  return there;
}

// As it was made: its description.
json create(const Daemon& daemon, const json& request = json::object()) {
  const HttpAnswer made = daemon.post("/v1/sandboxes", request);
  INFO(made.text);
  REQUIRE(made.status == 201);
  return made.body;
}

}  // namespace

TEST_CASE(
    "replaces: reuse and pool statistics; who asks gets one that is there, as it would have been made") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const CalmDaemon daemon(place, "pool: {sandboxes: [{image: host, count: 2}]}\n");
  REQUIRE(has_ready(daemon, 2));
  CHECK(daemon.get("/v1/sandboxes").body["sandboxes"].empty());
  const json request{{"task_id", "t"}, {"env", {{"A", "b"}}}, {"labels", {{"l", "x"}}}};
  const json made = create(daemon, request);
  CHECK(made["from_pool"] == true);
  CHECK(made["task_id"] == "t");
  CHECK(made["hostname"] == "sbx-t");
  CHECK(made["labels"]["l"] == "x");
  const std::string path = "/v1/sandboxes/" + made["id"].get<std::string>();
  const auto same = [&] {
    const json seen = daemon.exec(made["id"], "hostname; echo $A; id -u; pwd; find . /tmp /home -type f");
    CHECK(seen["stdout"]["text"] == "sbx-t\nb\n1000\n/workspace/agent_workspace\n");
    CHECK(seen["task_id"] == "t");
  };
  same();
  // Made by hand it is the same, but for what tells it from others.
  json other = create(
      daemon, {{"task_id", "t2"}, {"env", {{"A", "b"}}}, {"limits", {{"pids", made["limits"]["pids"]}}}});
  CHECK(other["from_pool"] == false);
  for (const char* key : {"image", "policy", "limits", "controls", "degradations"})
    CHECK(made[key] == other[key]);
  // Asked for again it is the same one; and it is its own name that it has after a reset.
  CHECK(daemon.post("/v1/sandboxes", request).body["id"] == made["id"]);
  CHECK(daemon.get("/v1/stats").body["reused"] == 1);
  CHECK(daemon.post(path + "/reset", json::object()).status == 200);
  same();
  REQUIRE(has_ready(daemon, 2));
  CHECK(kind(daemon)["hits"] == 1);
  CHECK(daemon.get("/v1/metrics").text.find("sbx_pool_hits_total 1\n") != std::string::npos);
  // Nobody gets what somebody had.
  CHECK(daemon.exec(made["id"], "echo mine >/tmp/f")["exit_code"] == 0);
  CHECK(daemon.ask("DELETE", path).status == 200);
  CHECK(daemon.exec(create(daemon)["id"], "ls /tmp")["stdout"]["text"] == "");
}

TEST_CASE("what a warm sandbox has not is made, and so is one when none is left") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const CalmDaemon daemon(place, "pool: {sandboxes: [{image: host, count: 1}]}\n");
  REQUIRE(has_ready(daemon, 1));
  for (const json& request :
       {json{{"policy", "strict"}}, json{{"limits", {{"pids", 20}}}},
        json{{"project_id", "p"}, {"policy", "permissive"}, {"limits", {{"disk_bytes", 64U << 20U}}}}}) {
    CAPTURE(request.dump());
    CHECK(create(daemon, request)["from_pool"] == false);
  }
  CHECK(kind(daemon)["misses"] == 0);
  CHECK(kind(daemon)["hits"] == 0);
  for (const char* hostname : {"one", "two"}) {
    const json made = create(daemon, {{"hostname", hostname}});
    CHECK(daemon.exec(made["id"], "hostname")["stdout"]["text"] == std::string(hostname) + "\n");
  }
  const json after = kind(daemon);
  CHECK(after["hits"].get<int>() + after["misses"].get<int>() == 2);
  CHECK(after["hits"] >= 1);
}

TEST_CASE("many at once get one each, and no two the same") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const CalmDaemon daemon(place, "pool: {sandboxes: [{image: host, count: 3}]}\n");
  REQUIRE(has_ready(daemon, 3));
  const ProgramResult all =
      run_program({"curl", "-s", "--parallel", "--parallel-immediate", "--unix-socket", daemon.socket(),
                   "http://sbx[1-8]/v1/sandboxes", "-d", "{}", "-w", "\n"});
  CHECK(all.exit_status == 0);
  const json sandboxes = daemon.get("/v1/sandboxes").body["sandboxes"];
  CHECK(sandboxes.size() == 8);
  std::set<std::string> names;
  for (const json& sandbox : sandboxes) {
    names.insert(sandbox["sandbox_id"]);
    CHECK(sandbox["state"] == "ready");
    CHECK(daemon.exec(sandbox["id"], "ls -A /tmp; touch /tmp/mine")["stdout"]["text"] == "");
  }
  CHECK(names.size() == 8);
}

TEST_CASE("a warm sandbox whose policy or image has changed is not given") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  import_toy(place, "toy", kPlainToy);
  const OwnPolicies policies(place);
  const CalmDaemon daemon(place, "pool: {sandboxes: [{image: toy, policy: strict, count: 2}]}\n", {},
                          policies.wrapper());
  const json request{{"image", "toy"}, {"policy", "strict"}};
  REQUIRE(has_ready(daemon, 2));
  const json first = create(daemon, request);
  CHECK(first["from_pool"] == true);
  REQUIRE(has_ready(daemon, 2));

  const std::string text = read_file(policies.file("strict"));
  const std::size_t at = text.find("\n  pids: ");
  REQUIRE(at != std::string::npos);
  write_file(policies.file("strict"),
             text.substr(0, at) + "\n  pids: 17" + text.substr(text.find('\n', at + 1)));
  const json second = create(daemon, request);
  CHECK(second["from_pool"] == false);
  CHECK(second["limits"]["pids"] == 17);
  CHECK(second["policy"]["fingerprint"] != first["policy"]["fingerprint"]);
  CHECK(kind(daemon)["stale"] == 1);
  // The others of before are gone with it.
  CHECK(comes_true([&] { return kind(daemon)["made"] >= 5 && kind(daemon)["ready"] == 2; }));
  CHECK(create(daemon, request)["limits"]["pids"] == 17);

  REQUIRE(has_ready(daemon, 2));
  std::filesystem::remove_all(place.directory() + "/tree/var/cache/toy/old");
  import_toy(place, "toy", kPlainToy);
  const json third = create(daemon, request);
  CHECK(third["from_pool"] == false);
  CHECK(third["image"]["digest"] != second["image"]["digest"]);
}

TEST_CASE("a warm sandbox is its owner's, and what one may not have is refused as ever") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const CalmDaemon daemon(place, "socket_group: nogroup\npool: {sandboxes: [{image: host, count: 1}]}\n",
                          "/tmp/sbxd-pool-test." + std::to_string(getpid()));
  const auto as = [&](const std::string& uid, std::vector<std::string> arguments) {
    std::vector<std::string> all{"setpriv", "--reuid=" + uid, "--regid=65534", "--clear-groups", "curl",
                                 "-s",      "--unix-socket",  daemon.socket()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return json::parse(run_program(all).out);
  };
  REQUIRE(has_ready(daemon, 1));
  const json made = as("4001", {"http://sbx/v1/sandboxes", "-d", "{}"});
  CHECK(made["from_pool"] == true);
  const std::string exec = "http://sbx/v1/sandboxes/" + made["id"].get<std::string>() + "/exec?wait";
  const json own = as("4001", {exec, "-d", R"({"shell":"id -u"})"});
  CHECK(own["outcome"] == "exited");
  CHECK(own["caller"]["uid"] == 4001);
  CHECK(as("4002", {exec, "-d", R"({"shell":"true"})"})["status"] == 404);
}

TEST_CASE("the pool keeps to its memory, and gives way to who needs the place") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const CalmDaemon daemon(place,
                          "max_sandboxes: 4\nadmission: {memory: 2G}\n"
                          "pool: {memory: 1100M, sandboxes: [{image: host, count: 3}]}\n");
  REQUIRE(has_ready(daemon, 2));  // of 512M each
  CHECK(daemon.get("/v1/pool").body["memory_bytes"] == 1U << 30U);
  const json other{{"limits", {{"pids", 20}, {"memory_bytes", 64U << 20U}}}};
  std::vector<std::string> made;
  for (int i = 0; i < 4; ++i) made.push_back(create(daemon, other)["id"]);
  CHECK(kind(daemon)["ready"] == 0);
  CHECK(kind(daemon)["drained"] >= 2);
  CHECK(daemon.get("/v1/pool").body["paused"] != nullptr);
  CHECK(daemon.post("/v1/sandboxes", other).status == 429);
  for (const std::string& id : made) CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + id).status == 200);
  REQUIRE(has_ready(daemon, 2));
  // A run that takes all of the memory needs theirs, too.
  CHECK(daemon.run({{"shell", "true"}, {"limits", {{"memory_bytes", 2047U << 20U}}}})["outcome"] == "exited");
  CHECK(kind(daemon)["drained"] >= 4);
}

TEST_CASE("a warm sandbox whose keeper dies while it is given is made, and the others stay") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const CalmDaemon daemon(place, "pool: {sandboxes: [{image: host, count: 2}]}\n");
  REQUIRE(has_ready(daemon, 2));
  std::vector<pid_t> keepers = daemon.processes("sbx-keeper");
  REQUIRE(keepers.size() == 2);
  for (const pid_t keeper : keepers) REQUIRE(kill(keeper, SIGSTOP) == 0);
  ProgramOptions how;
  how.after_start = [&](pid_t) {
    CHECK(comes_true([&] { return kind(daemon)["hits"] == 1; }));
    for (const pid_t keeper : keepers) (void)kill(keeper, SIGKILL);
  };
  const json made = json::parse(
      run_program({"curl", "-s", "--unix-socket", daemon.socket(), "http://sbx/v1/sandboxes", "-d", "{}"},
                  how)
          .out);
  CHECK(made["state"] == "ready");
  CHECK(made["from_pool"] == false);
  CHECK(kind(daemon)["stale"] == 0);
  CHECK(daemon.exec(made["id"], "true")["exit_code"] == 0);
  REQUIRE(has_ready(daemon, 2));
}

TEST_CASE("what cannot be made is told, and tried again; one that is killed is made anew") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const CalmDaemon daemon(place, "pool: {sandboxes: [{image: toy, count: 1}]}\n");
  CHECK(comes_true([&] { return kind(daemon)["failed"] >= 1; }));
  CHECK(kind(daemon)["message"].get<std::string>().find("toy") != std::string::npos);
  CHECK(create(daemon)["from_pool"] == false);  // of another image
  import_toy(place, "toy", kPlainToy);
  REQUIRE(has_ready(daemon, 1));
  CHECK(kind(daemon)["message"] == nullptr);
  // The other keeper is that of the sandbox made above, which has a command.
  const auto keepers = daemon.processes("sbx-keeper");
  REQUIRE(keepers.size() == 2);
  (void)kill(keepers[1], SIGKILL);
  CHECK(comes_true([&] { return kind(daemon)["made"] == 2; }));
  // Fewer, with the configuration read again.
  (void)pool(place, "pool: {sandboxes: []}\n");
  REQUIRE(kill(daemon.pid(), SIGHUP) == 0);
  CHECK_MESSAGE(comes_true([&] { return daemon.get("/v1/pool").body["kinds"].empty(); }), daemon.said());
  CHECK(comes_true([&] { return daemon.processes("sbx-keeper").size() == 1; }));
}

TEST_CASE("a host that is short of memory has no pool for a while") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(access("/proc/pressure/memory", W_OK) == 0, "needs a kernel with PSI");
  const Sandbox place;
  const Daemon daemon(place, pool(place, "pool: {sandboxes: [{image: host, count: 2}]}\n"));
  REQUIRE(has_ready(daemon, 2));
  // Programs that read a file again and again which is more than their memory: they wait for it.
  const HttpAnswer begun =
      daemon.post("/v1/runs", {{"shell",
                                "f=$(ls -S /usr/lib/x86_64-linux-gnu/*.so* | head -1); "
                                "for i in 1 2 3; do { while :; do cat $f; done >/dev/null; } & done; wait"},
                               {"limits", {{"memory_bytes", 16U << 20U}, {"wall_ms", 600'000}}}});
  REQUIRE(begun.status == 202);
  const auto drained = [&] { return kind(daemon)["drained"] >= 2; };
  CHECK((comes_true(drained) || comes_true(drained)));  // on a busy host they wait for the CPU, too
  CHECK(daemon.get("/v1/pool").body["paused"] == "the host is short of memory");
  (void)daemon.ask("DELETE", "/v1/runs/" + begun.body["run_id"].get<std::string>());
}

}  // namespace sbx::test
