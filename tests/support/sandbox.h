// A place of its own for the runs of one test: state, run and log directories in a temporary directory that
// goes with it. At its end it checks that the runs left nothing on the host: no process, mount, cgroup,
// journal or file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/program.h"

namespace sbx::test {

class Sandbox {
 public:
  Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  ~Sandbox();

  // sbxrun --direct --quiet ARGUMENTS…
  ProgramResult run(const std::vector<std::string>& arguments, ProgramOptions options = {}) const;
  // The same with --json; the parsed result object (checked to be one JSON line). null when there is none.
  nlohmann::json run_json(const std::vector<std::string>& arguments, ProgramOptions options = {}) const;
  // sbxrun with exactly these arguments (SBX_STATE_DIR and the others are set).
  ProgramResult sbxrun(const std::vector<std::string>& arguments, ProgramOptions options = {}) const;
  // WRAPPER… sbxrun --direct --quiet ARGUMENTS…
  ProgramResult run_by(std::vector<std::string> wrapper, const std::vector<std::string>& arguments,
                       ProgramOptions options = {}) const;

  // A shell script in the image `host`.
  [[nodiscard]] ProgramResult shell(const std::string& script, std::vector<std::string> options = {}) const;

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string state_dir() const { return directory_ + "/state"; }
  [[nodiscard]] std::string run_dir() const { return directory_ + "/run"; }
  [[nodiscard]] std::string log() const { return directory_ + "/log/monitor.jsonl"; }
  // The lines of the monitor log, parsed.
  [[nodiscard]] std::vector<nlohmann::json> log_lines() const;
  // What is in the log besides results; `of`: only those whose name begins so.
  [[nodiscard]] std::vector<nlohmann::json> events(const std::string& of = {}) const;
  // Waits until nothing of this place's runs is left; what is, after `seconds`, as text (empty: nothing).
  [[nodiscard]] std::string leftovers(int seconds = 5) const;
  // A sandbox was left behind on purpose (kill -9): do not fail at the end.
  void expect_leftovers() { check_leftovers_ = false; }

 private:
  ProgramResult start(std::vector<std::string> all, const std::vector<std::string>& arguments,
                      ProgramOptions options) const;

  std::string directory_;
  bool check_leftovers_ = true;
};

// The directory with our programs (SBX_TEST_BIN), and the one with the test probes (SBX_TEST_PROBES).
std::string program_directory();
std::string probe_directory();

// SBX_TEST_TIME_SCALE: how much slower than a real machine this one is (an emulated one: 10).
int time_scale();

// No limit was felt, says this result. Starting a program on an emulated machine takes more CPU time than one
// processor gives: there the limit of CPUs is felt by everything and says nothing.
bool nothing_felt(const nlohmann::json& result);

// Writes a file of the test.
void write_file(const std::string& path, const std::string& text);
std::string read_file(const std::string& path);

// `text` with `from`, which must be in it, replaced by `to`.
std::string replaced(std::string text, const std::string& from, const std::string& to);

}  // namespace sbx::test
