// What is left on the host after a run: nothing, whatever its ending, the state of our directories and what
// else runs.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "support/private_mounts.h"
#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::size_t entries_of(const std::string& directory) {
  std::error_code error;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory, error), fs::directory_iterator()));
}

std::size_t lines_of(const std::string& path) {
  const std::string text = read_file(path);
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// Objects of the host that a run could leave and that nobody else makes while a test runs.
struct HostCounts {
  std::size_t descriptors = entries_of("/proc/self/fd");
  std::size_t mounts = lines_of("/proc/self/mountinfo");
  std::size_t shared_memory = lines_of("/proc/sysvipc/shm");
  std::size_t queues = lines_of("/proc/sysvipc/msg");
  bool operator==(const HostCounts&) const = default;
};

struct Ending {
  const char* outcome;
  std::vector<std::string> arguments;
};

std::vector<Ending> endings() {
  const auto shell = [](std::vector<std::string> options, const char* script) {
    options.insert(options.end(), {"--", "/bin/sh", "-c", script});
    return options;
  };
  return {
      {"exited", shell({}, "exit 0")},
      {"exited", shell({}, "exit 9")},
      {"exited", shell({}, "setsid sleep 1000 & sleep 1000 & exit 0")},
      {"exited", shell({}, "ipcmk -M 4096 -Q; mkfifo /tmp/fifo; cat /tmp/fifo & touch /dev/shm/x; exit 0")},
      {"exited", shell({"--pids", "20"}, "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; exit 0")},
      {"exited", shell({"--project", "p"}, "mkdir -p a/b/c; touch a/b/c/d; ln -s / a/root; exit 0")},
      {"exited", shell({"--project", "p", "--workspace-mode", "ephemeral"}, "rm -rf a; touch e; exit 0")},
      {"exited", shell({"-t"}, "tty; exit 0")},
      {"signaled", shell({}, "kill -9 $$")},
      {"signaled", shell({}, "kill -TERM $$")},
      {"timed_out", shell({"--wall-time", "200ms"}, "trap '' TERM; sleep 1000 & sleep 1000")},
      {"cpu_time_exceeded", shell({"--cpu-time", "200ms"}, "while :; do :; done")},
      {"out_of_memory", shell({"--memory", "32M"}, "sleep 1000 & head -c 300M /dev/zero | tail -c 1G")},
      {"output_limit", shell({"--output-limit", "10K"}, "yes")},
      {"violation", shell({}, "kill -SYS $$")},
      {"rejected", shell({"--memory", "1000G"}, "exit 0")},
      {"setup_failed", {"--", "/no/such/program"}},
      {"setup_failed", shell({"--cwd", "/no/such/directory"}, "exit 0")},
      {"setup_failed", shell({"--image", "no-such-image"}, "exit 0")},
      {"setup_failed", shell({"--bind", "/no/such/source:/mnt"}, "exit 0")},
  };
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a run leaves nothing behind, whatever its ending") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const HostCounts before;
  for (const Ending& ending : endings()) {
    CAPTURE(ending.outcome);
    CAPTURE(json(ending.arguments).dump());
    (void)sandbox.run(ending.arguments);
    CHECK(sandbox.log_lines().back()["outcome"] == ending.outcome);
    CHECK(sandbox.leftovers(0) == "");
    CHECK(HostCounts() == before);
  }
  CHECK(sandbox.log_lines().size() == endings().size() + 1);
}

TEST_CASE("a cancelled run leaves nothing behind, also when its program ignores the signal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const bool twice : {false, true}) {
    const std::string mark = unique_duration();
    ProgramOptions options;
    options.after_start = [&](pid_t sbxrun) {
      (void)wait_until(milliseconds(10'000), [&] { return processes_with(mark).size() >= 3; });
      (void)kill(sbxrun, SIGINT);
      std::this_thread::sleep_for(milliseconds(100));
      if (twice) (void)kill(sbxrun, SIGINT);
    };
    // The shell forgets the signal; sleep is ended by it and started again.
    const ProgramResult result =
        sandbox.run({"--", "/bin/sh", "-c", "trap '' INT; while :; do sleep " + mark + "; done"}, options);
    CHECK(result.exit_status == 130);
    CHECK(sandbox.leftovers(0) == "");
    CHECK(processes_with(mark).empty());
    CHECK(sandbox.log_lines().back()["outcome"] == "cancelled");
  }
}

TEST_SUITE_END();

TEST_CASE("200 runs in a row leave the host as it was") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--project", "p", "--", "/bin/true"}).exit_status == 0);
  const HostCounts before;
  const std::size_t state = entries_of(sandbox.state_dir());
  const std::size_t run = entries_of(sandbox.run_dir());
  const std::size_t ids = entries_of(sandbox.run_dir() + "/ids");
  for (int i = 0; i < 200; ++i) REQUIRE(sandbox.run({"--project", "p", "--", "/bin/true"}).exit_status == 0);
  CHECK(HostCounts() == before);
  CHECK(entries_of(sandbox.state_dir()) == state);
  CHECK(entries_of(sandbox.run_dir()) == run);
  // The same range again and again, unless other runs of this machine hold it.
  CHECK(entries_of(sandbox.run_dir() + "/ids") < ids + 100);
  CHECK(sandbox.log_lines().size() == 201);
}

TEST_CASE("what a sandbox mounts is not mounted for a caller whose mounts are shared") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const std::string run_dir = sandbox.run_dir();
  ProgramOptions options;
  options.environment = {{"SBX_STATE_DIR", sandbox.state_dir()}, {"SBX_RUN_DIR", run_dir}};
  options.before_exec = [&run_dir] {
    enter_private_mounts();
    require_call(mount(run_dir.c_str(), run_dir.c_str(), nullptr, MS_BIND, nullptr) == 0);
    require_call(mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0);
  };
  const std::string count = "wc -l </proc/self/mountinfo; ";
  const std::string script = count + "\"$0\" --direct --quiet --log=/dev/null -- /bin/true && " + count;
  const ProgramResult result =
      run_program({"/bin/sh", "-c", script, program_directory() + "/sbxrun"}, options);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  const std::size_t middle = result.out.find('\n') + 1;
  CHECK_MESSAGE(result.out.substr(0, middle) == result.out.substr(middle), result.out);
}

TEST_CASE("a run directory that was deleted between runs is made again") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  fs::remove_all(sandbox.run_dir());
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  fs::remove_all(sandbox.state_dir());
  CHECK(sandbox.run({"--project", "p", "--", "/bin/true"}).exit_status == 0);
  for (const std::string& directory : {sandbox.run_dir(), sandbox.state_dir()}) {
    struct stat status {};
    REQUIRE(stat(directory.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0700U);
  }
}

TEST_CASE("an image `host` that is rebuilt leaves the runs on the old one alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string shells = sandbox.directory() + "/shells";
  write_file(shells, "/bin/changed\n");
  REQUIRE(fs::exists("/etc/shells"));
  ProgramOptions changed;
  changed.before_exec = [&shells] {
    enter_private_mounts();
    replace_by("/etc/shells", shells.c_str());
  };
  const std::string script = "while [ ! -e /tmp/stop ]; do read -r line || exit 5; cat /etc/shells; done";
  std::string old_output;
  ProgramOptions options;
  options.after_start = [&](pid_t) {
    (void)wait_until(milliseconds(10'000),
                     [&] { return entries_of(sandbox.state_dir() + "/host-root") >= 2; });
    const ProgramResult newer = sandbox.run({"--", "/bin/cat", "/etc/shells"}, changed);
    CHECK(newer.out == "/bin/changed\n");
    // The lock and both roots: the old one is in use.
    CHECK(entries_of(sandbox.state_dir() + "/host-root") == 3);
  };
  options.input = "once\n";
  const ProgramResult old = sandbox.run({"--", "/bin/sh", "-c", script}, options);
  CHECK(old.exit_status == 5);
  CHECK(old.out == read_file("/etc/shells"));
  // A third state of the host: the two others are in nobody's use and go.
  write_file(shells, "/bin/changed/again\n");
  CHECK(sandbox.run({"--", "/bin/cat", "/etc/shells"}, changed).out == "/bin/changed/again\n");
  CHECK(entries_of(sandbox.state_dir() + "/host-root") == 2);
}

TEST_CASE("an image `host` whose removal was cut short is not used again") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const std::string roots = sandbox.state_dir() + "/host-root";
  std::string usr;
  for (const auto& entry : fs::directory_iterator(roots)) {
    if (entry.is_directory()) usr = entry.path().string() + "/usr";
  }
  REQUIRE(fs::exists(usr));
  const std::string shells = sandbox.directory() + "/shells";
  write_file(shells, "/bin/changed\n");
  // With something mounted in it the old root cannot be removed as a whole, as when the remover is killed.
  ProgramOptions changed;
  changed.before_exec = [&] {
    enter_private_mounts();
    replace_by("/etc/shells", shells.c_str());
    replace_by(usr.c_str(), "/usr");
  };
  CHECK(sandbox.run({"--", "/bin/true"}, changed).exit_status == 0);
  const ProgramResult again = sandbox.run({"--", "/bin/sh", "-c", "ls /etc/passwd"});
  CHECK_MESSAGE(again.exit_status == 0, again.err);
  CHECK(again.out == "/etc/passwd\n");
}

TEST_CASE(
    "what a killed supervisor left half made goes with the next start, or the next that makes or opens it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  fs::create_directories(sandbox.state_dir() + "/host-root/new/etc");
  REQUIRE(sandbox.run({"--project=p", "--disk=16M", "--", "/bin/true"}).exit_status == 0);
  const std::string projects = sandbox.state_dir() + "/projects";
  const std::string cache = sandbox.state_dir() + "/cache";
  const std::string gone = ".new.2147483647";  // above every pid
  const std::string living = cache + "/key.kind.new." + std::to_string(getpid());
  fs::create_directory(projects + "/.new");
  for (const std::string& path :
       {projects + "/.new/workspace.ext4", projects + "/p/workspace.ext4.new", projects + "/p/storage" + gone,
        cache + "/key.kind" + gone, cache + "/other.kind" + gone, living})
    write_file(path, "unfinished");

  // A project that is being made is left alone.
  const int lock = open(projects.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(flock(lock, LOCK_EX) == 0);
  CHECK(sandbox.sbxrun({"--direct", "--", "/bin/true"}).err ==
        "sbxrun: swept what killed runs left: 2 unfinished files of the cache\n");
  CHECK(fs::exists(projects + "/.new/workspace.ext4"));
  REQUIRE(close(lock) == 0);
  CHECK(sandbox.sbxrun({"--direct", "--", "/bin/true"}).err ==
        "sbxrun: swept what killed runs left: a project that was being made\n");
  CHECK_FALSE(fs::exists(projects + "/.new"));
  CHECK(fs::exists(living));
  fs::remove(living);

  CHECK(sandbox.run({"--project=p", "--", "/bin/true"}).exit_status == 0);
  CHECK(sandbox.leftovers(0) == "");
}

TEST_CASE("two runs in one new project at once see one workspace") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  constexpr int kRuns = 6;
  std::vector<ProgramResult> results(kRuns);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kRuns; ++i) {
    threads.emplace_back([&, i] {
      // Each makes its file and waits for all of them.
      const std::string script =
          "touch f" + std::to_string(i) +
          "; n=0; while [ $n -lt 1000 ]; do [ $(ls | wc -l) = 6 ] && exit 0; sleep 0.01; "
          "n=$((n+1)); done; exit 1";
      results[i] = sandbox.run({"--project", "shared", "--", "/bin/sh", "-c", script});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const ProgramResult& result : results) CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(entries_of(sandbox.state_dir() + "/projects") == 1);
}

}  // namespace sbx::test
