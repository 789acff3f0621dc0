// A run whose programs are killed, and what its places show afterwards.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "support/process_tree.h"
#include "support/sandbox.h"

namespace sbx::test {

using nlohmann::json;

inline const std::string kKilled = "the run was cancelled because its supervisor was killed";

// A program with children, one of them out of its session, that would run for a quarter of an hour.
inline std::vector<std::string> long_command(const std::string& mark) {
  return {"--", "/bin/sh", "-c", "sleep " + mark + " & setsid sleep " + mark + " & sleep " + mark};
}

inline std::vector<json> lines_with(const Sandbox& sandbox, const std::string& mark) {
  std::vector<json> lines;
  for (json& line : sandbox.log_lines()) {
    if (line["command"].dump().find(mark) != std::string::npos) lines.push_back(std::move(line));
  }
  return lines;
}

inline void check_every_run_has_one_line(const Sandbox& sandbox) {
  std::map<std::string, int> count;
  for (const json& line : sandbox.log_lines()) ++count[line["run_id"]];
  for (const auto& [id, times] : count)
    CHECK_MESSAGE(times == 1, "run " << id << " has " << times << " lines");
}

// Text of the journals that are not empty.
inline std::string journals(const Sandbox& sandbox) {
  std::string text;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(sandbox.run_dir() + "/ids", error))
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
inline Killed run_and_kill(const Sandbox& sandbox, const std::string& mark, const Kill& plan) {
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
    // Again when it was not there yet.
    (void)wait_until(milliseconds(5'000), [&] {
      const pid_t victim = find_program(sbxrun, plan.victim);
      killed.hit = victim > 0 && kill(victim, SIGKILL) == 0;
      return killed.hit || has_ended(sbxrun);
    });
  };
  killed.result = sandbox.run(long_command(mark), options);
  CHECK(!killed.result.timed_out);
  return killed;
}

inline void check_nothing_survives(const std::string& mark) {
  CHECK_MESSAGE(wait_until(milliseconds(2'000), [&] { return processes_with(mark).empty(); }),
                processes_with(mark).size() << " processes survived for 2 s");
}

}  // namespace sbx::test
