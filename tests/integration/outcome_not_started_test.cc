// Commands that cannot be started, 126 and 127, and the hint for the file that everybody forgets to show.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void make_script(const Sandbox& sandbox, const std::string& name, const std::string& text, mode_t mode) {
  const std::string path = sandbox.directory() + "/" + name;
  write_file(path, text);
  REQUIRE(chmod(path.c_str(), mode) == 0);
}

// sbxrun in the test's directory, which is shown with --here.
ProgramResult run_here(const Sandbox& sandbox, const Strings& arguments) {
  ProgramOptions program;
  program.directory = sandbox.directory();
  Strings all{"--direct"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return sandbox.sbxrun(all, program);
}

void check_not_started(const Sandbox& sandbox, const std::string& command, int status, const char* word) {
  const ProgramResult result = run_here(sandbox, {"--here", "--", command, "argument"});
  INFO(command << " said: " << result.err);
  CHECK(result.exit_status == status);
  CHECK(holds(result.err, "'" + command + "'"));
  CHECK(holds(result.err, word));
  REQUIRE_FALSE(sandbox.log_lines().empty());
  const json record = sandbox.log_lines().back();
  CHECK(record["outcome"] == "setup_failed");
  CHECK(record["step"] == "execve");
  CHECK(record["status"] == "error");
  CHECK(record["exit_code"] == nullptr);
  CHECK(record["started_at"] == nullptr);
}

}  // namespace

TEST_CASE("127: what is not there cannot be run, by name or by path") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const char* command :
       {"no-such-program", "/no/such/program", "./missing", "/etc/passwd/program", ""}) {
    check_not_started(sandbox, command, 127, "not found");
  }
}

TEST_CASE("126: what is there but no program cannot be run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  make_script(sandbox, "not-executable", "#!/bin/sh\n", 0644);
  make_script(sandbox, "no-format", "echo there is no shebang\n", 0755);
  make_script(sandbox, "empty", "", 0755);
  for (const char* command :
       {"/usr", "/workspace/project_files", "./not-executable", "./no-format", "./empty", "/etc/passwd"}) {
    check_not_started(sandbox, command, 126, "could not be executed");
  }
}

TEST_CASE(
    "a script whose interpreter is missing cannot be executed, and the message does not say that it is not "
    "there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  make_script(sandbox, "script", "#!/no/such/interpreter\n", 0755);
  const ProgramResult result = run_here(sandbox, {"--here", "--", "./script"});
  CHECK((result.exit_status == 126 || result.exit_status == 127));
  CHECK_MESSAGE(holds(result.err, "interpreter"), result.err);
  CHECK(sandbox.log_lines().back()["outcome"] == "setup_failed");
}

TEST_CASE("a script with its interpreter runs") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  make_script(sandbox, "script", "#!/bin/sh\necho ran \"$@\"\n", 0755);
  const ProgramResult result = run_here(sandbox, {"--here", "--", "./script", "a", "b"});
  CHECK(result.out == "ran a b\n");
  CHECK(result.exit_status == 0);
}

TEST_CASE("a file of the current directory that the sandbox does not see is explained") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  make_script(sandbox, "my-script", "#!/bin/sh\necho ran\n", 0755);
  for (const Strings& command :
       {Strings{"./my-script"}, Strings{"my-script"}, Strings{"/bin/sh", "my-script"},
        Strings{"/bin/bash", "./my-script"}, Strings{"/usr/bin/python3", "my-script"},
        Strings{"/usr/bin/env", "./my-script"}}) {
    Strings arguments{"--"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    const ProgramResult result = run_here(sandbox, arguments);
    INFO(json(command).dump() << " said: " << result.err);
    CHECK(result.exit_status != 0);
    CHECK(holds(result.err, "--here"));
    CHECK(holds(result.err, "script'"));
  }
}

TEST_CASE("there is no hint where it would be wrong") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  make_script(sandbox, "script", "#!/bin/sh\nexit 127\n", 0755);
  for (const Strings& arguments :
       {Strings{"--here", "--", "./script"}, Strings{"--", "./missing"},
        Strings{"--", "/bin/sh", "-c", "exit 127"}, Strings{"--", "/bin/sh", "-c", "exit 1", "script"},
        Strings{"--", "/bin/true", "script"}}) {
    const ProgramResult result = run_here(sandbox, arguments);
    INFO(json(arguments).dump() << " said: " << result.err);
    CHECK_FALSE(holds(result.err, "--here"));
  }
}

TEST_CASE("a 127 of the program itself is its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result = run_here(sandbox, {"--", "/bin/sh", "-c", "no-such-program"});
  CHECK(result.exit_status == 127);
  CHECK(sandbox.log_lines().back()["outcome"] == "exited");
  CHECK(sandbox.log_lines().back()["exit_code"] == 127);
}

}  // namespace sbx::test
