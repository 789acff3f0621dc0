// Signals to sbxrun: forwarded once, then the program has a grace; at the second, or after the grace,
// everything is killed. The record is written in every case.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool wait_for(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30 * time_scale());
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

// A directory that the program writes its marks to: /mark inside.
struct Marks {
  explicit Marks(const Sandbox& sandbox) : directory(sandbox.directory() + "/mark") {
    std::filesystem::create_directory(directory);
  }
  [[nodiscard]] Strings options() const { return {"-v", directory + ":/mark"}; }
  [[nodiscard]] bool has(const std::string& name) const {
    return std::filesystem::exists(directory + "/" + name);
  }
  std::string directory;
};

// Runs the script and calls `then` with sbxrun's pid as soon as the script has made /mark/ready.
ProgramResult run_and(const Sandbox& sandbox, const Marks& marks, const std::string& script, Strings options,
                      const std::function<void(pid_t)>& then) {
  ProgramOptions program;
  program.null_input = true;
  program.after_start = [&](pid_t pid) {
    CHECK(wait_for([&] { return marks.has("ready"); }));
    then(pid);
  };
  for (const std::string& option : marks.options()) options.push_back(option);
  for (const char* argument : {"--", "/bin/sh", "-c"}) options.emplace_back(argument);
  options.push_back(script);
  return sandbox.run(options, program);
}

void check_cancelled(const Sandbox& sandbox, const char* signal) {
  REQUIRE(sandbox.log_lines().size() == 1);
  const json record = sandbox.log_lines()[0];
  CHECK(record["outcome"] == "cancelled");
  CHECK(record["status"] == "error");
  CHECK(record["signal"] == signal);
  CHECK(record["message"].get<std::string>().find(signal) != std::string::npos);
  CHECK(sandbox.leftovers().empty());
}

// Sleeps in small pieces, so that a shell runs its trap soon.
constexpr const char* kForever = "while :; do sleep 0.1; done";

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE(
    "SIGINT, SIGTERM and SIGHUP are forwarded once, and a program that ends by its handler was cancelled") {
  SKIP_UNLESS(is_root(), "needs root");
  struct Case {
    int number;
    const char* name;
    int exit_status;
  };
  for (const Case& one : {Case{SIGINT, "INT", 130}, Case{SIGTERM, "TERM", 143}, Case{SIGHUP, "HUP", 143}}) {
    const Sandbox sandbox;
    const Marks marks(sandbox);
    const std::string script =
        std::string("trap 'echo x >> /mark/handled; exit 7' ") + one.name + "; : > /mark/ready; " + kForever;
    const ProgramResult result =
        run_and(sandbox, marks, script, {}, [&](pid_t pid) { (void)kill(pid, one.number); });
    INFO("signal " << std::string(one.name) << " record " << sandbox.log_lines()[0].dump());
    CHECK(result.exit_status == one.exit_status);
    CHECK(read_file(marks.directory + "/handled") == "x\n");
    check_cancelled(sandbox, (std::string("SIG") + one.name).c_str());
    CHECK(sandbox.log_lines()[0]["exit_code"] == 7);
  }
}

TEST_CASE("a program without a handler ends by the signal itself, and was cancelled") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Marks marks(sandbox);
  const ProgramResult result = run_and(sandbox, marks, ": > /mark/ready; exec sleep 600", {},
                                       [](pid_t pid) { (void)kill(pid, SIGTERM); });
  CHECK(result.exit_status == 143);
  check_cancelled(sandbox, "SIGTERM");
}

TEST_CASE("what a program prints in its handler is still delivered") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const Strings& options : {Strings{}, Strings{"--output-limit", "1M"}}) {
    const Sandbox sandbox;
    const Marks marks(sandbox);
    const std::string script =
        std::string("trap 'echo last words; exit 0' TERM; : > /mark/ready; ") + kForever;
    const ProgramResult result =
        run_and(sandbox, marks, script, options, [](pid_t pid) { (void)kill(pid, SIGTERM); });
    CHECK(result.exit_status == 143);
    CHECK(result.out == "last words\n");
  }
}

TEST_CASE("the second signal kills at once what ignored the first") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Marks marks(sandbox);
  const std::string script =
      std::string("trap '' HUP INT; trap ': > /mark/first' TERM; : > /mark/ready; ") + kForever;
  const auto start = std::chrono::steady_clock::now();
  const ProgramResult result = run_and(sandbox, marks, script, {"--wall-time", "10m"}, [&](pid_t pid) {
    (void)kill(pid, SIGTERM);
    CHECK(wait_for([&] { return marks.has("first"); }));
    (void)kill(pid, SIGINT);
  });
  CHECK(result.exit_status == 143);  // the first says why
  check_cancelled(sandbox, "SIGTERM");
  // Not a measure: only that it did not wait for the wall time.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::minutes(2) * time_scale());
}

TEST_CASE("a program that ignores the signal is killed after the grace, with all its children") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Marks marks(sandbox);
  const std::string script = std::string("trap '' TERM; setsid sleep 600 & : > /mark/ready; ") + kForever;
  const ProgramResult result =
      run_and(sandbox, marks, script, {"--wall-time", "10m"}, [](pid_t pid) { (void)kill(pid, SIGTERM); });
  CHECK(result.exit_status == 143);
  CHECK_FALSE(result.timed_out);
  check_cancelled(sandbox, "SIGTERM");
  CHECK(sandbox.log_lines()[0]["usage"]["wall_ms"] >= 4000);  // 5 s, from when the start was heard of
  CHECK(sandbox.log_lines()[0]["exit_code"] == nullptr);      // it had none
}

TEST_CASE("a program that takes the signal well has the whole grace to end") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Marks marks(sandbox);
  const std::string script =
      std::string("trap 'sleep 1; : > /mark/cleaned; exit 0' INT; : > /mark/ready; ") + kForever;
  const ProgramResult result =
      run_and(sandbox, marks, script, {}, [](pid_t pid) { (void)kill(pid, SIGINT); });
  CHECK(result.exit_status == 130);
  CHECK(marks.has("cleaned"));
}

TEST_CASE("a cancelled run with --json says so in its result") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Marks marks(sandbox);
  const std::string script =
      std::string("trap 'echo bye; exit 0' INT; echo hi; : > /mark/ready; ") + kForever;
  const ProgramResult result =
      run_and(sandbox, marks, script, {"--json"}, [](pid_t pid) { (void)kill(pid, SIGINT); });
  CHECK(result.exit_status == 130);
  const json object = json::parse(result.out);
  CHECK(object["outcome"] == "cancelled");
  CHECK(object["signal"] == "SIGINT");
  CHECK(object["stdout"]["text"] == "hi\nbye\n");
}

TEST_CASE("when sbxrun is killed the run is cancelled, all is gone, and there is one record") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const Strings& options : {Strings{}, Strings{"--json"}, Strings{"--output-limit", "1M"}}) {
    const Sandbox sandbox;
    const Marks marks(sandbox);
    const std::string script =
        std::string("trap '' HUP TERM; setsid sleep 600 & : > /mark/ready; ") + kForever;
    const ProgramResult result =
        run_and(sandbox, marks, script, options, [](pid_t pid) { (void)kill(pid, SIGKILL); });
    CHECK(result.exit_status == 137);
    CHECK(wait_for([&] { return sandbox.log_lines().size() == 1; }));
    CHECK(sandbox.leftovers().empty());
    REQUIRE(sandbox.log_lines().size() == 1);
    CHECK(sandbox.log_lines()[0]["outcome"] == "cancelled");
    CHECK(sandbox.shell("true").exit_status == 0);
    CHECK(sandbox.log_lines().size() == 2);  // the next start adds its own only
  }
}

TEST_CASE("a signal during the set-up cancels the run without a trace but its record") {
  SKIP_UNLESS(is_root(), "needs root");
  // At whatever point of the set-up it comes: a few microseconds later each time.
  for (int delay_us = 0; delay_us < 40'000; delay_us += 2'000) {
    const Sandbox sandbox;
    ProgramOptions program;
    program.null_input = true;
    program.after_start = [delay_us](pid_t pid) {
      const std::string name = "/proc/" + std::to_string(pid) + "/comm";
      CHECK(wait_for([&] { return read_file(name) == "sbxrun\n"; }));  // not the test itself before its exec
      (void)usleep(static_cast<useconds_t>(delay_us * time_scale()));
      (void)kill(pid, SIGTERM);
    };
    const ProgramResult result = sandbox.run({"--", "/bin/sleep", "600"}, program);
    INFO("after " << delay_us << " us");
    CHECK(result.exit_status == 143);
    CHECK_FALSE(result.timed_out);
    CHECK(wait_for([&] { return sandbox.leftovers(0).empty(); }));
    const std::vector<json> lines = sandbox.log_lines();
    CHECK(lines.size() <= 1);  // none when it came before there was a run
    for (const json& line : lines) CHECK(line["outcome"] == "cancelled");
  }
}

TEST_CASE("a signal that the caller ignores stays ignored, as under nohup") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Marks marks(sandbox);
  ProgramOptions program;
  program.null_input = true;
  program.before_exec = [] { (void)signal(SIGHUP, SIG_IGN); };
  program.after_start = [&](pid_t pid) {
    CHECK(wait_for([&] { return marks.has("ready"); }));
    (void)kill(pid, SIGHUP);
  };
  const ProgramResult result = sandbox.run(
      {"-v", marks.directory + ":/mark", "--", "/bin/sh", "-c", ": > /mark/ready; sleep 1; echo done"},
      program);
  CHECK(result.exit_status == 0);
  CHECK(result.out == "done\n");
}

TEST_SUITE_END();

}  // namespace sbx::test
