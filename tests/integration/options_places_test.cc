// Where sbxrun finds and puts things: mode, socket, state, runtime and log directories, configuration,
// results.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
bool exists(const std::string& path) { return std::filesystem::exists(path); }

// A socket in the file system that nobody listens at any more.
void make_dead_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  (void)close(fd);
}

ProgramOptions with_socket(const std::string& path) {
  ProgramOptions program;
  program.environment = {{"SBX_SOCKET", path}};
  return program;
}

// sbxrun without the SBX_ variables of the test's place.
ProgramResult plain_sbxrun(Strings arguments,
                           std::vector<std::pair<std::string, std::string>> environment = {}) {
  ProgramOptions program;
  program.unset = {"SBX_STATE_DIR", "SBX_RUN_DIR", "SBX_LOG", "SBX_CONFIG", "SBX_SOCKET"};
  program.environment = std::move(environment);
  arguments.insert(arguments.begin(), program_directory() + "/sbxrun");
  return run_program(arguments, program);
}

std::string configuration(const std::string& base) {
  return "state_dir: " + base + "/state\nrun_dir: " + base + "/run\nlog: {path: " + base + "/log.jsonl}\n";
}

}  // namespace

TEST_CASE("root without a socket runs directly and says so in one line unless it shall be quiet") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramOptions nowhere = with_socket(sandbox.directory() + "/sbxd.sock");
  const ProgramResult loud = sandbox.sbxrun({"--", "/bin/echo", "ran"}, nowhere);
  CHECK(loud.exit_status == 0);
  CHECK(loud.out == "ran\n");
  CHECK(loud.err.starts_with("sbxrun: direct mode"));
  CHECK(std::ranges::count(loud.err, '\n') == 1);
  for (const char* flag : {"--quiet", "-q"}) {
    const ProgramResult quiet = sandbox.sbxrun({flag, "--", "/bin/echo", "ran"}, nowhere);
    CHECK(quiet.out == "ran\n");
    CHECK(quiet.err.empty());
  }
}

TEST_CASE("--quiet does not speak of how the program ended") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Strings command{"--wall-time", "200ms", "--", "/bin/sh", "-c", "echo err >&2; exec sleep 60"};
  const ProgramResult quiet = sandbox.run(command);
  CHECK(quiet.exit_status == 124);
  CHECK(quiet.err == "err\n");
  Strings loud{"--direct"};
  loud.insert(loud.end(), command.begin(), command.end());
  CHECK(holds(sandbox.sbxrun(loud).err, "sbxrun: "));
}

TEST_CASE("--quiet still says why nothing was run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  struct Case {
    Strings arguments;
    int exit_status;
    const char* word;
  };
  for (const Case& one :
       {Case{{"-m", "9G", "--", "/bin/true"}, 125, "ceiling"},
        Case{{"--image", "no-such", "--", "/bin/true"}, 125, "no-such"}, Case{{"--", "/usr"}, 126, "/usr"},
        Case{{"--", "no-such"}, 127, "no-such"}, Case{{"-m", "0", "--", "/bin/true"}, 2, "'0'"}}) {
    const ProgramResult result = sandbox.run(one.arguments);
    CHECK(result.exit_status == one.exit_status);
    CHECK_MESSAGE(holds(result.err, one.word), result.err);
  }
}

TEST_CASE("a socket that nobody answers is an error, never a fallback") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string dead = sandbox.directory() + "/dead.sock";
  const std::string file = sandbox.directory() + "/file";
  make_dead_socket(dead);
  write_file(file, "");
  for (const std::string& path : {dead, file}) {
    const ProgramResult result = sandbox.sbxrun({"--", "/bin/echo", "ran"}, with_socket(path));
    CHECK(result.exit_status == 125);
    CHECK(result.out.empty());
    CHECK_MESSAGE((holds(result.err, path) && holds(result.err, "sbxd")), result.err);
  }
  for (const std::string& path : {dead, sandbox.directory() + "/missing.sock"}) {
    const ProgramResult forced = sandbox.sbxrun({"--socket", path, "--", "/bin/echo", "ran"});
    CHECK(forced.exit_status == 125);
    CHECK(forced.out.empty());
    CHECK_MESSAGE(holds(forced.err, path), forced.err);
  }
  CHECK(sandbox.sbxrun({"--direct", "--", "/bin/echo", "ran"}, with_socket(dead)).out == "ran\n");
}

TEST_CASE("who is not root and has no socket is told the way out") {
  SKIP_UNLESS(is_root(), "needs root to become somebody else");
  const Sandbox sandbox;
  ProgramOptions nobody = with_socket(sandbox.directory() + "/sbxd.sock");
  nobody.directory = "/";
  nobody.before_exec = [] {
    if (setgroups(0, nullptr) != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(99);
  };
  SKIP_UNLESS(sandbox.sbxrun({"--version"}, nobody).exit_status == 0,
              "the programs are not everybody's to run");
  for (const Strings& mode : {Strings{}, Strings{"--direct"}}) {
    Strings arguments = mode;
    arguments.insert(arguments.end(), {"--", "/bin/echo", "ran"});
    const ProgramResult result = sandbox.sbxrun(arguments, nobody);
    CHECK(result.exit_status == 125);
    CHECK(result.out.empty());
    CHECK_MESSAGE((holds(result.err, "root") && holds(result.err, "sbxd")), result.err);
  }
}

TEST_CASE("a flag beats the environment, and the environment beats the configuration") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string base = sandbox.directory();
  const std::string file = base + "/config.yaml";
  write_file(file, configuration(base + "/configured"));
  const std::vector<std::pair<std::string, std::string>> environment{{"SBX_STATE_DIR", base + "/named/state"},
                                                                     {"SBX_RUN_DIR", base + "/named/run"},
                                                                     {"SBX_LOG", base + "/named/log.jsonl"}};
  const Strings command{"-q", "--direct", "--project", "alpha", "--", "/bin/true"};
  const auto run = [&](Strings flags, const std::vector<std::pair<std::string, std::string>>& variables) {
    flags.insert(flags.end(), command.begin(), command.end());
    const ProgramResult result = plain_sbxrun(flags, variables);
    CHECK_MESSAGE(result.exit_status == 0, result.err);
  };

  run({"--config", file, "--state-dir", base + "/flag/state", "--run-dir", base + "/flag/run", "--log",
       base + "/flag/log.jsonl"},
      environment);
  CHECK(exists(base + "/flag/state/projects/alpha"));
  CHECK(exists(base + "/flag/run/ids"));
  CHECK(exists(base + "/flag/log.jsonl"));
  CHECK_FALSE(exists(base + "/named"));
  CHECK_FALSE(exists(base + "/configured"));

  run({"--config", file}, environment);
  CHECK(exists(base + "/named/state/projects/alpha"));
  CHECK(exists(base + "/named/run/ids"));
  CHECK(exists(base + "/named/log.jsonl"));
  CHECK_FALSE(exists(base + "/configured"));

  run({"--config", file}, {});
  CHECK(exists(base + "/configured/state/projects/alpha"));
  CHECK(exists(base + "/configured/run/ids"));
  CHECK(exists(base + "/configured/log.jsonl"));

  std::filesystem::remove_all(base + "/configured");
  run({}, {{"SBX_CONFIG", file}});
  CHECK(exists(base + "/configured/log.jsonl"));
}

TEST_CASE("a place from a variable must be absolute, and the variable is named") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const std::string variable : {"SBX_STATE_DIR", "SBX_RUN_DIR", "SBX_LOG", "SBX_CONFIG"}) {
    const ProgramResult result =
        plain_sbxrun({"--direct", "-q", "--", "/bin/true"}, {{variable, "relative"}});
    CHECK(result.exit_status == 2);
    CHECK(result.err == "sbxrun: " + variable + ": 'relative' is not an absolute path\n");
  }
}

TEST_CASE("what stops the sweep and the run is said once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/file";
  write_file(file, "");
  const ProgramResult result = sandbox.run({"--run-dir", file, "--", "/bin/true"});
  CHECK(result.exit_status == 125);
  CHECK(holds(result.err, file));
  CHECK_MESSAGE(std::ranges::count(result.err, '\n') == 1, result.err);
}

TEST_CASE("a name with control characters cannot drive the terminal") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result = sandbox.run({"--",
                                            "a\x1b[31m\xc2\x9b"
                                            "31m\xff\u00e9"});
  CHECK(result.exit_status == 127);
  CHECK_MESSAGE(holds(result.err, "'a?[31m??31m?\u00e9' was not found"), result.err);
}

TEST_CASE("a configuration that is missing or has a mistake ends with 2 and names file and place") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/config.yaml";
  const auto said = [&](const std::string& path) {
    const ProgramResult result = sandbox.sbxrun({"--direct", "--config", path, "--", "/bin/echo", "ran"});
    CHECK(result.exit_status == 2);
    CHECK(result.out.empty());
    return result.err;
  };
  CHECK(holds(said(sandbox.directory() + "/missing.yaml"), "missing.yaml"));
  struct Case {
    const char* text;
    const char* place;
    const char* word;
  };
  for (const Case& one :
       {Case{"state_dir: /a\nsurprise: 1\n", ":2:1", "surprise"},
        Case{"state_dir: relative\n", ":1:", "relative"},
        Case{"state_dir: /a\nstate_dir: /b\n", ":2:", "state_dir"},
        Case{"log: {keep: many}\n", ":1:13: log: keep: 'many'", ""},
        Case{"log: {rotate: 0}\n", ":1:15: log: rotate: '0'", ""},
        Case{"id_pool: {first: 5}\n", ":1:", "first"},
        Case{"id_pool: {first: 1000000}\n", ":1:", "multiple of 65536"}, Case{"- a\n", ":1:", ""}}) {
    write_file(file, one.text);
    const std::string text = said(file);
    CHECK_MESSAGE((holds(text, file + one.place) && holds(text, one.word)), text);
  }
}

TEST_CASE("--json captures the output and prints one line with the program's exit status as sbxrun's") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result =
      sandbox.run({"--json", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
  CHECK(result.exit_status == 3);
  CHECK(result.err.empty());
  const json object = json::parse(result.out);
  CHECK(object["exit_code"] == 3);
  CHECK(object["stdout"] == json{{"text", "out\n"}, {"bytes", 4}, {"truncated", false}});
  CHECK(object["stderr"] == json{{"text", "err\n"}, {"bytes", 4}, {"truncated", false}});
}

TEST_CASE("--result writes the result to a file and leaves the streams alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/result.json";
  write_file(file, std::string(100'000, 'x'));
  const ProgramResult result = sandbox.run({"--result", file, "--", "/bin/sh", "-c", "echo out; exit 4"});
  CHECK(result.exit_status == 4);
  CHECK(result.out == "out\n");
  const json object = json::parse(read_file(file));
  CHECK(object["exit_code"] == 4);
  CHECK(object["stdout"] == nullptr);
  CHECK(object["stderr"] == nullptr);

  const ProgramResult both = sandbox.run({"--json", "--result", file, "--", "/bin/echo", "out"});
  CHECK(both.out == read_file(file));
  CHECK(sandbox.run({"--result", file, "-m", "9G", "--", "/bin/true"}).exit_status == 125);
  CHECK(json::parse(read_file(file))["outcome"] == "rejected");
}

TEST_CASE("--result fd:N writes to a descriptor of the caller, which the program does not get") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/result.json";
  ProgramOptions program;
  program.before_exec = [&file] {
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || dup2(fd, 55) != 55 || close(fd) != 0) _exit(99);
  };
  const ProgramResult result =
      sandbox.run({"--result", "fd:55", "--", "/bin/sh", "-c", "ls /proc/$$/fd; exit 5"}, program);
  CHECK(result.exit_status == 5);
  CHECK(json::parse(read_file(file))["exit_code"] == 5);
  CHECK(result.out == "0\n1\n2\n");
  CHECK(json::parse(sandbox.run({"--result", "fd:1", "--", "/bin/true"}).out)["exit_code"] == 0);
}

TEST_CASE("a result that cannot be written is our failure, and the run is recorded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result =
      sandbox.sbxrun({"--direct", "--result", "/dev/full", "--", "/bin/echo", "ran"});
  CHECK(result.exit_status == 125);
  CHECK(result.out == "ran\n");
  CHECK_MESSAGE(holds(result.err, "/dev/full"), result.err);
  CHECK(sandbox.log_lines().size() == 1);
}

}  // namespace sbx::test
