// Who the program is, inside and outside, and what it cannot become.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>

#include "isolation.h"
#include "support/process_tree.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRange = 65536;
constexpr std::uint64_t kServiceId = 0x70000000;  // the first id of the default pool
constexpr std::uint64_t kWorkload = 1000;
constexpr std::uint64_t kInit = 65533;

// "Name:\tvalue" lines of /proc/PID/status.
std::string status_line(const std::string& status, const std::string& name) {
  for (const std::string& line : lines_of(status)) {
    if (!line.starts_with(name + ":")) continue;
    const std::size_t value = line.find_first_not_of(" \t", name.size() + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "(none)";
}

std::string four_times(std::uint64_t id) {
  const std::string text = std::to_string(id);
  return text + "\t" + text + "\t" + text + "\t" + text;
}

// A live sandbox, as the host sees it.
class LiveSandbox {
 public:
  explicit LiveSandbox(const Sandbox& sandbox)
      : run_(sbxrun_command(sandbox, {"--", "/bin/sh", "-c", "echo ready; read line"})) {
    REQUIRE(run_.wait_for("ready"));
    init_ = find_program(run_.pid(), Program::init);
    REQUIRE(init_ > 0);
    REQUIRE(!children_of(init_).empty());
    workload_ = children_of(init_).front();
  }
  [[nodiscard]] static std::string read(pid_t pid, const std::string& file) {
    return read_file("/proc/" + std::to_string(pid) + "/" + file);
  }
  [[nodiscard]] pid_t init() const { return init_; }
  [[nodiscard]] pid_t workload() const { return workload_; }
  // The first id of its range.
  [[nodiscard]] std::uint64_t first_id() const {
    std::istringstream map(read(workload_, "uid_map"));
    std::uint64_t inside = 1;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    map >> inside >> outside >> count;
    CHECK(inside == 0);
    CHECK(count == kRange);
    std::string more;
    CHECK(!(map >> more));
    return outside;
  }

 private:
  Background run_;
  pid_t init_ = -1;
  pid_t workload_ = -1;
};

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a program is the user sandbox with no other group, whoever started it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions options;
  options.before_exec = [] {
    const gid_t groups[] = {4, 27, 1000};
    (void)setgroups(3, groups);
  };
  CHECK(run_program({probe_directory() + "/identity"}, options).out.find("groups=3\n") != std::string::npos);
  const Answers inside =
      parse_answers(sandbox.run({bind_probes(), "--", kProbes + "/identity"}, options).out);
  CHECK(answer(inside, "ids") == "1000 1000 1000 1000 1000 1000 ");
  CHECK(answer(inside, "groups") == "0");
  CHECK(said_inside(sandbox, "id -un; id -gn") == "sandbox\nsandbox");
}

TEST_CASE("a program holds no capability, and none waits for it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers inside = probe_inside(sandbox, {"identity"});
  CHECK(answer(inside, "bounding").empty());
  CHECK(answer(inside, "no_new_privs") == "1");
  CHECK(answer(inside, "securebits") == "locked");
  check_answers(inside, {"uid_map", "gid_map"}, "EPERM");
  const std::string status = said_inside(sandbox, "cat /proc/self/status");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    CHECK_MESSAGE(status_line(status, set) == "0000000000000000", std::string(set));
  }
  CHECK(status_line(status, "Seccomp") == "2");
}

TEST_CASE("outside, a sandbox has a range of 65536 ids of the pool and never a login's") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const LiveSandbox live(sandbox);
  const std::uint64_t first = live.first_id();
  CHECK(first >= kServiceId + kRange);  // the first range owns the projects on disk
  CHECK(first % kRange == 0);
  CHECK(LiveSandbox::read(live.workload(), "gid_map") == LiveSandbox::read(live.workload(), "uid_map"));
  const std::string status = LiveSandbox::read(live.workload(), "status");
  CHECK(status_line(status, "Uid") == four_times(first + kWorkload));
  CHECK(status_line(status, "Gid") == four_times(first + kWorkload));
  CHECK(status_line(status, "Groups").empty());
}

TEST_CASE("init has an id of its own and only what it needs to give ids and to signal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const LiveSandbox live(sandbox);
  const std::string status = LiveSandbox::read(live.init(), "status");
  CHECK(status_line(status, "Uid") == four_times(live.first_id() + kInit));
  CHECK(status_line(status, "Gid") == four_times(live.first_id() + kInit));
  CHECK(status_line(status, "Groups").empty());
  CHECK(status_line(status, "CapPrm") == "00000000000000e0");  // CAP_KILL, CAP_SETGID, CAP_SETUID
  CHECK(status_line(status, "CapBnd") == "0000000000000000");
  CHECK(status_line(status, "NoNewPrivs") == "1");
  CHECK(status_line(status, "Seccomp") == "2");
  // Of what is not dumpable the files in /proc are those of the namespace's root (proc(5)).
  struct stat files {};
  REQUIRE(stat(("/proc/" + std::to_string(live.init()) + "/environ").c_str(), &files) == 0);
  CHECK(files.st_uid == live.first_id());
  // Not a file that anyone could reach or overwrite.
  const std::string exe = fs::read_symlink("/proc/" + std::to_string(live.init()) + "/exe").string();
  CHECK_MESSAGE(exe.starts_with("/memfd:"), exe);
  CHECK(LiveSandbox::read(live.init(), "environ").empty());
}

TEST_CASE("two live sandboxes have different id ranges") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const LiveSandbox one(sandbox);
  const LiveSandbox two(sandbox);
  CHECK(one.first_id() != two.first_id());
}

TEST_SUITE_END();

}  // namespace sbx::test
