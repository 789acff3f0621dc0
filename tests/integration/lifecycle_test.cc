// What a killed program of ours leaves: nothing that runs, and exactly one line in the monitor log.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "support/process_tree.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kKilled = "the run was cancelled because its supervisor was killed";

// A program with children, one of them out of its session, that would run for a quarter of an hour.
std::vector<std::string> long_command(const std::string& mark) {
  return {"--", "/bin/sh", "-c", "sleep " + mark + " & setsid sleep " + mark + " & sleep " + mark};
}

std::vector<json> lines_with(const Sandbox& sandbox, const std::string& mark) {
  std::vector<json> lines;
  for (json& line : sandbox.log_lines()) {
    if (line["command"].dump().find(mark) != std::string::npos) lines.push_back(std::move(line));
  }
  return lines;
}

void check_every_run_has_one_line(const Sandbox& sandbox) {
  std::map<std::string, int> count;
  for (const json& line : sandbox.log_lines()) ++count[line["run_id"]];
  for (const auto& [id, times] : count)
    CHECK_MESSAGE(times == 1, "run " << id << " has " << times << " lines");
}

// Text of the journals that are not empty.
std::string journals(const Sandbox& sandbox) {
  std::string text;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(sandbox.run_dir() + "/ids", error))
    text += read_file(entry.path());
  return text;
}

struct Kill {
  Program victim;
  std::chrono::microseconds delay{0};
  bool when_running = false;  // not before the program inside runs
};

struct Killed {
  bool hit = false;  // the victim was there
  ProgramResult result;
};

// Starts a long run and kills one of our programs in it.
Killed run_and_kill(const Sandbox& sandbox, const std::string& mark, const Kill& plan) {
  Killed killed;
  ProgramOptions options;
  options.null_input = true;
  options.timeout = scaled(milliseconds(20'000));
  options.after_start = [&](pid_t sbxrun) {
    if (plan.when_running) {
      // sbxrun, the shell and three times sleep.
      (void)wait_until(milliseconds(10'000),
                       [&] { return has_ended(sbxrun) || processes_with(mark).size() >= 5; });
    } else {
      std::this_thread::sleep_for(plan.delay);
    }
    pid_t victim = -1;
    (void)wait_until(milliseconds(5'000), [&] {
      victim = find_program(sbxrun, plan.victim);
      return victim > 0 || has_ended(sbxrun);
    });
    killed.hit = victim > 0 && kill(victim, SIGKILL) == 0;
  };
  killed.result = sandbox.run(long_command(mark), options);
  CHECK(!killed.result.timed_out);
  return killed;
}

void check_nothing_survives(const std::string& mark) {
  CHECK_MESSAGE(wait_until(milliseconds(2'000), [&] { return processes_with(mark).empty(); }),
                processes_with(mark).size() << " processes survived for 2 s");
}

}  // namespace

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
  CHECK(lines[0]["message"] == kKilled);
  CHECK(sandbox.log_lines().size() == 2);

  CHECK(sandbox.run({"--", "/bin/true"}).exit_status == 0);
  CHECK(lines_with(sandbox, mark).size() == 1);
  CHECK(sandbox.log_lines().size() == 3);
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
      CHECK(lines[0]["message"] == kKilled);
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

TEST_CASE("many supervisors killed at once are all swept by the next starts, which may come at once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  constexpr int kRuns = 8;
  std::vector<std::string> marks;
  std::vector<std::thread> threads;
  for (int i = 0; i < kRuns; ++i) marks.push_back(unique_duration());
  for (const std::string& mark : marks) {
    threads.emplace_back([&sandbox, mark] {
      (void)run_and_kill(sandbox, mark, {Program::direct, {}, true});
    });
  }
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (const std::string& mark : marks) check_nothing_survives(mark);
  std::vector<int> exits(kRuns, -1);
  for (int& status : exits) {
    threads.emplace_back([&sandbox, &status] { status = sandbox.run({"--", "/bin/true"}).exit_status; });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::ranges::count(exits, 0) == kRuns);
  CHECK(sandbox.leftovers(2) == "");
  for (const std::string& mark : marks) {
    const auto lines = lines_with(sandbox, mark);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0]["message"] == kKilled);
  }
  CHECK(sandbox.log_lines().size() == 2 * kRuns);
}

TEST_CASE("32 runs at once all end right and are all recorded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  constexpr std::size_t kRuns = 32;
  std::vector<ProgramResult> results(kRuns);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kRuns; ++i) {
    threads.emplace_back([&, i] {
      const std::string number = std::to_string(i);
      results[i] =
          sandbox.shell("echo out-" + number + "; echo err-" + number + " >&2; sleep 0.2; exit " + number);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < kRuns; ++i) {
    CHECK(results[i].exit_status == static_cast<int>(i));
    CHECK(results[i].out == "out-" + std::to_string(i) + "\n");
    CHECK(results[i].err == "err-" + std::to_string(i) + "\n");
  }
  std::set<std::string> ids;
  std::set<int> codes;
  for (const json& line : sandbox.log_lines()) {
    ids.insert(line["run_id"]);
    codes.insert(line["exit_code"].get<int>());
  }
  CHECK(ids.size() == kRuns);
  CHECK(codes.size() == kRuns);
  CHECK(sandbox.log_lines().size() == kRuns);
  CHECK(sandbox.leftovers(0) == "");
}

}  // namespace sbx::test
