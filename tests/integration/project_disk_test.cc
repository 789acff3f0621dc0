// What a project may hold: limits that the kernel keeps, by a file system in a file, or by project quota.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "isolation.h"
#include "support/private_mounts.h"
#include "support/process_tree.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

constexpr std::uint64_t kMebibyte = 1 << 20;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

json felt(const json& object, const std::string& limit) {
  for (const json& hit : object["limits_hit"]) {
    if (hit["limit"] == limit) return hit;
  }
  return nullptr;
}

json run_script(const Sandbox& sandbox, const std::string& script, Strings options) {
  for (const char* argument : {"--", "/bin/sh", "-c"}) options.emplace_back(argument);
  options.push_back(script);
  return sandbox.run_json(options);
}

std::string storage_of(const Sandbox& sandbox, const std::string& project) {
  return read_file(sandbox.state_dir() + "/projects/" + project + "/storage");
}

// The policy `default` with `from` replaced.
std::string changed_policy(const Sandbox& sandbox, const std::string& from, const std::string& to) {
  const std::string path = sandbox.directory() + "/changed.yaml";
  const std::string shipped = std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml";
  write_file(path, replaced(read_file(shipped), from, to));
  return "--policy=" + path;
}

// A file system of its own below the state directory, while it lives.
class StateDisk {
 public:
  StateDisk(const Sandbox& sandbox, const std::string& size, const Strings& features,
            const std::string& options)
      : directory_(sandbox.state_dir()) {
    const std::string file = sandbox.directory() + "/disk";
    fs::create_directory(directory_);
    REQUIRE(run_program({"/usr/bin/truncate", "-s", size, file}).exit_status == 0);
    Strings make{"/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-m", "0"};
    make.insert(make.end(), features.begin(), features.end());
    make.push_back(file);
    REQUIRE(run_program(make).exit_status == 0);
    mounted_ = run_program({"/usr/bin/mount", "-o", "loop" + options, file, directory_}).exit_status == 0;
    if (mounted_) REQUIRE(chmod(directory_.c_str(), 0700) == 0);
  }
  StateDisk(const StateDisk&) = delete;
  StateDisk& operator=(const StateDisk&) = delete;
  ~StateDisk() {
    if (mounted_) CHECK(run_program({"/usr/bin/umount", directory_}).exit_status == 0);
  }

  [[nodiscard]] bool mounted() const { return mounted_; }
  void fill() const { fill_up(directory_.c_str()); }
  void make_room() const { REQUIRE(fs::remove(directory_ + "/filler")); }

 private:
  std::string directory_;
  bool mounted_ = false;
};

// Makes project p larger, with `script`, which has `mark` on its command line, in the place of resize2fs(8),
// and kills the supervisor in the middle of it.
void kill_while_resizing(const Sandbox& sandbox, const std::string& mark, const std::string& script) {
  const std::string tool = sandbox.directory() + "/tool";
  write_file(tool, "#!/bin/sh\n" + script);
  REQUIRE(chmod(tool.c_str(), 0755) == 0);
  ProgramOptions options;
  options.before_exec = [&tool] {
    enter_private_mounts();
    replace_by("/usr/sbin/resize2fs", tool.c_str());
  };
  options.after_start = [&](pid_t sbxrun) {
    // Not the one before it, which may still have to take its death signal away.
    const auto sleeps = [](pid_t pid) {
      return read_file("/proc/" + std::to_string(pid) + "/cmdline").starts_with("sleep");
    };
    CHECK(
        wait_until(milliseconds(10'000), [&] { return std::ranges::any_of(processes_with(mark), sleeps); }));
    CHECK(kill(find_program(sbxrun, Program::direct), SIGKILL) == 0);
  };
  CHECK(sandbox.run({"--project=p", "--disk=24M", "--", "/bin/true"}, options).exit_status == 125);
}

void kill_all(const std::string& mark) {
  for (const pid_t pid : processes_with(mark)) (void)kill(pid, SIGKILL);
}

// Every way in which file contents come to be, each to the end of the room there is.
const std::string kEveryWay =
    "a=/workspace/agent_workspace; cd $a; free() { stat -f -c %a .; }; before=$(free)\n"
    "try() { echo $1: $(\"$@\" 2>&1 | grep -o 'No space left\\|quota exceeded'); sync; rm -f x y; }\n"
    "head -c 1M /dev/zero >s\n"
    "w() { head -c 64M /dev/zero >x; }; try w\n"
    "f() { fallocate -l 64M x; }; try f\n"
    "d() { dd if=/dev/zero of=x bs=1M count=64 oflag=direct; }; try d\n"
    "p() { for i in $(seq 64); do cat s || return; done >x; }; try p\n"
    "c() { i=0; while [ $i -lt 64 ]; do cp --reflink=never s x$i || break; i=$((i+1)); done; rm -f x*; }; "
    "try c\n"
    "h() { truncate -s 1T x; i=0; while [ $i -lt 64 ]; do "
    "dd if=s of=x bs=1M seek=$((i*1000)) conv=notrunc || break; i=$((i+1)); done; }; try h\n"
    "rm s; sync; echo $(( $(free) - before ))";

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a project holds what --disk says, by every way of writing, and the result tells") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Strings options{"--project=p", "--disk=16M"};
  const json all = run_script(sandbox, kEveryWay, options);
  CHECK(all["limits"]["disk_bytes"] == 16 * kMebibyte);
  CHECK_MESSAGE(holds(all["stdout"]["text"],
                      "w: No space left\nf: No space left\nd: No space left\n"
                      "p: No space left\nc: No space left\nh: No space left\n"),
                all["stdout"]["text"]);
  CHECK_MESSAGE(storage_of(sandbox, "p") == "image 16777216 100000\n", storage_of(sandbox, "p"));

  const json full = run_script(sandbox, "head -c 32M /dev/zero >big; stat -c %s big", options);
  const std::uint64_t held = std::stoull(full["stdout"]["text"].get<std::string>());
  CHECK(held > 15 * kMebibyte);
  CHECK(held < 18 * kMebibyte);
  CHECK(felt(full, "disk_bytes")["value"] == 16 * kMebibyte);
  CHECK(full["usage"]["workspace_bytes"] >= held);
  CHECK(full["outcome"] == "exited");
  // It is still there, and another project has its own.
  CHECK(sandbox.shell("stat -c %s big", {"--project=p"}).out == std::to_string(held) + "\n");
  CHECK(sandbox.shell("head -c 8M /dev/zero >big && echo good", {"--project=q", "--disk=16M"}).out ==
        "good\n");
  const json freed = run_script(sandbox, "rm big; echo x >small", {"--project=p"});
  CHECK(felt(freed, "disk_bytes") == nullptr);
  CHECK(freed["usage"]["workspace_bytes"] < kMebibyte);
  CHECK(freed["usage"]["workspace_inodes"] == 1);
}

TEST_CASE("a project holds as many files as --inodes says") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json full = run_script(
      sandbox, "i=0; while mkdir d$i 2>/dev/null; do i=$((i+1)); done; echo $i; mkfifo f; ln -s x l; touch t",
      {"--project=p", "--disk=16M", "--inodes=200"});
  const int made = std::stoi(full["stdout"]["text"].get<std::string>());
  CHECK(made >= 200);
  CHECK(made < 232);  // ext4 has inodes by whole blocks of a group
  CHECK(felt(full, "inodes")["value"] == 200);
  CHECK_MESSAGE(holds(full["stderr"]["text"], "No space left on device"), full["stderr"]["text"]);
  CHECK(full["usage"]["workspace_inodes"] == made);
}

TEST_CASE("a full disk of the host is no error of a project's disk") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const StateDisk disk(sandbox, "128M", {}, "");
  REQUIRE(disk.mounted());
  REQUIRE(sandbox.shell("true", {"--project=p", "--disk=16M"}).exit_status == 0);
  disk.fill();
  CHECK(sandbox
            .shell("head -c 14M /dev/urandom >big && sync && cksum <big >sum && cksum <big | cmp - sum && "
                   "echo good",
                   {"--project=p"})
            .out == "good\n");
  // What is not there yet does not fit, and is told so.
  const ProgramResult refused = sandbox.shell("true", {"--project=q", "--disk=16M"});
  CHECK(refused.exit_status == 125);
  CHECK_MESSAGE(holds(refused.err, "no space left on device (ENOSPC)"), refused.err);
  disk.make_room();
  const ProgramResult large = sandbox.shell("true", {"--project=q", "--disk=512M"});
  CHECK(large.exit_status == 125);
  CHECK_MESSAGE(
      holds(large.err, "a project takes all of its room at once: free space, or ask for less (--disk)"),
      large.err);
  CHECK(sandbox.shell("cksum <big | cmp - sum && echo good", {"--project=p"}).out == "good\n");
}

TEST_CASE("the size of a project is changed when no sandbox uses it, and nothing in it is lost") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string check = "cksum <big | cmp - sum && ls -l | wc -l";
  REQUIRE(sandbox
              .shell("head -c 12M /dev/urandom >big; cksum <big >sum; ln -s big link; mkfifo pipe",
                     {"--project=p", "--disk=16M", "--inodes=1000"})
              .exit_status == 0);
  {
    Background other(
        sbxrun_command(sandbox, {"--project=p", "--", "/bin/sh", "-c", "echo ready; read line"}));
    REQUIRE(other.wait_for("ready"));
    const ProgramResult busy = sandbox.shell(check, {"--project=p", "--disk=32M"});
    CHECK(busy.exit_status == 125);
    CHECK_MESSAGE(holds(busy.err, "project 'p': --disk: a sandbox uses it now"), busy.err);
    // The same size as it has is no change.
    CHECK(sandbox.shell(check, {"--project=p", "--disk=16M"}).out == "5\n");
  }
  const json grown = run_script(sandbox, check + " && head -c 16M /dev/zero >more && echo good",
                                {"--project=p", "--disk=32M"});
  CHECK_MESSAGE(grown["stdout"]["text"] == "5\ngood\n", grown.dump());
  CHECK(grown["limits"]["disk_bytes"] == 32 * kMebibyte);
  CHECK(grown["limits"]["inodes"] == 2000);
  const ProgramResult small = sandbox.shell(check, {"--project=p", "--disk=8M"});
  CHECK(small.exit_status == 125);
  CHECK_MESSAGE(holds(small.err, "changing its size: resize2fs exited"), small.err);
  const json shrunk = run_script(sandbox, check, {"--project=p", "--disk=30M"});
  CHECK_MESSAGE(shrunk["stdout"]["text"] == "6\n", shrunk.dump());
  const ProgramResult inodes = sandbox.shell(check, {"--project=p", "--inodes=5000"});
  CHECK(inodes.exit_status == 125);
  CHECK_MESSAGE(holds(inodes.err, "--inodes: the number was fixed when it was made"), inodes.err);
  CHECK(sandbox.shell(check, {"--project=p"}).out == "6\n");
}

TEST_CASE("a killed run leaves no block device, and the project whole") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  {
    Background run(sbxrun_command(sandbox, {"--project=p", "--disk=16M", "--", "/bin/sh", "-c",
                                            "echo kept >kept; sync; echo ready; read line"}));
    REQUIRE(run.wait_for("ready"));
    REQUIRE(kill(find_program(run.pid(), Program::direct), SIGKILL) == 0);
  }
  CHECK(sandbox.shell("cat kept", {"--project=p"}).out == "kept\n");
}

TEST_CASE("a tool that changes the size of a project ends with its supervisor, and nobody uses its work") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.shell("echo kept >kept", {"--project=p", "--disk=16M"}).exit_status == 0);
  const std::string mark = unique_duration();
  kill_while_resizing(sandbox, mark, "exec sleep " + mark + "\n");
  CHECK(wait_until(milliseconds(5'000), [&] { return processes_with(mark).empty(); }));
  kill_all(mark);
  const std::string copy = sandbox.state_dir() + "/projects/p/workspace.ext4.new";
  // What the tool had open is not what takes the project's place.
  const int its = open(copy.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(its >= 0);
  CHECK(sandbox.shell("cat kept", {"--project=p", "--disk=32M"}).out == "kept\n");
  struct stat status {};
  REQUIRE(fstat(its, &status) == 0);
  (void)close(its);
  CHECK(status.st_nlink == 0);
  CHECK_FALSE(fs::exists(copy));
}

TEST_CASE("as long as a tool changes the size of a project, also one that outlives its run, nobody has it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.shell("echo kept >kept", {"--project=p", "--disk=16M"}).exit_status == 0);
  const std::string mark = unique_duration();
  kill_while_resizing(sandbox, mark, "exec setpriv --pdeathsig clear sleep " + mark + "\n");
  CHECK(processes_with(mark).size() == 1);
  for (const Strings& options : {Strings{"--project=p"}, Strings{"--project=p", "--disk=32M"}}) {
    const ProgramResult busy = sandbox.shell("cat kept", options);
    CHECK(busy.exit_status == 125);
    CHECK_MESSAGE(
        holds(busy.err, "project 'p': its size or name is being changed, or it is being deleted; try again"),
        busy.err);
  }
  kill_all(mark);
  REQUIRE(wait_until(milliseconds(5'000), [&] { return processes_with(mark).empty(); }));
  CHECK(sandbox.shell("cat kept", {"--project=p", "--disk=32M"}).out == "kept\n");
}

TEST_CASE("a policy without a limit of disk makes projects without one, which others refuse") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string unlimited = changed_policy(sandbox, "disk: 1G", "disk: none");
  const json made = run_script(sandbox, "echo kept >kept", {"--project=p", unlimited});
  CHECK(made["limits"]["disk_bytes"].is_null());
  CHECK(made["usage"]["workspace_bytes"].is_null());
  CHECK(storage_of(sandbox, "p") == "directory\n");
  const ProgramResult refused = sandbox.shell("cat kept", {"--project=p"});
  CHECK(refused.exit_status == 125);
  CHECK_MESSAGE(holds(refused.err, "project 'p': it was made without a limit of its size"), refused.err);
  const std::string degraded = changed_policy(sandbox, "allow_degraded: []", "allow_degraded: [disk]");
  const json named = run_script(sandbox, "cat kept", {"--project=p", degraded});
  CHECK_MESSAGE(named["stdout"]["text"] == "kept\n", named.dump());
  CHECK(named["degradations"] == json::array({"disk"}));
  CHECK(named["limits"]["disk_bytes"].is_null());
}

TEST_CASE("without loop devices a project is refused, or goes without a limit where the policy allows it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions options;
  options.before_exec = [] {
    enter_private_mounts();
    replace_by("/dev/loop-control", "/dev/null");
  };
  const ProgramResult refused = sandbox.run({"--project=p", "--", "/bin/true"}, options);
  CHECK(refused.exit_status == 125);
  CHECK_MESSAGE(holds(refused.err, "the size of a project cannot be limited, and its run is refused; fix: "),
                refused.err);
  CHECK_FALSE(fs::exists(sandbox.state_dir() + "/projects/p"));
  const std::string degraded = changed_policy(sandbox, "allow_degraded: []", "allow_degraded: [disk]");
  const json result = sandbox.run_json({"--project=p", degraded, "--", "/bin/true"}, options);
  CHECK_MESSAGE(result["degradations"] == json::array({"disk"}), result.dump());
}

TEST_CASE("where the file system has project quota, a project is a directory under it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const StateDisk disk(sandbox, "256M", {"-O", "quota,project"}, ",prjquota");
  SKIP_UNLESS(disk.mounted(), "this kernel has no project quota (module quota_v2)");
  const Strings options{"--project=p", "--disk=16M", "--inodes=500"};
  const json all = run_script(sandbox, kEveryWay, options);
  CHECK_MESSAGE(all["stdout"]["text"] ==
                    "w: quota exceeded\nf: quota exceeded\nd: quota exceeded\n"
                    "p: quota exceeded\nc: quota exceeded\nh: quota exceeded\n0\n",
                all["stdout"]["text"]);
  CHECK_MESSAGE(storage_of(sandbox, "p") == "quota 16777216 500 1396856832\n", storage_of(sandbox, "p"));
  const json full = run_script(sandbox, "head -c 32M /dev/zero >big; stat -c %s big; rm big", options);
  CHECK(std::stoull(full["stdout"]["text"].get<std::string>()) <= 16 * kMebibyte);
  const json many =
      run_script(sandbox, "i=0; while true 2>/dev/null >f$i; do i=$((i+1)); done; echo $i", options);
  CHECK(many["stdout"]["text"] == "500\n");
  CHECK(felt(many, "inodes")["value"] == 500);
  // A quota can be changed at any time, but not below what is there.
  CHECK(sandbox.shell("mkdir more && echo good", {"--project=p", "--inodes=600"}).out == "good\n");
  const ProgramResult small = sandbox.shell("true", {"--project=p", "--inodes=10"});
  CHECK(small.exit_status == 125);
  CHECK_MESSAGE(holds(small.err, "project 'p': changing its limits: it holds 50"), small.err);
  // Another project has another quota.
  CHECK(sandbox.shell("head -c 12M /dev/zero >big && echo good", {"--project=q", "--disk=16M"}).out ==
        "good\n");
}

TEST_CASE("project quota counts and holds transactions, snapshots and files that are put, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const StateDisk disk(sandbox, "256M", {"-O", "quota,project"}, ",prjquota");
  SKIP_UNLESS(disk.mounted(), "this kernel has no project quota (module quota_v2)");
  const auto tool = [&](Strings words) {
    words.insert(words.begin(), {program_directory() + "/sbxctl", "--state-dir=" + sandbox.state_dir(),
                                 "--log=" + sandbox.log()});
    return run_program(words);
  };
  const auto used = [&] {
    return json::parse(tool({"projects", "show", "p", "--json"}).out)["usage"]["bytes"].get<std::uint64_t>();
  };
  REQUIRE(tool({"projects", "create", "p", "--disk=16M", "--inodes=500"}).exit_status == 0);
  const std::uint64_t empty = used();
  CHECK(sandbox.shell("head -c 4M /dev/zero >old", {"--project=p"}).exit_status == 0);
  CHECK(used() >= empty + 4 * kMebibyte);

  // Of 16M a transaction has 3M, which an upload and another run lack.
  const json begun = run_script(sandbox, "head -c 3M /dev/zero >new; rm old",
                                {"--project=p", "--workspace-mode=transaction"});
  CHECK(used() >= empty + 7 * kMebibyte);
  const std::string large = sandbox.directory() + "/large";
  REQUIRE(run_program({"sh", "-c", "head -c 10M /dev/urandom >" + large}).exit_status == 0);
  const ProgramResult refused = tool({"files", "put", "--project=p", large});
  CHECK(refused.exit_status != 0);
  CHECK_MESSAGE(holds(refused.err, "EDQUOT"), refused.err);
  CHECK(tool({"files", "ls", "--project=p"}).out.find("large") == std::string::npos);
  // Before anything was put what the transaction began with was copied.
  CHECK(used() < empty + 12 * kMebibyte);
  CHECK(sandbox.shell("head -c 10M /dev/zero >x; stat -c %s x; rm x", {"--project=p"})
            .err.find("quota exceeded") != std::string::npos);

  // What a snapshot has alone counts, until it goes.
  CHECK(tool({"snapshots", "take", "--project=p", "before"}).exit_status == 0);
  CHECK(tool({"tx", "commit", "--project=p", begun["transaction"]}).exit_status == 0);
  CHECK(sandbox.shell("ls", {"--project=p"}).out == "new\n");
  CHECK(used() >= empty + 7 * kMebibyte);
  CHECK(tool({"snapshots", "restore", "--project=p", "before"}).exit_status == 0);
  CHECK(sandbox.shell("ls", {"--project=p"}).out == "old\n");
  CHECK(tool({"snapshots", "remove", "--project=p", "before"}).exit_status == 0);
  CHECK(used() < empty + 5 * kMebibyte);
  CHECK(tool({"files", "put", "--project=p", large}).exit_status == 0);

  const ProgramResult limited = tool({"projects", "limit", "p", "--disk=64M"});
  CHECK_MESSAGE(limited.exit_status == 0, limited.err);
  CHECK(sandbox.shell("head -c 30M /dev/zero >wide && echo good", {"--project=p"}).out == "good\n");
  const ProgramResult small = tool({"projects", "limit", "p", "--disk=1M"});
  CHECK(small.exit_status != 0);
  CHECK_MESSAGE(holds(small.err, "it holds"), small.err);
  CHECK(tool({"projects", "rename", "p", "q"}).exit_status == 0);
  CHECK(sandbox.shell("cat wide | wc -c", {"--project=q"}).out == "31457280\n");
  CHECK(tool({"projects", "delete", "q"}).exit_status == 0);
  CHECK_FALSE(fs::exists(sandbox.state_dir() + "/projects/q"));
}

TEST_SUITE_END();

}  // namespace sbx::test
