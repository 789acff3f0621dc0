// A run that this host cannot isolate fails with the words of the doctor: what is missing, what follows, the
// fix.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>

#include "support/private_mounts.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

json doctor_check(const Sandbox& sandbox, const std::string& name, const ProgramOptions& program) {
  const ProgramResult result = run_program(
      {program_directory() + "/sbxctl", "--state-dir", sandbox.state_dir(), "doctor", "--json"}, program);
  const json report = json::parse(result.out, nullptr, false);
  REQUIRE_MESSAGE(report.is_object(), result.err);
  for (const json& check : report["checks"]) {
    if (check["name"] == name && check["state"] == "missing") return check;
  }
  FAIL("the doctor does not miss '" << name << "'");
  return {};
}

// The run is refused before anything of it runs, and says effect and fix of this check of the doctor.
void check_same_words(const Sandbox& sandbox, const std::string& name, const ProgramOptions& program,
                      const Strings& options = {}) {
  const json check = doctor_check(sandbox, name, program);
  Strings arguments = options;
  for (const char* argument : {"--", "/bin/echo", "ran"}) arguments.emplace_back(argument);
  const ProgramResult result = sandbox.run(arguments, program);
  INFO("the doctor: " << check.dump() << "\nthe run: " << result.err);
  CHECK(result.exit_status == 125);
  CHECK(result.out.empty());
  CHECK(holds(result.err, check["effect"].get<std::string>()));
  CHECK(holds(result.err, check["fix"].get<std::string>()));
  REQUIRE_FALSE(sandbox.log_lines().empty());
  CHECK(sandbox.log_lines().back()["outcome"] == "setup_failed");
}

ProgramOptions before(std::function<void()> action) {
  ProgramOptions program;
  program.before_exec = std::move(action);
  return program;
}

}  // namespace

TEST_CASE("a run without a capability that it needs says which, as the doctor does") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  struct Case {
    int capability;
    const char* name;
  };
  for (const Case& one : {Case{CAP_SYS_ADMIN, "SYS_ADMIN"}, Case{CAP_SETUID, "SETUID"},
                          Case{CAP_SETGID, "SETGID"}, Case{CAP_CHOWN, "CHOWN"}, Case{CAP_FOWNER, "FOWNER"},
                          Case{CAP_DAC_OVERRIDE, "DAC_OVERRIDE"}, Case{CAP_NET_ADMIN, "NET_ADMIN"}}) {
    const ProgramOptions program =
        before([&] { require_call(prctl(PR_CAPBSET_DROP, one.capability, 0, 0, 0) == 0); });
    check_same_words(sandbox, "capabilities", program);
    CHECK(holds(sandbox.run({"--", "/bin/true"}, program).err, std::string("without ") + one.name));
  }
  check_same_words(sandbox, "devices",
                   before([] { require_call(prctl(PR_CAPBSET_DROP, CAP_MKNOD, 0, 0, 0) == 0); }));
}

TEST_CASE("a run does without KILL where the host kills by cgroup, and the doctor knows") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramOptions program = before([] { require_call(prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0) == 0); });
  const ProgramResult doctor = run_program({program_directory() + "/sbxctl", "doctor"}, program);
  SKIP_UNLESS(holds(doctor.out, "kills a sandbox as a whole"), "needs cgroup.kill");
  CHECK(doctor.exit_status == 0);
  CHECK(sandbox.run({"--timeout", "200ms", "--", "/bin/sleep", "100"}, program).exit_status == 124);
}

TEST_CASE("a caller with too few descriptors is told so, as the doctor does") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  check_same_words(sandbox, "nofile", before([] {
                     const rlimit few{24, 24};
                     require_call(setrlimit(RLIMIT_NOFILE, &few) == 0 &&
                                  prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0) == 0);
                   }));
}

TEST_CASE("a pool over ids that somebody was given is refused by doctor and run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/subuid";
  write_file(file, "alice:1879113728:65536\n");  // the second range of the default pool
  const ProgramOptions program = before([&file] {
    enter_private_mounts();
    replace_by("/etc/subuid", file.c_str());
  });
  SKIP_UNLESS(access("/etc/subuid", F_OK) == 0, "needs /etc/subuid");
  check_same_words(sandbox, "id_pool", program);
  CHECK(holds(sandbox.run({"--", "/bin/true"}, program).err, "/etc/subuid: alice"));
}

TEST_CASE("a pool of which nobody can tell whose ids it has is refused") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(access("/etc/subuid", F_OK) == 0, "needs /etc/subuid");
  const Sandbox sandbox;
  // It can be opened and not read: nothing is mapped at 0.
  const ProgramResult result = sandbox.run({"--", "/bin/true"}, before([] {
                                             enter_private_mounts();
                                             replace_by("/etc/subuid", "/proc/self/mem");
                                           }));
  CHECK(result.exit_status == 125);
  CHECK_MESSAGE(holds(result.err, "checking whose ids the id pool has: read '/etc/subuid'"), result.err);
}

TEST_CASE("a place for groups that is read-only is refused in the same words") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  // The test's own group of memory, or of cgroup v2, as this program alone sees it.
  const ProgramOptions program = before([] {
    enter_private_mounts();
    const char* tops[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};
    require_call(access(tops[0], F_OK) == 0 || access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0);
    make_read_only(access(tops[0], F_OK) == 0 ? tops[0] : tops[1]);
  });
  check_same_words(sandbox, "cgroup_write", program);
}

TEST_CASE("a state directory that cannot be id-mapped is refused in the same words") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const std::string state = sandbox.state_dir();
  const std::string layers = sandbox.directory() + "/layers";
  const ProgramOptions program = before([state, layers] {
    enter_private_mounts();
    cover_by_overlay(state, layers);
  });
  const json check = doctor_check(sandbox, "idmapped_mounts", program);
  CHECK(check["found"] == state + " is on overlay");
  const ProgramResult run = sandbox.run({"--", "/bin/true"}, program);
  CHECK(run.exit_status == 125);
  INFO("the doctor: " << check.dump() << "\nthe run: " << run.err);
  CHECK(holds(run.err, " is on overlay, which cannot be id-mapped"));
  CHECK(holds(run.err, check["fix"].get<std::string>()));
}

}  // namespace sbx::test
