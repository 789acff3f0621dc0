// What happens to the host while a sandbox lives: somebody freezes its group, or sets the clock.
#include <doctest/doctest.h>
#include <time.h>

#include <filesystem>
#include <sstream>

#include "lifecycle_fixture.h"
#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

// The directory of the group of the v2 hierarchy that a process is in; empty without one.
std::string unified_group(pid_t pid) {
  const std::string groups = read_file("/proc/" + std::to_string(pid) + "/cgroup");
  const std::size_t at = groups.find("0::/");
  if (at == std::string::npos) return "";
  const std::string path = groups.substr(at + 3, groups.find('\n', at) - at - 3);
  for (const std::string top : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    if (fs::exists(top + path + "/cgroup.freeze")) return top + path;
  }
  return "";
}

// Whether every process of the group sleeps. Before init has said that the program started, one of them does
// not.
bool at_rest(const std::string& group) {
  std::istringstream pids(read_file(group + "/cgroup.procs"));
  std::size_t sleeping = 0;
  for (std::string pid; pids >> pid; ++sleeping) {
    const std::string stat = read_file("/proc/" + pid + "/stat");
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || !stat.substr(name_end).starts_with(") S")) return false;
  }
  return sleeping > 1;
}

// Once the program runs. False when there is nothing that can be frozen.
bool freeze(const std::string& mark) {
  std::string group;
  (void)wait_until(milliseconds(10'000), [&] {
    for (const pid_t pid : processes_with(mark)) {
      if (is_contained(pid)) group = unified_group(pid);
    }
    return !group.empty() && at_rest(group);
  });
  if (!group.ends_with("/") && fs::path(group).filename().string().starts_with("sbx-")) {
    write_file(group + "/cgroup.freeze", "1");
    return wait_until(milliseconds(5'000), [&] {
      return read_file(group + "/cgroup.events").find("frozen 1") != std::string::npos;
    });
  }
  return false;
}

void set_clock_forward(time_t seconds) {
  timespec now{};
  REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
  now.tv_sec += seconds;
  REQUIRE(clock_settime(CLOCK_REALTIME, &now) == 0);
}

// The clock of the whole machine is set only where that is the tests' own.
bool own_machine() { return std::getenv("SBX_TEST_OWN_MACHINE") != nullptr; }

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a frozen sandbox ends at its deadline and leaves nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  bool frozen = false;
  ProgramOptions options;
  options.after_start = [&](pid_t) { frozen = freeze(mark); };
  const ProgramResult result =
      sandbox.run({"--wall-time", time_scale() == 1 ? "2s" : "10s", "--", "/bin/sleep", mark}, options);
  SKIP_UNLESS(frozen, "needs a cgroup v2 hierarchy with a freezer");
  CHECK(result.exit_status == 124);
  check_nothing_survives(mark);
  CHECK(sandbox.leftovers(0) == "");
  CHECK(sandbox.log_lines().back()["outcome"] == "timed_out");
}

TEST_CASE("a frozen sandbox whose supervisor was killed dies, and is swept by the next start") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  bool frozen = false;
  ProgramOptions options;
  options.after_start = [&](pid_t sbxrun) {
    frozen = freeze(mark);
    const pid_t supervisor = find_program(sbxrun, Program::direct);
    if (supervisor > 0) (void)kill(supervisor, SIGKILL);
  };
  const ProgramResult result = sandbox.run({"--", "/bin/sleep", mark}, options);
  CHECK(result.exit_status == 125);
  check_nothing_survives(mark);
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(sandbox.leftovers(0) == "");
  CHECK(lines_with(sandbox, mark).size() == 1);
  SKIP_UNLESS(frozen, "needs a cgroup v2 hierarchy with a freezer");
}

TEST_CASE("a clock that is set changes no deadline and no time that a run took") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(own_machine(), "needs a machine whose clock may be set (the virtual machine)");
  constexpr time_t kDay = 86'400;
  const Sandbox sandbox;
  for (const time_t jump : {kDay, -kDay}) {
    CAPTURE(jump);
    const std::string mark = unique_duration();
    ProgramOptions options;
    options.after_start = [&](pid_t) {
      (void)wait_until(milliseconds(10'000), [&] { return runs_inside(mark); });
      set_clock_forward(jump);
    };
    const json ended =
        sandbox.run_json({"--wall-time", "1h", "--", "/bin/sh", "-c", "sleep 1; : " + mark}, options);
    set_clock_forward(-jump);
    CHECK(ended["outcome"] == "exited");
    CHECK(ended["exit_code"] == 0);
    CHECK(ended["usage"]["wall_ms"].get<std::int64_t>() >= 1'000);
    CHECK(ended["usage"]["wall_ms"].get<std::int64_t>() < 3'600'000);
    const std::string late = unique_duration();
    options.after_start = [&](pid_t) {
      (void)wait_until(milliseconds(10'000), [&] { return runs_inside(late); });
      set_clock_forward(jump);
    };
    const json stopped = sandbox.run_json({"--wall-time", "8s", "--", "/bin/sleep", late}, options);
    set_clock_forward(-jump);
    CHECK(stopped["outcome"] == "timed_out");
    CHECK(stopped["usage"]["wall_ms"].get<std::int64_t>() >= 8'000);
  }
}

TEST_SUITE_END();

}  // namespace sbx::test
