// sbxctl doctor: what it says, in which form, with which exit status, and that it leaves nothing behind.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "support/private_mounts.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

ProgramResult doctor(const Sandbox& sandbox, const Strings& options, ProgramOptions program = {}) {
  Strings all{program_directory() + "/sbxctl", "--state-dir", sandbox.state_dir(), "doctor"};
  all.insert(all.end(), options.begin(), options.end());
  return run_program(all, program);
}

json report_of(const ProgramResult& result) {
  json report = json::parse(result.out, nullptr, false);
  REQUIRE_MESSAGE(report.is_object(), result.out << result.err);
  CHECK(result.err == "");
  CHECK(result.out.ends_with("}\n"));
  return report;
}

json check_named(const json& report, const std::string& name) {
  for (const json& check : report["checks"]) {
    if (check["name"] == name) return check;
  }
  FAIL("no check '" << name << "'");
  return {};
}

std::string shipped(const std::string& policy) {
  return std::string(std::getenv("SBX_TEST_DATA")) + "/policies/" + policy + ".yaml";
}

// A capability less: it is in no set of the program that is executed.
ProgramOptions without(int capability) {
  ProgramOptions program;
  program.before_exec = [capability] { require_call(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0); };
  return program;
}

std::set<std::string> directories_below(const std::string& top) {
  std::set<std::string> paths;
  std::error_code error;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  for (auto entry = std::filesystem::recursive_directory_iterator(top, options, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.starts_with("sbx")) paths.insert(entry->path());
  }
  return paths;
}

}  // namespace

TEST_CASE("doctor: on a host that can run sandboxes every shipped policy can be enforced") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* policy : {"default", "strict", "permissive"}) {
    const ProgramResult result = doctor(sandbox, {"--policy", policy});
    CHECK_MESSAGE(result.exit_status == 0, result.out);
    CHECK(result.err == "");
    CHECK(result.out.ends_with("This host can enforce the policy '" + std::string(policy) + "'.\n"));
    // What it says can be done, can be done.
    CHECK(sandbox.run({"--policy", policy, "--", "/bin/true"}).exit_status == 0);
  }
}

TEST_CASE("doctor: the text has every check with its group, and no line is wider than a terminal") {
  const Sandbox sandbox;
  const ProgramResult text = doctor(sandbox, {});
  const json report = report_of(doctor(sandbox, {"--json"}));
  for (const json& check : report["checks"]) {
    CHECK(holds("\n" + text.out, "\n" + check["group"].get<std::string>() + "\n"));
    CHECK(holds(text.out, " " + check["name"].get<std::string>() + " "));
  }
  CHECK_FALSE(holds(text.out, "\x1b"));  // colours are for terminals
  std::size_t start = 0;
  for (std::size_t end = text.out.find('\n'); end != std::string::npos; end = text.out.find('\n', start)) {
    const std::string line = text.out.substr(start, end - start);
    CHECK_MESSAGE((line.size() <= 80 || holds(line, "/")), line);  // a path cannot be broken
    start = end + 1;
  }
}

TEST_CASE("doctor --json: one object, the same fields in each check") {
  const Sandbox sandbox;
  const ProgramResult result = doctor(sandbox, {"--json", "--policy", "strict"});
  const json report = report_of(result);
  CHECK(report["schema"] == 1);
  CHECK(report["version"].is_string());
  CHECK(report["policy"] == "strict");
  CHECK(report["enforceable"].is_boolean());
  CHECK(result.exit_status == (report["enforceable"] == true ? 0 : 1));
  CHECK(report.size() == 5);
  REQUIRE(report["checks"].size() > 20);
  bool all_there = true;
  for (const json& check : report["checks"]) {
    INFO(check.dump());
    CHECK(check.size() == 7);
    for (const char* field : {"group", "name", "found"}) CHECK(check[field].is_string());
    for (const char* field : {"effect", "fix"}) CHECK((check[field].is_null() || check[field].is_string()));
    const std::string state = check["state"];
    CHECK((state == "ok" || state == "degraded" || state == "missing" || state == "unchecked"));
    if (state == "missing") CHECK((check["effect"].is_string() && check["fix"].is_string()));
    if (check["required"] == true && (state == "missing" || state == "unchecked")) all_there = false;
  }
  CHECK(report["enforceable"] == all_there);
  CHECK(report["checks"][0]["group"] == "policy");
}

TEST_CASE("doctor: leaves no cgroup, mount, process or directory behind") {
  const Sandbox sandbox;
  const auto cgroups = directories_below("/sys/fs/cgroup");
  const std::string mounts = read_file("/proc/self/mountinfo");
  for (const Strings& options : {Strings{}, Strings{"--json"}, Strings{"--policy", "no-such"}}) {
    (void)doctor(sandbox, options);
    CHECK(std::filesystem::is_empty(sandbox.directory()));
    CHECK(read_file("/proc/self/mountinfo") == mounts);
  }
  for (const std::string& path : directories_below("/sys/fs/cgroup")) {
    // Others may run sandboxes meanwhile: theirs have the id of a run.
    CHECK_MESSAGE((cgroups.contains(path) || holds(path, "/sbx-")), path);
  }
  CHECK(run_program({"/bin/sh", "-c", "pgrep -x sbxctl -P $PPID"}).out == "");
}

TEST_CASE("doctor: a policy is a name or a file, as for sbxrun") {
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/mine.yaml";
  write_file(file, replaced(read_file(shipped("strict")), "name: strict", "name: mine"));
  ProgramOptions there;
  there.directory = sandbox.directory();
  for (const Strings& options :
       {Strings{"--policy", file}, Strings{"--policy=./mine.yaml"}, Strings{"--policy", "mine.yaml"}}) {
    Strings all{"--json"};
    all.insert(all.end(), options.begin(), options.end());
    const json policy = report_of(doctor(sandbox, all, there))["checks"][0];
    CHECK_MESSAGE(policy["state"] == "ok", policy.dump());
    CHECK(std::filesystem::path(policy["found"].get<std::string>()).filename() == "mine.yaml");
  }
}

TEST_CASE("doctor: a policy that is not there or cannot be read is a finding and status 1") {
  const Sandbox sandbox;
  const std::string broken = sandbox.directory() + "/broken.yaml";
  write_file(broken, "name: broken\nlimit: {}\n");
  const std::string profile = sandbox.directory() + "/profile.yaml";
  std::filesystem::create_directory(sandbox.directory() + "/seccomp");
  write_file(sandbox.directory() + "/seccomp/broken.yaml", "");
  write_file(profile, replaced(read_file(shipped("strict")), "\nseccomp: strict", "\nseccomp: broken"));
  struct Case {
    std::string policy;
    std::string word;
  };
  for (const Case& one :
       {Case{profile, "/seccomp/broken.yaml:1:1: an empty file"},
        Case{"no-such", "default, permissive, strict"}, Case{"/no/such.yaml", "/no/such.yaml"},
        Case{broken, ":2:1: unknown key 'limit'"}}) {
    const ProgramResult result = doctor(sandbox, {"--json", "--policy", one.policy});
    CHECK(result.exit_status == 1);
    const json report = report_of(result);
    CHECK(report["enforceable"] == false);
    const json policy = report["checks"][0];
    CHECK(policy["state"] == "missing");
    CHECK_MESSAGE(holds(policy["found"], one.word), policy.dump());
    CHECK(policy["fix"].is_string());
  }
  const ProgramResult text = doctor(sandbox, {"--policy", "no-such"});
  CHECK(text.exit_status == 1);
  CHECK(holds(text.out, "This host cannot enforce the policy 'no-such': runs under it are refused."));
}

TEST_CASE("doctor: wrong usage is status 2, with what was wrong") {
  const Sandbox sandbox;
  struct Case {
    Strings options;
    std::string word;
  };
  for (const Case& one :
       {Case{{"--jsn"}, "--jsn"}, Case{{"extra"}, "extra"}, Case{{"--policy"}, "--policy"},
        Case{{"--policy", "a b"}, "'a b'"}, Case{{"--policy", ""}, "--policy"},
        Case{{"--config", "/no/such.yaml"}, "/no/such.yaml"}, Case{{"--state-dir", ""}, "--state-dir"}}) {
    const ProgramResult result = doctor(sandbox, one.options);
    INFO(json(one.options).dump() << " said: " << result.out << result.err);
    CHECK(result.exit_status == 2);
    CHECK(result.out.empty());
    CHECK(holds(result.err, one.word));
  }
}

TEST_CASE("doctor: who is not root is told what only root can try") {
  SKIP_UNLESS(is_root(), "needs root to become somebody else");
  const Sandbox sandbox;
  ProgramOptions nobody;
  nobody.before_exec = [] { require_call(setgid(65534) == 0 && setuid(65534) == 0); };
  nobody.directory = "/";
  const ProgramResult result = doctor(sandbox, {"--json"}, nobody);
  SKIP_UNLESS(result.exit_status != 127, "only root can run the programs here");
  CHECK(result.exit_status == 1);
  const json report = report_of(result);
  CHECK(check_named(report, "capabilities")["found"] == "the caller is not root");
  CHECK(holds(check_named(report, "capabilities")["fix"], "run as root"));
  CHECK(check_named(report, "overlay")["state"] == "unchecked");
}

TEST_CASE("doctor: a capability that is missing is named, with what follows and the fix") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  struct Case {
    int capability;
    const char* name;
    const char* also;  // what cannot be had without it
  };
  for (const Case& one : {Case{CAP_SYS_ADMIN, "SYS_ADMIN", "mount_ns"}, Case{CAP_MKNOD, "MKNOD", "devices"},
                          Case{CAP_NET_ADMIN, "NET_ADMIN", nullptr}, Case{CAP_SETUID, "SETUID", nullptr}}) {
    const ProgramResult result = doctor(sandbox, {"--json"}, without(one.capability));
    CHECK(result.exit_status == 1);
    const json report = report_of(result);
    CHECK(report["enforceable"] == false);
    const json check = check_named(report, "capabilities");
    INFO(check.dump());
    CHECK(check["state"] == "missing");
    CHECK(check["found"] == std::string("without ") + one.name);
    CHECK(check["effect"] == "a sandbox cannot be started");
    CHECK(holds(check["fix"], "--cap-add"));
    if (one.also != nullptr) CHECK(check_named(report, one.also)["state"] == "missing");
  }
}

TEST_CASE("doctor: the pool of ids of the configuration is compared with those of others") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string config = sandbox.directory() + "/config.yaml";
  write_file(config, "id_pool: {first: 524288, ranges: 4}\n");  // systemd's containers
  const json report = report_of(doctor(sandbox, {"--json", "--config", config}));
  const json pool = check_named(report, "id_pool");
  CHECK_MESSAGE(pool["state"] == "missing", pool.dump());
  CHECK(holds(pool["fix"], "id_pool"));
}

TEST_CASE("doctor: what newer kernels allow is tried, not read from the version" *
          doctest::test_suite("v2")) {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json report = report_of(doctor(sandbox, {"--json"}));
  const auto is_there = [&](const char* name) { return check_named(report, name)["state"] == "ok"; };
  const std::string memory = "/dev/shm/sbx-doctor-" + std::to_string(getpid());
  REQUIRE(std::filesystem::create_directory(memory));
  const ProgramResult bound = sandbox.run({"--bind", memory + ":/data", "--", "/bin/true"});
  CHECK(std::filesystem::remove(memory));
  CHECK((bound.exit_status == 0) == is_there("idmapped_tmpfs"));

  // When they came to Linux; a kernel may be built without the one, and the host without cgroup v2.
  utsname names{};
  REQUIRE(uname(&names) == 0);
  const bool since_6_12 = strverscmp(names.release, "6.12") >= 0;
  CHECK((since_6_12 || !is_there("erofs_file")));
  const bool v2 = read_file("/sys/fs/cgroup/cgroup.controllers").find("memory") != std::string::npos;
  CHECK(is_there("memory_peak_reset") == (v2 && since_6_12));
}

}  // namespace sbx::test
