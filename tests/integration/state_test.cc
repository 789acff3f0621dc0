// Bad states of our own directories: full or read-only file systems, and what a killed supervisor or a bad
// disk left in the journals.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "support/private_mounts.h"
#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The run must fail as ours, name the path, and leave nothing.
void check_clear_failure(const Sandbox& sandbox, const ProgramResult& result, const std::string& path,
                         const std::string& error) {
  CHECK(result.exit_status == 125);
  CHECK(result.out == "");
  CHECK_MESSAGE(result.err.find(path) != std::string::npos, "does not name " << path << ": " << result.err);
  CHECK_MESSAGE(result.err.find(error) != std::string::npos, result.err);
  CHECK(sandbox.leftovers(0) == "");
}

std::string journal_path(const Sandbox& sandbox, int slot) {
  return sandbox.run_dir() + "/ids/" + std::to_string(slot);
}

void write_journal(const Sandbox& sandbox, int slot, const std::string& text) {
  fs::create_directories(sandbox.run_dir() + "/ids");
  write_file(journal_path(sandbox, slot), text);
}

// A record as a killed run leaves it.
std::string record(const std::string& id) {
  return R"({"schema":1,"run_id":"01a1fc1a-3941-7150-b79f-)" + id +
         R"(","outcome":"cancelled","command":["x"]})";
}

constexpr const char* kId = "0123456789ab";

// A configuration with a pool of one range for sandboxes, which no other run of this machine uses.
std::string tiny_pool() {
  const std::uint32_t range = 0x7000 + 4096 - 2 * static_cast<std::uint32_t>(1 + getpid() % 1000);
  return "id_pool: {first: " + std::to_string(range * 65536) + ", ranges: 2}\n";
}

}  // namespace

TEST_CASE("a state directory on a read-only file system is a clear error") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string state = sandbox.state_dir();
  fs::create_directory(state);
  ProgramOptions options;
  options.before_exec = [&state] {
    enter_private_mounts();
    make_read_only(state.c_str());
  };
  const ProgramResult result = sandbox.run({"--", "/bin/true"}, options);
  check_clear_failure(sandbox, result, state, "EROFS");
  CHECK(sandbox.log_lines().size() == 1);
  CHECK(sandbox.log_lines().back()["outcome"] == "setup_failed");
}

TEST_CASE("a state directory that became read-only still serves what is in it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string state = sandbox.state_dir();
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  ProgramOptions options;
  options.before_exec = [&state] {
    enter_private_mounts();
    make_read_only(state.c_str());
  };
  CHECK(sandbox.run({"--", "/bin/true"}, options).exit_status == 0);
  const ProgramResult result = sandbox.run({"--project", "new", "--", "/bin/true"}, options);
  check_clear_failure(sandbox, result, state + "/projects", "EROFS");
}

TEST_CASE("a directory of ours that somebody else can change is refused, and nothing in it is obeyed") {
  SKIP_UNLESS(is_root(), "needs root");
  constexpr uid_t kSomebody = 65534;
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--project", "p", "--", "/bin/true"}).exit_status == 0);
  for (const std::string& directory :
       {sandbox.state_dir(), sandbox.state_dir() + "/host-root", sandbox.state_dir() + "/projects",
        sandbox.run_dir(), sandbox.run_dir() + "/ids"}) {
    CAPTURE(directory);
    const std::size_t lines = sandbox.log_lines().size();
    // Were it obeyed, this would be a line in the log.
    write_journal(sandbox, 77, "record " + record(kId) + "\n");
    REQUIRE(chown(directory.c_str(), kSomebody, kSomebody) == 0);
    const auto check_refused = [&](const std::string& why) {
      const ProgramResult result = sandbox.run({"--", "/bin/true"});
      CHECK(result.exit_status == 125);
      CHECK_MESSAGE(result.err.find("'" + directory + "' " + why) != std::string::npos, result.err);
    };
    check_refused("belongs to uid 65534");
    REQUIRE(chown(directory.c_str(), 0, 0) == 0);
    REQUIRE(chmod(directory.c_str(), 0777) == 0);
    check_refused("can be changed by others (mode 0777): chmod go-w");
    REQUIRE(chmod(directory.c_str(), 0700) == 0);
    REQUIRE(sandbox.log_lines().size() == lines + 2);
    CHECK(sandbox.log_lines().back()["outcome"] == "setup_failed");
    write_journal(sandbox, 77, "");
  }
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
}

TEST_CASE("a killed run gets its line in its own log, also from a run with another one or a smaller pool") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string own_log = sandbox.directory() + "/own.jsonl";
  const std::string config = sandbox.directory() + "/config.yaml";
  write_file(config, tiny_pool());
  write_journal(sandbox, 77, "log " + own_log + "\nrecord " + record(kId) + "\n");
  CHECK(sandbox.run({"--config", config, "--", "/bin/true"}).exit_status == 0);
  const std::string line = record(kId);
  CHECK(read_file(own_log).starts_with(line.substr(0, line.size() - 1) + ",\"seq\":1,"));
  CHECK(sandbox.log_lines().size() == 1);
  CHECK(read_file(journal_path(sandbox, 77)) == "");
}

TEST_CASE("a state directory on a full file system is a clear error") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string state = sandbox.state_dir();
  fs::create_directory(state);
  const auto full = [&state](const char* size) {
    ProgramOptions options;
    options.before_exec = [&state, size] {
      enter_private_mounts();
      mount_tmpfs(state.c_str(), size);
    };
    return options;
  };
  check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}, full("size=64k,mode=0700")), state, "ENOSPC");
  check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}, full("nr_inodes=20,mode=0700")), state,
                      "ENOSPC");
  check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}, full("nr_inodes=1,mode=0700")), state,
                      "ENOSPC");
}

TEST_CASE("a project that does not fit on the file system leaves no half of itself") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const std::string projects = sandbox.state_dir() + "/projects";
  fs::create_directory(projects);
  ProgramOptions options;
  options.environment = {
      {"SBX_STATE_DIR", sandbox.state_dir()}, {"SBX_RUN_DIR", sandbox.run_dir()}, {"SBX_LOG", sandbox.log()}};
  options.before_exec = [&projects] {
    enter_private_mounts();
    mount_tmpfs(projects.c_str(), "nr_inodes=5,mode=0700");
  };
  const std::string script = "\"$0\" --direct --quiet --project p -- /bin/true; echo $?; ls -A \"$1\"";
  const ProgramResult result =
      run_program({"/bin/sh", "-c", script, program_directory() + "/sbxrun", projects}, options);
  CHECK(result.out == "125\n");
  CHECK(result.err.find("ENOSPC") != std::string::npos);
  CHECK_MESSAGE(result.err.find(projects) != std::string::npos, result.err);
}

TEST_CASE("a run directory on a read-only or full file system is a clear error") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string run = sandbox.run_dir();
  fs::create_directory(run);
  ProgramOptions options;
  options.before_exec = [&run] {
    enter_private_mounts();
    make_read_only(run.c_str());
  };
  check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}, options), run, "EROFS");
  for (const char* size :
       {"nr_inodes=1,mode=0700", "nr_inodes=2,mode=0700", "nr_inodes=3,mode=0700", "nr_inodes=5,mode=0700"}) {
    CAPTURE(size);
    options.before_exec = [&run, size] {
      enter_private_mounts();
      mount_tmpfs(run.c_str(), size);
    };
    check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}, options), run, "ENOSPC");
  }
  options.before_exec = [&run] {
    enter_private_mounts();
    mount_tmpfs(run.c_str(), "size=4k,mode=0700");
    fill_up(run.c_str());
  };
  check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}, options), run, "ENOSPC");
}

TEST_CASE("a path of ours that is a file is a clear error") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  write_file(sandbox.state_dir(), "");
  check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}), sandbox.state_dir(), "ENOTDIR");
  fs::remove(sandbox.state_dir());
  fs::remove_all(sandbox.run_dir());
  write_file(sandbox.run_dir(), "");
  check_clear_failure(sandbox, sandbox.run({"--", "/bin/true"}), sandbox.run_dir(), "ENOTDIR");
}

TEST_CASE("a killed run's record reaches the log once, and its range is free again") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  write_journal(sandbox, 5, "cgroup /sys/fs/cgroup/no/such/sbx-group\nrecord " + record(kId) + "\n");
  CHECK(sandbox.run({"--", "/bin/true"}).err == "");
  CHECK(sandbox.log_lines().size() == 2);
  CHECK(read_file(journal_path(sandbox, 5)).empty());
  // Killed between its line and the end of its journal: the line is there already.
  write_journal(sandbox, 5, "record " + record(kId) + "\n");
  CHECK(sandbox.run({"--", "/bin/true"}).err == "");
  CHECK(sandbox.log_lines().size() == 3);
  CHECK(read_file(journal_path(sandbox, 5)).empty());
}

TEST_CASE("a journal that a kill cut short or a bad disk spoiled harms neither the run nor the log") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  using namespace std::string_literals;
  const std::vector<std::string> spoiled{"garbage",
                                         "\n\n\n",
                                         "\0\xff\xfe cgroup\n"s,
                                         "cgroup",
                                         "cgroup \nrecord \n",
                                         "record {\"run_id\":\"half",
                                         "record {\"run_id\":\"half\n",
                                         "record not json\n",
                                         "record [1,2]\nrecord \"\n",
                                         std::string(70'000, 'x')};
  int slot = 1;
  for (const std::string& text : spoiled) write_journal(sandbox, slot++, text);
  const ProgramResult result = sandbox.run({"--", "/bin/true"});
  CHECK(result.exit_status == 0);
  // log_lines() checks that each line is JSON.
  CHECK(sandbox.log_lines().size() == 1);
  CHECK(sandbox.leftovers(0) == "");
}

TEST_CASE("a journal that names what is not ours removes nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string innocent = sandbox.directory() + "/innocent";
  fs::create_directory(innocent);
  write_journal(sandbox, 3, "cgroup " + innocent + "\nrecord " + record(kId) + "\n");
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(fs::exists(innocent));
}

TEST_CASE("an orphan that cannot be removed does not keep the others") {
  SKIP_UNLESS(is_root(), "needs root");
  Sandbox sandbox;
  const std::string stuck = sandbox.directory() + "/sbx-stuck";
  fs::create_directories(stuck + "/not-empty");
  write_journal(sandbox, 3, "cgroup " + stuck + "\nrecord " + record("000000000001") + "\n");
  write_journal(sandbox, 4, "record " + record("000000000002") + "\n");
  const ProgramResult result = sandbox.run({"--", "/bin/sh", "-c", "exit 6"});
  CHECK(result.exit_status == 6);
  CHECK(read_file(sandbox.log()).find("000000000002") != std::string::npos);
  CHECK(read_file(journal_path(sandbox, 4)).empty());
  sandbox.expect_leftovers();
}

TEST_CASE("a claim that a living process holds is neither taken nor swept") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string text = "record " + record(kId) + "\n";
  write_journal(sandbox, 1, text);
  const int fd = open(journal_path(sandbox, 1).c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(flock(fd, LOCK_EX) == 0);
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(read_file(journal_path(sandbox, 1)) == text);
  CHECK(sandbox.log_lines().size() == 1);
  (void)close(fd);
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(sandbox.log_lines().size() == 3);
  CHECK(read_file(journal_path(sandbox, 1)).empty());
}

TEST_CASE("a living run is not swept by the start of another") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.after_start = [&](pid_t) {
    (void)wait_until(milliseconds(10'000), [&] { return runs_inside(mark); });
    for (int i = 0; i < 3; ++i) CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
    CHECK(runs_inside(mark));
  };
  // What the run's line must show is its own end, not that it was swept.
  const ProgramResult result = sandbox.run({"--wall-time", "2s", "--", "/bin/sleep", mark}, options);
  CHECK(result.exit_status == 124);
  CHECK(sandbox.log_lines().size() == 4);
  CHECK(sandbox.log_lines().back()["outcome"] == "timed_out");
}

TEST_CASE("no free id range is a clear error") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string config = sandbox.directory() + "/config.yaml";
  write_file(config, tiny_pool());
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.after_start = [&](pid_t sbxrun) {
    (void)wait_until(milliseconds(10'000), [&] { return runs_inside(mark); });
    const ProgramResult second = sandbox.run({"--config", config, "--", "/bin/true"});
    CHECK(second.exit_status == 125);
    CHECK(second.err.find("no id range is free") != std::string::npos);
    (void)kill(sbxrun, SIGTERM);
  };
  (void)sandbox.run({"--config", config, "--", "/bin/sleep", mark}, options);
  CHECK(sandbox.run({"--config", config, "--", "/bin/true"}).exit_status == 0);
  CHECK(sandbox.log_lines().size() == 3);
}

TEST_CASE("runs of two run directories have id ranges of their own, and a killed one keeps its") {
  SKIP_UNLESS(is_root(), "needs root");
  Sandbox one;
  const Sandbox two;
  const std::string config = two.directory() + "/config.yaml";
  write_file(config, tiny_pool());
  const auto run_two = [&] { return two.run({"--config", config, "--", "/bin/true"}); };
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.after_start = [&](pid_t sbxrun) {
    (void)wait_until(milliseconds(10'000), [&] { return runs_inside(mark); });
    const ProgramResult second = run_two();
    CHECK(second.exit_status == 125);
    CHECK_MESSAGE(second.err.find("no id range is free") != std::string::npos, second.err);
    const pid_t supervisor = find_program(sbxrun, Program::direct);
    REQUIRE(supervisor > 0);
    (void)kill(supervisor, SIGKILL);
  };
  (void)one.run({"--config", config, "--", "/bin/sleep", mark}, options);
  // Only its own run directory knows what has to be removed before the range is free.
  CHECK(run_two().exit_status == 125);
  CHECK(one.run({"--config", config, "--", "/bin/true"}).exit_status == 0);
  CHECK(run_two().exit_status == 0);
}

}  // namespace sbx::test
