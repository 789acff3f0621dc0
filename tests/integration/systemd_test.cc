// Under systemd every cgroup is systemd's: a run gets a scope of its own, or stays where it was given one.
// Run in the virtual machine (tests/vm/integration --systemd).
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;

bool under_systemd() { return access("/run/systemd/system", F_OK) == 0; }

const std::vector<std::string> kScope{"systemd-run", "--scope", "--quiet", "--collect"};

std::vector<std::string> scope_with(const std::vector<std::string>& properties) {
  std::vector<std::string> words = kScope;
  for (const std::string& property : properties) words.insert(words.end(), {"-p", property});
  return words;
}

// "/system.slice/x.scope/…", as the host sees it.
std::string group_of(pid_t pid) {
  const std::string text = read_file("/proc/" + std::to_string(pid) + "/cgroup");
  return text.starts_with("0::") ? text.substr(3, text.find('\n') - 3) : text;
}

std::string limit_in(const std::string& group, const std::string& file) {
  const std::string text = read_file("/sys/fs/cgroup" + group + "/" + file);
  return text.substr(0, text.find('\n'));
}

std::string sandbox_scopes() {
  return run_program({"systemctl", "list-units", "--type=scope", "--all", "--plain", "--no-legend", "run-*"})
      .out;
}

// A run by `wrapper` while its program sleeps: calls `look` with the program's cgroup and ends the run.
template <class F>
ProgramResult while_running(const Sandbox& sandbox, const std::vector<std::string>& wrapper,
                            std::vector<std::string> arguments, F look) {
  const std::string mark = unique_duration();
  arguments.insert(arguments.end(), {"--", "/bin/sleep", mark});
  ProgramOptions options;
  options.after_start = [&](pid_t started) {
    std::string group;
    CHECK(wait_until(milliseconds(10'000), [&] {
      for (const pid_t pid : processes_with(mark)) {
        if (is_contained(pid)) group = group_of(pid);
      }
      return !group.empty();
    }));
    look(group);
    (void)kill(started, SIGTERM);  // systemd-run has become sbxrun
  };
  return sandbox.run_by(wrapper, arguments, options);
}

// The unit of docs/examples with a program of ours, under a name of its own. Its places are those of the
// machine.
class Service {
 public:
  explicit Service(const std::string& script) {
    write_file(kUnit, read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/docs/examples/runner.service"));
    REQUIRE(mkdir(kDropIns.c_str(), 0755) == 0);
    write_file(kDropIns + "/program.conf",
               "[Service]\nType=exec\nExecStart=\nExecStart=/bin/sh -c '" + script + "'\n");
    (void)control({"daemon-reload"});
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() {
    (void)control({"stop", kName});
    (void)std::filesystem::remove_all(kDropIns);
    (void)std::filesystem::remove(kUnit);
    (void)control({"daemon-reload"});
  }

  static ProgramResult control(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "systemctl");
    return run_program(arguments);
  }

  static inline const std::string kName = "sbx-test-runner.service";

 private:
  static inline const std::string kUnit = "/run/systemd/system/" + kName;
  static inline const std::string kDropIns = kUnit + ".d";
};

}  // namespace

TEST_CASE("a run from a unit that was not delegated has a scope of its own beside it, with all limits") {
  SKIP_UNLESS(is_root() && under_systemd(), "needs systemd as PID 1");
  const Sandbox sandbox;
  const std::string own = group_of(getpid());
  const ProgramResult result =
      while_running(sandbox, {}, {"-m", "64M", "--pids", "20"}, [&](const std::string& group) {
        CAPTURE(group);
        CHECK(group.starts_with(own.substr(0, own.find_last_of('/')) + "/run-"));
        CHECK(group.find(".scope/sbx-") != std::string::npos);
        CHECK(limit_in(group, "memory.max") == "67108864");
        CHECK(limit_in(group, "pids.max") == "21");
        // No more tasks than our own unit may have.
        CHECK(limit_in(group.substr(0, group.find_last_of('/')), "pids.max") == limit_in(own, "pids.max"));
      });
  CHECK_MESSAGE(result.exit_status == 143, result.err);
  CHECK(wait_until(milliseconds(5'000), [] { return sandbox_scopes().empty(); }));
  CHECK(group_of(getpid()) == own);
  const auto limited =
      sandbox.run_json({"-m", "32M", "--", "/bin/sh", "-c", "head -c 300M /dev/zero | tail -c 1G"});
  CHECK(limited["outcome"] == "out_of_memory");
  CHECK(limited["controls"]["memory"] == "v2");
}

TEST_CASE("in a delegated scope a run stays below it, and so below its limits") {
  SKIP_UNLESS(is_root() && under_systemd(), "needs systemd as PID 1");
  const Sandbox sandbox;
  const ProgramResult result = while_running(
      sandbox, scope_with({"Delegate=yes", "MemoryMax=200M"}), {}, [&](const std::string& group) {
        CAPTURE(group);
        const std::string scope = group.substr(0, group.find_last_of('/'));
        CHECK(scope.ends_with(".scope"));
        CHECK(limit_in(scope, "memory.max") == "209715200");
      });
  CHECK_MESSAGE(result.exit_status == 143, result.err);
}

TEST_CASE("a unit's own limit of memory is not escaped by a scope beside it") {
  SKIP_UNLESS(is_root() && under_systemd(), "needs systemd as PID 1");
  const Sandbox sandbox;
  const ProgramResult result = sandbox.run_by(scope_with({"MemoryMax=200M"}), {"--", "/bin/true"});
  CHECK(result.exit_status == 125);
  CHECK_MESSAGE(result.err.find("Set Delegate=yes for this unit") != std::string::npos, result.err);
}

TEST_CASE("the unit of the docs starts sandboxes below itself, under its limits, and stopping it ends them") {
  SKIP_UNLESS(is_root() && under_systemd(), "needs systemd as PID 1");
  const std::string mark = unique_duration();
  const Service service(program_directory() + "/sbxrun -- /bin/sleep " + mark);
  const ProgramResult started = Service::control({"start", Service::kName});
  CHECK_MESSAGE(started.exit_status == 0, started.err);
  std::string group;
  CHECK_MESSAGE(wait_until(milliseconds(10'000),
                           [&] {
                             for (const pid_t pid : processes_with(mark)) {
                               if (is_contained(pid)) group = group_of(pid);
                             }
                             return !group.empty();
                           }),
                run_program({"journalctl", "-u", Service::kName, "--no-pager"}).out);
  CHECK_MESSAGE(group.starts_with("/system.slice/" + Service::kName + "/sbx-"), group);
  CHECK(limit_in("/system.slice/" + Service::kName, "memory.max") == "4294967296");
  CHECK(Service::control({"stop", Service::kName}).exit_status == 0);
  CHECK(processes_with(mark).empty());
  CHECK_FALSE(std::filesystem::exists("/sys/fs/cgroup" + group));
}

// The installed units, with a program of ours, below /run.
class DaemonUnits {
 public:
  DaemonUnits() {
    const std::string units = std::string(std::getenv("SBX_TEST_DATA")) + "/systemd/";
    std::string service = read_file(units + "sbxd.service.in");
    service.replace(service.find("@bindir@"), 8, program_directory());
    write_file(kPlace + "sbxd.service", service);
    write_file(kPlace + "sbxd.socket", read_file(units + "sbxd.socket"));
    std::filesystem::create_directories("/run/sysusers.d");
    write_file("/run/sysusers.d/sbx.conf", read_file(units + "sbx.sysusers"));
    CHECK(run_program({"systemd-sysusers"}).exit_status == 0);
    (void)Service::control({"daemon-reload"});
  }
  DaemonUnits(const DaemonUnits&) = delete;
  DaemonUnits& operator=(const DaemonUnits&) = delete;
  ~DaemonUnits() {
    (void)Service::control({"stop", "sbxd.socket", "sbxd.service"});
    for (const char* unit : {"sbxd.service", "sbxd.socket"}) (void)std::filesystem::remove(kPlace + unit);
    (void)Service::control({"daemon-reload"});
  }

  static std::string journal() {
    return run_program({"journalctl", "-u", "sbxd.service", "--no-pager"}).out +
           Service::control({"status", "--no-pager", "sbxd.service", "sbxd.socket"}).out;
  }

 private:
  static inline const std::string kPlace = "/run/systemd/system/";
};

// Of a process of the service: what its unit takes away.
void check_hardening(const std::string& process) {
  const std::string status = read_file(process + "/status");
  CHECK(status.find("NoNewPrivs:\t1") != std::string::npos);
  const std::size_t at = status.find("CapBnd:\t");
  REQUIRE(at != std::string::npos);
  const std::uint64_t bounds = std::stoull(status.substr(at + 8, 16), nullptr, 16);
  const auto may = [&](int capability) { return (bounds >> static_cast<unsigned>(capability) & 1U) != 0; };
  for (const int taken : {CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT, CAP_SYS_TIME, CAP_SYSLOG,
                          CAP_MAC_ADMIN, CAP_AUDIT_CONTROL, CAP_BPF, CAP_PERFMON, CAP_NET_RAW})
    CHECK_FALSE_MESSAGE(may(taken), taken);
  CHECK(may(CAP_SYS_ADMIN));
  std::istringstream mounts(read_file(process + "/mountinfo"));
  std::string options;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string skipped;
    std::string place;
    words >> skipped >> skipped >> skipped >> skipped >> place;
    if (place == "/usr") words >> options;
  }
  CHECK_MESSAGE(options.starts_with("ro,"), options);
}

TEST_CASE("the units of sbxd: its socket starts it, runs have all limits below it, a kill starts it again") {
  SKIP_UNLESS(is_root() && under_systemd(), "needs systemd as PID 1");
  const DaemonUnits units;
  const auto sbxrun = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program_directory() + "/sbxrun");
    return run_program(arguments);
  };
  const auto property = [](const std::string& name) {
    const std::string text = Service::control({"show", "-P", name, "sbxd.service"}).out;
    return text.substr(0, text.find('\n'));
  };
  REQUIRE_MESSAGE(Service::control({"start", "sbxd.socket"}).exit_status == 0, DaemonUnits::journal());
  CHECK(property("ActiveState") == "inactive");
  struct stat status {};
  REQUIRE(stat("/run/sbx/sbxd.sock", &status) == 0);
  CHECK((status.st_mode & 07777) == 0660);
  CHECK(status.st_gid != 0);
  // The first client starts it.
  ProgramResult run =
      sbxrun({"-m", "64M", "--json", "--", "/bin/sh", "-c", "head -c 300M /dev/zero | tail -c 1G"});
  REQUIRE_MESSAGE(!run.out.empty(), run.err << DaemonUnits::journal());
  json result = json::parse(run.out);
  CHECK_MESSAGE(result["outcome"] == "out_of_memory", run.out);
  CHECK(result["mode"] == "supervisor");
  CHECK(result["degradations"].empty());
  // Which is the sandbox's affair alone.
  CHECK(property("ActiveState") == "active");
  check_hardening("/proc/" + property("MainPID"));
  CHECK(sbxrun({"--project", "kept", "--", "/bin/sh", "-c", "echo kept >file"}).exit_status == 0);
  const ProgramResult doctor =
      run_program({"curl", "-s", "--unix-socket", "/run/sbx/sbxd.sock", "http://sbx/v1/capabilities"});
  CHECK_MESSAGE(json::parse(doctor.out)["enforceable"] == true, doctor.out);
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.after_start = [&](pid_t) {
    std::string group;
    CHECK(wait_until(milliseconds(10'000), [&] {
      for (const pid_t pid : processes_with(mark)) {
        if (is_contained(pid)) group = group_of(pid);
      }
      return !group.empty();
    }));
    CHECK_MESSAGE(group.starts_with("/system.slice/sbxd.service/"), group);
    CHECK(Service::control({"kill", "--kill-whom=main", "-s", "KILL", "sbxd.service"}).exit_status == 0);
  };
  (void)run_program({program_directory() + "/sbxrun", "--", "/bin/sleep", mark}, options);
  CHECK(wait_until(milliseconds(10'000), [&] { return processes_with(mark).empty(); }));
  run = sbxrun({"--project", "kept", "--", "/bin/cat", "file"});
  CHECK_MESSAGE(run.out == "kept\n", run.err << DaemonUnits::journal());
  CHECK(property("NRestarts") == "1");
  CHECK(Service::control({"stop", "sbxd.service"}).exit_status == 0);
  CHECK_MESSAGE(property("Result") == "success", DaemonUnits::journal());
}

}  // namespace sbx::test
