// The monitor log: exactly one line per run, whatever happened to the run, the log or the disk below it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
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

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

// Runs it and gives the one line that the log grew by.
json line_of(const Sandbox& sandbox, const std::vector<std::string>& arguments, ProgramOptions options = {}) {
  const std::size_t before = sandbox.log_lines().size();
  (void)sandbox.run(arguments, std::move(options));
  const auto lines = sandbox.log_lines();
  REQUIRE(lines.size() == before + 1);
  return lines.back();
}

// Lines of a log file and those that were rotated away.
std::vector<std::string> all_lines(const std::string& path) {
  std::vector<std::string> lines;
  for (int number = 0;; ++number) {
    const std::string file = number == 0 ? path : path + "." + std::to_string(number);
    if (!fs::exists(file)) return lines;
    std::istringstream text(read_file(file));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
  }
}

}  // namespace

TEST_CASE("a run that exited has one line with its result and without its output") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json result = sandbox.run_json({"--", "/bin/sh", "-c", "printf secret; exit 4"});
  const auto lines = sandbox.log_lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["run_id"] == result["run_id"]);
  CHECK(lines[0]["outcome"] == "exited");
  CHECK(lines[0]["exit_code"] == 4);
  CHECK(lines[0]["stdout"]["bytes"] == 6);
  CHECK(!lines[0]["stdout"].contains("text"));
}

TEST_CASE("environment values do not reach the log") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(sandbox.run({"--env", "TOKEN=hunter2", "--", "/bin/true"}).exit_status == 0);
  CHECK(read_file(sandbox.log()).find("hunter2") == std::string::npos);
  CHECK(read_file(sandbox.log()).find("TOKEN") != std::string::npos);
}

TEST_CASE("runs that never ran have one line each") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  json line = line_of(sandbox, {"--memory", "100G", "--", "/bin/true"});
  CHECK(line["outcome"] == "rejected");
  CHECK(line["started_at"].is_null());
  line = line_of(sandbox, {"--", "/no/such/program"});
  CHECK(line["outcome"] == "setup_failed");
  CHECK(line["step"] == "execve");
  line = line_of(sandbox, {"--image", "no-such-image", "--", "/bin/true"});
  CHECK(line["outcome"] == "setup_failed");
  line = line_of(sandbox, {"--cwd", "/no/such/directory", "--", "/bin/true"});
  CHECK(line["outcome"] == "setup_failed");
  line = line_of(sandbox, {"--bind", "/no/such/source:/mnt", "--", "/bin/true"});
  CHECK(line["outcome"] == "setup_failed");
  CHECK(sandbox.log_lines().size() == 5);
}

TEST_CASE("a cancelled run has one line") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.after_start = [&](pid_t sbxrun) {
    (void)wait_until(milliseconds(10'000), [&] { return runs_inside(mark); });
    (void)kill(sbxrun, SIGTERM);
  };
  const json line = line_of(sandbox, {"--", "/bin/sleep", mark}, options);
  CHECK(line["outcome"] == "cancelled");
  CHECK(line["signal"] == "SIGTERM");
}

TEST_CASE("wrong usage is no run and has no line") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(sandbox.run({"--memory", "nonsense", "--", "/bin/true"}).exit_status == 2);
  CHECK(sandbox.run({"--dry-run", "--", "/bin/true"}).exit_status == 0);
  CHECK(!fs::exists(sandbox.log()));
}

TEST_CASE("the log and its directory are made when they are missing, for root alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string log = sandbox.directory() + "/a/b/c/log.jsonl";
  CHECK(sandbox.run({"--log", log, "--", "/bin/true"}).exit_status == 0);
  CHECK(mode_of(log) == 0600);
  CHECK(mode_of(sandbox.directory() + "/a/b/c") == 0700);
  CHECK(mode_of(sandbox.directory() + "/a") == 0700);
  fs::remove_all(sandbox.directory() + "/a");
  CHECK(sandbox.run({"--log", log, "--", "/bin/true"}).exit_status == 0);
  CHECK(all_lines(log).size() == 1);
}

TEST_CASE("a torn last line is ended before the next one") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  std::ofstream(sandbox.log(), std::ios::app) << R"({"schema":1,"run_id":"01)";
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const auto lines = all_lines(sandbox.log());
  REQUIRE(lines.size() == 3);
  CHECK(json::accept(lines[0]));
  CHECK(lines[1] == R"({"schema":1,"run_id":"01)");
  CHECK(json::accept(lines[2]));
}

TEST_CASE("a log that rotates under parallel runs loses no line and tears none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string config = sandbox.directory() + "/config.yaml";
  write_file(config, "log: {rotate: 64K, keep: 20}\n");
  constexpr int kWriters = 8;
  constexpr int kRuns = 10;
  // A line of about 4 kB: the log rotates after 16 runs.
  const std::string padding(1000, 'x');
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (int run = 0; run < kRuns; ++run) {
        const std::string id = std::to_string(writer) + "-" + std::to_string(run);
        (void)sandbox.run({"--config", config, "--task", id, "--", "/bin/true", padding, padding});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::map<std::string, int> tasks;
  for (const std::string& line : all_lines(sandbox.log())) {
    const json parsed = json::parse(line, nullptr, false);
    REQUIRE_MESSAGE(!parsed.is_discarded(), "torn: " << line);
    REQUIRE_MESSAGE(parsed["task_id"].is_string(), line);
    ++tasks[parsed["task_id"].get<std::string>()];
  }
  CHECK(tasks.size() == kWriters * kRuns);
  for (const auto& [task, lines] : tasks) CHECK_MESSAGE(lines == 1, task << " has " << lines << " lines");
  REQUIRE(fs::exists(sandbox.log() + ".1"));
  for (const auto& entry : fs::directory_iterator(sandbox.directory() + "/log")) {
    CHECK_MESSAGE(entry.file_size() <= 64U << 10U, entry.path().string() << " is too large");
  }
}

TEST_CASE("no more rotated files are kept than the configuration says") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string config = sandbox.directory() + "/config.yaml";
  write_file(config, "log: {rotate: 2K, keep: 2}\n");
  for (int run = 0; run < 6; ++run) {
    CHECK(sandbox.run({"--config", config, "--", "/bin/true"}).exit_status == 0);
  }
  CHECK(fs::exists(sandbox.log() + ".2"));
  CHECK(!fs::exists(sandbox.log() + ".3"));
}

TEST_CASE("a log on a full file system does not stop a run, and the run says so") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string directory = sandbox.directory() + "/log";
  fs::create_directory(directory);
  ProgramOptions options;
  options.before_exec = [&directory] {
    enter_private_mounts();
    mount_tmpfs(directory.c_str(), "size=16k");
    fill_up(directory.c_str());
  };
  const ProgramResult result = sandbox.run({"--", "/bin/sh", "-c", "echo out; exit 7"}, options);
  CHECK(result.exit_status == 7);
  CHECK(result.out == "out\n");
  CHECK(result.err.find("the monitor log could not be written") != std::string::npos);
  CHECK(result.err.find("ENOSPC") != std::string::npos);
  CHECK(result.err.find(sandbox.log()) != std::string::npos);
  CHECK(sandbox.leftovers(0) == "");
}

TEST_CASE("a log that fills its file system keeps whole lines only") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string directory = sandbox.directory() + "/log";
  fs::create_directory(directory);
  // The script runs in the same mount namespace as the runs, which it starts until one cannot be recorded.
  ProgramOptions options;
  options.environment = {
      {"SBX_STATE_DIR", sandbox.state_dir()}, {"SBX_RUN_DIR", sandbox.run_dir()}, {"SBX_LOG", sandbox.log()}};
  options.before_exec = [&directory] {
    enter_private_mounts();
    mount_tmpfs(directory.c_str(), "size=16k");
  };
  const std::string script =
      "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do \"$0\" --direct --quiet -- /bin/true "
      "|| exit 1; done; cat \"$SBX_LOG\"";
  const ProgramResult result =
      run_program({"/bin/sh", "-c", script, program_directory() + "/sbxrun"}, options);
  CHECK(result.exit_status == 0);
  CHECK(result.err.find("ENOSPC") != std::string::npos);
  std::istringstream text(result.out);
  int lines = 0;
  for (std::string line; std::getline(text, line); ++lines)
    CHECK_MESSAGE(json::accept(line), "torn: " << line);
  CHECK(lines > 2);
  CHECK(lines < 16);
  CHECK(result.out.ends_with('\n'));
}

TEST_CASE("a log that cannot be opened does not stop a run, and the run says so") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  fs::create_directories(sandbox.log());  // a directory in its place
  const ProgramResult result = sandbox.run({"--", "/bin/sh", "-c", "exit 7"});
  CHECK(result.exit_status == 7);
  CHECK(result.err.find("the monitor log could not be written") != std::string::npos);
  CHECK(result.err.find(sandbox.log()) != std::string::npos);
  fs::remove_all(sandbox.log());

  REQUIRE(mkfifo(sandbox.log().c_str(), 0600) == 0);  // must not be waited for
  const ProgramResult with_fifo = sandbox.run({"--", "/bin/sh", "-c", "exit 7"});
  CHECK(with_fifo.exit_status == 7);
  CHECK(with_fifo.err.find("is not a regular file") != std::string::npos);
  fs::remove(sandbox.log());
}

TEST_CASE("a symbolic link in the place of the log is not followed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string victim = sandbox.directory() + "/victim";
  write_file(victim, "mine\n");
  fs::create_directory(sandbox.directory() + "/log");
  fs::create_symlink(victim, sandbox.log());
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(read_file(victim) == "mine\n");
}

TEST_CASE("a log that another process keeps locked delays a run for seconds, not for ever") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  fs::create_directory(sandbox.directory() + "/log");
  const int lock = open((sandbox.log() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(flock(lock, LOCK_EX) == 0);
  ProgramOptions options;
  options.timeout = scaled(milliseconds(20'000));
  const ProgramResult result = sandbox.run({"--", "/bin/sh", "-c", "exit 7"}, options);
  (void)close(lock);
  CHECK(result.exit_status == 7);
  CHECK(result.err.find("has been locked by another process") != std::string::npos);
}

}  // namespace sbx::test
