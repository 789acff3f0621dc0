// What a killed or stopped program of ours leaves: nothing that runs, and exactly one line in the monitor
// log.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <random>
#include <set>

#include "lifecycle_fixture.h"
#include "support/skip.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

TEST_CASE("a sandbox whose sbxrun was killed is cancelled, removed and recorded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  REQUIRE(run_and_kill(sandbox, mark, {Program::sbxrun, {}, true}).hit);
  check_nothing_survives(mark);
  CHECK(sandbox.leftovers(2) == "");
  const auto lines = lines_with(sandbox, mark);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["outcome"] == "cancelled");
  CHECK(lines[0]["message"].get<std::string>().find("caller went away") != std::string::npos);
}

TEST_CASE("a sandbox whose supervisor was killed dies at once and is recorded by the next start") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  const Killed killed = run_and_kill(sandbox, mark, {Program::direct, {}, true});
  REQUIRE(killed.hit);
  CHECK(killed.result.exit_status == 125);
  CHECK(killed.result.err.find("the supervisor ended") != std::string::npos);
  check_nothing_survives(mark);
  CHECK(lines_with(sandbox, mark).empty());
  CHECK(journals(sandbox).find(mark) != std::string::npos);

  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(sandbox.leftovers(0) == "");
  CHECK(journals(sandbox).empty());
  const auto lines = lines_with(sandbox, mark);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["outcome"] == "cancelled");
  CHECK(lines[0]["status"] == "error");
  CHECK(lines[0]["message"].get<std::string>().starts_with(kKilled));
  CHECK(sandbox.log_lines().size() == 2);

  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(lines_with(sandbox, mark).size() == 1);
  CHECK(sandbox.log_lines().size() == 3);
}

TEST_CASE("the start after a kill says what it swept, on standard error and in the line of the killed run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const bool quiet : {false, true}) {
    const std::string mark = unique_duration();
    const Killed killed = run_and_kill(sandbox, mark, {Program::direct, {}, true});
    REQUIRE(killed.hit);
    check_nothing_survives(mark);
    const ProgramResult next =
        quiet ? sandbox.run({"--", "/bin/true"}) : sandbox.sbxrun({"--direct", "--", "/bin/true"});
    CHECK(next.exit_status == 0);
    const auto lines = lines_with(sandbox, mark);
    REQUIRE(lines.size() == 1);
    const std::string said =
        "swept what killed runs left: " + lines[0]["run_id"].get<std::string>() + " (its ids, ";
    CHECK_MESSAGE((next.err.find(said) != std::string::npos) == !quiet, next.err);
    if (quiet) CHECK(next.err == "");
    const std::string message = lines[0]["message"];
    CHECK_MESSAGE(message.starts_with(kKilled + "; the next start removed its ids, "), message);
    CHECK_MESSAGE(message.find(" cgroup") != std::string::npos, message);
  }
  CHECK(sandbox.sbxrun({"--direct", "--", "/bin/true"}).err.find("swept") == std::string::npos);
}

TEST_CASE("a sandbox whose spawner was killed ends at once as our failure") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  const Killed killed = run_and_kill(sandbox, mark, {Program::spawner, {}, true});
  REQUIRE(killed.hit);
  CHECK(killed.result.exit_status == 125);
  CHECK(killed.result.err.find("spawner ended") != std::string::npos);
  check_nothing_survives(mark);
  CHECK(sandbox.leftovers(0) == "");
  const auto lines = lines_with(sandbox, mark);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["outcome"] == "setup_failed");
  CHECK(lines[0]["message"].get<std::string>().find("spawner ended") != std::string::npos);
}

TEST_CASE("a sandbox whose init was killed ends at once as our failure") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  const Killed killed = run_and_kill(sandbox, mark, {Program::init, {}, true});
  REQUIRE(killed.hit);
  CHECK(killed.result.exit_status == 125);
  check_nothing_survives(mark);
  CHECK(sandbox.leftovers(0) == "");
  const auto lines = lines_with(sandbox, mark);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["outcome"] == "setup_failed");
  CHECK(lines[0]["message"].get<std::string>().find("init was killed") != std::string::npos);
}

TEST_CASE("a stopped spawner does not keep a run beyond its end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  pid_t spawner = -1;
  ProgramOptions options;
  options.timeout = scaled(milliseconds(20'000));
  options.after_start = [&](pid_t sbxrun) {
    (void)wait_until(milliseconds(10'000), [&] { return processes_with(mark).size() >= 5; });
    spawner = find_program(sbxrun, Program::spawner);
    REQUIRE(spawner > 0);
    (void)kill(spawner, SIGSTOP);
  };
  std::vector<std::string> arguments = long_command(mark);
  arguments.insert(arguments.begin(), {"--wall-time", "1s"});
  const ProgramResult result = sandbox.run(arguments, options);
  CHECK(!result.timed_out);
  CHECK(result.exit_status == 124);
  check_nothing_survives(mark);
  CHECK(wait_until(milliseconds(10'000),
                   [&] { return !std::filesystem::exists("/proc/" + std::to_string(spawner)); }));
  (void)kill(spawner, SIGKILL);  // it is still there where the check above failed
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(sandbox.leftovers(2) == "");
  CHECK(lines_with(sandbox, mark).size() == 1);
}

TEST_CASE("a sandbox whose spawner was killed beside a stopped supervisor ends at once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.timeout = scaled(milliseconds(60'000));
  options.after_start = [&](pid_t sbxrun) {
    REQUIRE(wait_until(milliseconds(10'000), [&] { return processes_with(mark).size() >= 5; }));
    const pid_t supervisor = find_program(sbxrun, Program::direct);
    REQUIRE(kill(supervisor, SIGSTOP) == 0);
    REQUIRE(kill(find_program(sbxrun, Program::spawner), SIGKILL) == 0);
    CHECK(wait_until(milliseconds(5'000), [&] { return !runs_inside(mark); }));
    REQUIRE(kill(supervisor, SIGCONT) == 0);
  };
  const ProgramResult result = sandbox.run(long_command(mark), options);
  CHECK_FALSE(result.timed_out);
  CHECK(result.exit_status == 125);
  check_nothing_survives(mark);
}

TEST_CASE("a stopped supervisor does not keep sbxrun from ending at the third signal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.null_input = true;
  options.timeout = scaled(milliseconds(60'000));
  options.after_start = [&](pid_t sbxrun) {
    REQUIRE(wait_until(milliseconds(10'000), [&] { return processes_with(mark).size() >= 5; }));
    REQUIRE(kill(find_program(sbxrun, Program::direct), SIGSTOP) == 0);
    for (int i = 0; i < 3; ++i) {
      (void)kill(sbxrun, SIGTERM);
      std::this_thread::sleep_for(milliseconds(200));  // else the kernel makes one of them
    }
  };
  const ProgramResult result = sandbox.run(long_command(mark), options);
  CHECK_FALSE(result.timed_out);
  CHECK(result.exit_status == 143);
  CHECK_MESSAGE(result.err.find("the supervisor did not answer") != std::string::npos, result.err);
  check_nothing_survives(mark);
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);  // sweeps
  REQUIRE(lines_with(sandbox, mark).size() == 1);
  CHECK(lines_with(sandbox, mark).front()["message"].get<std::string>().starts_with(kKilled));
}

TEST_CASE("what the caller ignores or is limited to does not change how a run ends") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string result_file = sandbox.directory() + "/result.json";
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  write_file(sandbox.log(), std::string(3U << 20U, 'x') + "\n");  // larger than a file may be
  ProgramOptions program;
  program.before_exec = [] {
    const rlimit small{2U << 20U, 2U << 20U};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) _exit(99);
    (void)signal(SIGCHLD, SIG_IGN);
  };
  const ProgramResult result =
      sandbox.run({"--result", result_file, "--", "/bin/sh", "-c", "echo said; exit 3"}, program);
  CHECK(result.exit_status == 3);
  CHECK(result.out == "said\n");
  CHECK_MESSAGE(result.err.find("EFBIG") != std::string::npos, result.err);  // the log
  CHECK(json::parse(read_file(result_file))["exit_code"] == 3);
}

TEST_CASE("a stopped init does not keep a run beyond its end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  ProgramOptions options;
  options.timeout = scaled(milliseconds(20'000));
  options.after_start = [&](pid_t sbxrun) {
    (void)wait_until(milliseconds(10'000), [&] { return processes_with(mark).size() >= 5; });
    const pid_t init = find_program(sbxrun, Program::init);
    REQUIRE(init > 0);
    // It has told that the command was started, and waits: the wall time counts.
    const std::string waiting = std::to_string(SYS_ppoll) + " ";
    (void)wait_until(milliseconds(10'000), [&] {
      return read_file("/proc/" + std::to_string(init) + "/syscall").starts_with(waiting);
    });
    (void)kill(init, SIGSTOP);
  };
  std::vector<std::string> arguments = long_command(mark);
  arguments.insert(arguments.begin(), {"--wall-time", "1s"});
  const ProgramResult result = sandbox.run(arguments, options);
  CHECK(!result.timed_out);
  CHECK(result.exit_status == 124);
  check_nothing_survives(mark);
  CHECK(sandbox.leftovers(2) == "");
}

TEST_CASE("a kill -9 of any program of ours at any moment leaves nothing and loses no line") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  REQUIRE(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::size_t plain_runs = 1;
  for (int round = 0; round < 30; ++round) {
    const auto victim = static_cast<Program>(round % 4);
    const auto delay = std::chrono::microseconds(random() % 30'000U) * time_scale();
    CAPTURE(round);
    CAPTURE(program_name(victim));
    CAPTURE(delay.count());
    const std::string mark = unique_duration();
    const Killed killed = run_and_kill(sandbox, mark, {victim, delay, false});
    CHECK(killed.hit);
    check_nothing_survives(mark);
    // Only a supervisor that was killed itself leaves its journal: to the next start.
    const bool left_to_next = victim == Program::direct;
    if (!left_to_next) CHECK(sandbox.leftovers(2) == "");
    const bool journaled = journals(sandbox).find(mark) != std::string::npos;
    const ProgramResult next = sandbox.run({"--", "/bin/true"});
    ++plain_runs;
    CHECK(next.exit_status == 0);
    CHECK(next.err == "");
    CHECK(sandbox.leftovers(0) == "");
    const auto lines = lines_with(sandbox, mark);
    // Killed before its sandbox was begun, or before the supervisor had the request: no run, no line.
    CHECK(lines.size() <= 1);
    if (journaled) {
      REQUIRE(lines.size() == 1);
      CHECK(lines[0]["message"].get<std::string>().starts_with(kKilled));
    }
    if (victim == Program::spawner || victim == Program::init) CHECK(lines.size() == 1);
    for (const json& line : lines) {
      CHECK((line["outcome"] == "cancelled" || line["outcome"] == "setup_failed"));
    }
  }
  check_every_run_has_one_line(sandbox);
  std::size_t plain_lines = 0;
  for (const json& line : sandbox.log_lines()) plain_lines += line["command"] == json{"/bin/true"} ? 1U : 0U;
  CHECK(plain_lines == plain_runs);
}

TEST_CASE("supervisors killed while they finish leave one line each") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::mt19937 random(7);
  std::set<std::string> marks;
  for (int round = 0; round < 20; ++round) {
    const std::string mark = "mark-" + unique_duration();
    marks.insert(mark);
    ProgramOptions options;
    options.after_start = [&](pid_t sbxrun) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000U) * time_scale());
      if (const pid_t direct = find_program(sbxrun, Program::direct); direct > 0) (void)kill(direct, SIGKILL);
    };
    (void)sandbox.run({"--", "/bin/echo", mark}, options);
  }
  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(sandbox.leftovers(0) == "");
  check_every_run_has_one_line(sandbox);
  for (const std::string& mark : marks) CHECK(lines_with(sandbox, mark).size() <= 1);
}

TEST_SUITE_END();

}  // namespace sbx::test
