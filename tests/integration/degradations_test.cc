// A control that the host lacks: an error that names it, or, where the policy allows that by name, a
// degradation in the result. The host's hierarchies stay mounted: only the program under test does not see
// them.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "support/private_mounts.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;

// The policy `default` with one control that may be missing.
std::string policy_that_allows(const Sandbox& sandbox, const std::string& control) {
  std::string path = sandbox.directory() + "/" + control + ".yaml";
  const std::string shipped = read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml");
  write_file(path, replaced(shipped, "allow_degraded: []", "allow_degraded: [" + control + "]"));
  return path;
}

// Refused without the name in the policy, run and named in the result with it.
json check_degradation(const Sandbox& sandbox, const std::string& control, const ProgramOptions& program) {
  CAPTURE(control);
  const ProgramResult refused = sandbox.run({"--", "/bin/echo", "ran"}, program);
  CHECK(refused.exit_status == 125);
  CHECK(refused.out.empty());
  CHECK_MESSAGE(refused.err.find("allow_degraded") != std::string::npos, refused.err);
  CHECK_MESSAGE(refused.err.find(control) != std::string::npos, refused.err);

  json result = sandbox.run_json(
      {"--policy", policy_that_allows(sandbox, control), "--cpu-time", "50s", "--", "/bin/echo", "ran"},
      program);
  REQUIRE(result.is_object());
  INFO(result.dump());
  CHECK(result["outcome"] == "exited");
  CHECK(result["stdout"]["text"] == "ran\n");
  CHECK(result["degradations"] == json::array({control}));
  CHECK(sandbox.log_lines().back()["degradations"] == json::array({control}));
  return result;
}

ProgramOptions without_hierarchy(const char* place) {
  ProgramOptions program;
  program.before_exec = [place] {
    enter_private_mounts();
    require_call(umount2(place, MNT_DETACH) == 0);
  };
  return program;
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a missing controller is an error, or a degradation that the policy names and the result shows") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(access("/sys/fs/cgroup/memory/tasks", F_OK) == 0, "needs v1 controllers to hide");
  const Sandbox sandbox;
  struct Case {
    const char* control;
    const char* place;
    const char* limit;
  };
  for (const Case& one :
       {Case{"memory", "/sys/fs/cgroup/memory", "memory_bytes"}, Case{"pids", "/sys/fs/cgroup/pids", "pids"},
        Case{"cpu", "/sys/fs/cgroup/cpu", "cpus"},
        Case{"cpu_accounting", "/sys/fs/cgroup/cpuacct", "cpu_ms"}}) {
    struct stat here {};
    struct stat above {};
    REQUIRE(stat(one.place, &here) == 0);
    REQUIRE(stat("/sys/fs/cgroup", &above) == 0);
    if (here.st_dev == above.st_dev) continue;  // a link: cpu and cpuacct are one hierarchy there
    const json result = check_degradation(sandbox, one.control, without_hierarchy(one.place));
    CHECK(result["limits"][one.limit].is_null());
    CHECK_FALSE(result["controls"].contains(one.control));
  }
}

TEST_CASE("a state directory that cannot be id-mapped is a degradation that the policy can name") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const std::string state = sandbox.state_dir();
  const std::string layers = sandbox.directory() + "/layers";
  ProgramOptions program;
  program.before_exec = [state, layers] {
    enter_private_mounts();
    cover_by_overlay(state, layers);
  };
  (void)check_degradation(sandbox, "idmapped_mounts", program);
}

TEST_CASE("the result shows no limit of what the run has nothing of") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string result_file = sandbox.directory() + "/result.json";
  const auto limits_of = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"--result", result_file});
    options.insert(options.end(), {"--", "/bin/true"});
    REQUIRE(sandbox.run(options).exit_status == 0);
    return json::parse(read_file(result_file))["limits"];
  };
  CHECK(limits_of({})["output_bytes"].is_null());
  CHECK(limits_of({"--output-limit", "5K"})["output_bytes"] == 5120);
  CHECK(limits_of({"--json"})["output_bytes"] == 8 << 20);
  CHECK(limits_of({})["disk_bytes"] == 1 << 30);
  CHECK(limits_of({"--project", "p", "--disk", "8M"})["disk_bytes"] == 8 << 20);
  CHECK(limits_of({"--project", "p"})["disk_bytes"] == 8 << 20);
  CHECK(limits_of({"--project", "p", "--workspace-mode", "ephemeral"})["disk_bytes"] == 1 << 30);
}

TEST_SUITE_END();

}  // namespace sbx::test
