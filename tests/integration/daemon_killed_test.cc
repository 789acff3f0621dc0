// A supervisor, or a part of it, is killed: nothing runs on unsupervised, and the next start is clean.
#include <thread>

#include "integration/daemon.h"

namespace sbx::test {

namespace {

bool runs_inside(const std::string& mark) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string line = read_file(entry.path() / "cmdline");
    if (line.starts_with("sleep") && line.find(mark) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("whichever process of sbxd is killed, what it ran ends, is recorded, and nothing is left") {
  SKIP_UNLESS(is_root(), "needs root");
  int number = 31'000;
  const std::string project = "kept" + std::to_string(getpid());  // its group's name is the machine's
  for (const char* victim : {"sbxd", "sbx-api", "sbx-nursery", "sbx-keeper"}) {
    CAPTURE(std::string(victim));
    const Sandbox place;
    Daemon daemon(place);
    const std::string seconds = std::to_string(++number) + "." + std::to_string(getpid());
    const std::string id = daemon.create({{"project_id", project}});
    CHECK(daemon.exec(id, "echo kept >file")["exit_code"] == 0);
    const std::string run =
        daemon.post("/v1/sandboxes/" + id + "/exec", {{"command", {"sleep", seconds}}}).body["run_id"];
    const json one_shot = daemon.post("/v1/runs", {{"command", {"sleep", seconds + "1"}}}).body;
    CHECK(comes_true([&] { return runs_inside(seconds) && runs_inside(seconds + "1"); }));
    if (std::string(victim) == "sbxd") {
      daemon.kill_with_9();
    } else {
      const auto found = daemon.processes(victim);
      REQUIRE_FALSE(found.empty());
      for (const pid_t pid : found) (void)kill(pid, SIGKILL);
    }
    // A nursery's end is not its keepers': those sandboxes are supervised still.
    const bool lives_on = std::string(victim) == "sbx-nursery";
    if (!lives_on) CHECK(comes_true([&] { return !runs_inside(seconds); }));
    if (std::string(victim) == "sbxd") {
      Daemon next(place);
      CHECK(next.run({{"shell", "cat file"}, {"project_id", project}})["stdout"]["text"] == "kept\n");
      CHECK(next.stop() == 0);
      CHECK(place.leftovers() == "");
    } else {
      CHECK(comes_true([&] {
        return daemon
                   .ask("GET", "/v1/health/ready", nullptr,
                        {"--retry", "20", "--retry-connrefused", "--retry-delay", "1"})
                   .status == 200;
      }));
      if (lives_on) (void)daemon.ask("DELETE", "/v1/sandboxes/" + id);
      CHECK(daemon.run({{"shell", "cat file"}, {"project_id", project}})["stdout"]["text"] == "kept\n");
      CHECK(daemon.stop() == 0);
    }
    bool recorded = false;
    for (const json& line : place.log_lines()) recorded = recorded || line["run_id"] == run;
    CHECK(recorded);
  }
}

TEST_CASE("the API runs behind a filter, and its end by that is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const pid_t api = daemon.processes("sbx-api").at(0);
  CHECK(read_file("/proc/" + std::to_string(api) + "/status").find("Seccomp:\t2") != std::string::npos);
  REQUIRE(kill(api, SIGSYS) == 0);
  CHECK(comes_true(
      [&] { return daemon.said().find("SIGSYS (a system call that its filter") != std::string::npos; }));
  CHECK(comes_true([&] { return daemon.processes("sbx-api").size() == 1; }));
}

TEST_CASE("what a keeper leaves whose nursery is gone is swept as well") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  Daemon daemon(place);
  const std::string task = "lost" + std::to_string(getpid());
  (void)daemon.create({{"task_id", task}});
  const auto groups = [&] { return run_program({"find", "/sys/fs/cgroup", "-name", "sbx-" + task}).out; };
  CHECK(groups() != "");
  const auto keepers = daemon.processes("sbx-keeper");
  for (const pid_t pid : daemon.processes("sbx-nursery")) (void)kill(pid, SIGKILL);
  for (const pid_t pid : keepers) (void)kill(pid, SIGKILL);
  CHECK(comes_true([&] { return groups().empty(); }));
  // Until others are there in their place, it says that none is.
  const auto runs = [&] { return daemon.post("/v1/runs?wait", {{"shell", "true"}}); };
  CHECK(comes_true([&] { return runs().body["exit_code"] == 0; }));
}

TEST_CASE("a sandbox whose name another one on this machine has gets groups of its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox one;
  const Sandbox two;
  const Daemon first(one);
  const Daemon second(two);
  const std::string task = "twice" + std::to_string(getpid());
  const std::string theirs = first.create({{"task_id", task}});
  const std::string ours = second.create({{"task_id", task}});
  CHECK(first.get("/v1/sandboxes/" + theirs).body["sandbox_id"] == "sbx-" + task);
  const std::string name = second.get("/v1/sandboxes/" + ours).body["sandbox_id"];
  CHECK(name.starts_with("sbx-" + task + "-"));
  CHECK(second.exec(ours, "hostname")["stdout"]["text"] == "sbx-" + task + "\n");
  CHECK(second.ask("DELETE", "/v1/sandboxes/" + ours).status < 300);
  CHECK(first.exec(theirs, "true")["exit_code"] == 0);
}

TEST_CASE("two sbxd that take a name at the same time both get a sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox one;
  const Sandbox two;
  const Daemon first(one);
  const Daemon second(two);
  for (int i = 0; i < 40; ++i) {
    const json request{{"task_id", "race" + std::to_string(getpid()) + "." + std::to_string(i)}};
    HttpAnswer theirs;
    std::thread other([&] { theirs = first.post("/v1/sandboxes", request); });
    const HttpAnswer ours = second.post("/v1/sandboxes", request);
    other.join();
    CHECK_MESSAGE(ours.status == 201, ours.text);
    CHECK_MESSAGE(theirs.status == 201, theirs.text);
    CHECK(ours.body["sandbox_id"] != theirs.body["sandbox_id"]);
  }
}

TEST_CASE("a second sbxd is refused, and the socket of a dead one is replaced") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  {
    Daemon first(place);
    const ProgramResult second = run_program({program_directory() + "/sbxd", "--state-dir", place.state_dir(),
                                              "--run-dir", place.run_dir(), "--log", place.log()});
    CHECK(second.exit_status == 1);
    CHECK(second.err.find("another sbxd runs") != std::string::npos);
    // Runs without it, beside it.
    CHECK(place.run({"--", "true"}).exit_status == 0);
    first.kill_with_9();
  }
  CHECK(std::filesystem::exists(place.run_dir() + "/sbxd.sock"));
  Daemon next(place);
  CHECK(next.run({{"shell", "true"}})["exit_code"] == 0);
  CHECK(next.stop() == 0);
  CHECK_FALSE(std::filesystem::exists(place.run_dir() + "/sbxd.sock"));
}

TEST_CASE("sbxd that is stopped ends what it has, and tells") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  Daemon daemon(place);
  (void)daemon.create();
  const std::string run = daemon.post("/v1/runs", {{"shell", "sleep 1000"}}).body["run_id"];
  CHECK(daemon.stop() == 0);
  CHECK(place.leftovers() == "");
  CHECK(place.log_lines().back()["run_id"] == run);
  CHECK(place.log_lines().back()["outcome"] == "cancelled");
}

TEST_CASE("a keeper that hangs does not outlive sbxd that is stopped") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  Daemon daemon(place);
  const std::string run = daemon.post("/v1/runs", {{"shell", "sleep 1000"}}).body["run_id"];
  CHECK(comes_true([&] { return daemon.get("/v1/runs/" + run).body["status"] == "running"; }));
  const auto keepers = daemon.processes("sbx-keeper");
  REQUIRE(keepers.size() == 1);
  REQUIRE(kill(keepers[0], SIGSTOP) == 0);
  (void)kill(daemon.pid(), SIGINT);  // with the second signal the API is not waited for
  CHECK(daemon.stop() == 0);
  CHECK(kill(keepers[0], 0) == -1);
  CHECK(daemon.said().find("did not end, and were killed") != std::string::npos);
  CHECK(place.leftovers() == "");
}

}  // namespace sbx::test
