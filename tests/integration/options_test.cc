// Flags of sbxrun whose effect is a value inside, or in the result. Files: options_files_test.cc; refusals:
// options_refused_test.cc; what runs nothing: options_plan_test.cc.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

Strings with(Strings options, const Strings& command) {
  options.emplace_back("--");
  options.insert(options.end(), command.begin(), command.end());
  return options;
}

std::string output(const Sandbox& sandbox, const Strings& options, const Strings& command,
                   ProgramOptions more = {}) {
  const ProgramResult result = sandbox.run(with(options, command), std::move(more));
  INFO("options: " << json(options).dump() << " said: " << result.err);
  CHECK(result.exit_status == 0);
  return result.out;
}

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.insert(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

TEST_CASE("each limit flag, and each of its other names, sets that limit alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  struct Case {
    Strings options;
    const char* field;
    json value;
  };
  const std::vector<Case> cases{
      {{"-m", "64M"}, "memory_bytes", 64 << 20},
      {{"-m128m"}, "memory_bytes", 128 << 20},
      {{"--memory", "1g"}, "memory_bytes", 1 << 30},
      {{"--memory=67108864"}, "memory_bytes", 67108864},
      {{"--memory", "65536K"}, "memory_bytes", 64 << 20},
      {{"--cpus", "0.5"}, "cpus", 0.5},
      {{"--cpus", "2"}, "cpus", 2.0},
      {{"--pids", "17"}, "pids", 17},
      {{"--pids-limit", "18"}, "pids", 18},
      {{"--wall-time", "90"}, "wall_ms", 90'000},
      {{"--wall-time", "20s"}, "wall_ms", 20'000},
      {{"--timeout", "2m"}, "wall_ms", 120'000},
      {{"--timeout", "1h"}, "wall_ms", 3'600'000},
      {{"--wall-time", "30000ms"}, "wall_ms", 30'000},
      {{"--cpu-time", "1.5s"}, "cpu_ms", 1500},
      {{"--output-limit", "4K"}, "output_bytes", 4096},
      {{"--nofile", "64"}, "nofile", 64},
      {{"--ulimit", "nofile=65"}, "nofile", 65},
      {{"--ulimit", "nofile=64:66"}, "nofile", 66},
      {{"--fsize", "1M"}, "fsize_bytes", 1 << 20},
      {{"--ulimit", "fsize=2M"}, "fsize_bytes", 2 << 20},
      {{"--tmp", "8M"}, "tmp_bytes", 8 << 20},
      {{"--disk", "9M"}, "disk_bytes", 9 << 20},
      {{"--inodes", "500"}, "inodes", 500},
      {{"--pids", "5", "--pids", "6"}, "pids", 6},
  };
  const json defaults = sandbox.run_json(with({}, {"/bin/true"}))["limits"];
  for (const Case& one : cases) {
    const json result = sandbox.run_json(with(one.options, {"/bin/true"}));
    INFO("options: " << json(one.options).dump() << " " << result["message"]);
    json expected = defaults;
    expected[one.field] = one.value;
    CHECK(result["limits"] == expected);
    CHECK(result["outcome"] == "exited");
  }
}

TEST_CASE("the shipped policies give the documented limits") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json strict = sandbox.run_json({"--policy", "strict", "--", "/bin/true"});
  CHECK(strict["policy"]["name"] == "strict");
  CHECK(strict["limits"] ==
        json::parse(R"({"memory_bytes": 268435456, "cpus": 0.5, "pids": 64, "wall_ms": 10000,
      "cpu_ms": 10000, "output_bytes": 1048576, "nofile": 256, "fsize_bytes": null, "tmp_bytes": 67108864,
      "disk_bytes": 134217728, "inodes": 10000})"));

  const json usual = sandbox.run_json({"--", "/bin/true"});
  CHECK(usual["policy"]["name"] == "default");
  CHECK(usual["limits"] ==
        json::parse(R"({"memory_bytes": 536870912, "cpus": 1.0, "pids": 256, "wall_ms": 60000,
      "cpu_ms": null, "output_bytes": 8388608, "nofile": 1024, "fsize_bytes": null, "tmp_bytes": 268435456,
      "disk_bytes": 1073741824, "inodes": 100000})"));

  const json permissive = sandbox.run_json({"--policy", "permissive", "--", "/bin/true"});
  CHECK(permissive["policy"]["name"] == "permissive");
  json limits = permissive["limits"];
  CHECK(limits["nofile"] <= 4096);  // lowered to what the host allows
  limits.erase("nofile");
  CHECK(limits == json::parse(R"({"memory_bytes": 4294967296, "cpus": null, "pids": 2048, "wall_ms": 3600000,
      "cpu_ms": null, "output_bytes": 67108864, "fsize_bytes": null, "tmp_bytes": 2147483648,
      "disk_bytes": 8589934592, "inodes": 1000000})"));
}

TEST_CASE("a policy can be a file of the caller") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string path = sandbox.directory() + "/mine.yaml";
  write_file(
      path,
      "name: mine\ndescription: For a test.\n"
      "limits: {memory: 100M, cpus: 1, pids: 33, wall-time: 30s, cpu-time: none, nofile: 128, fsize: none,\n"
      "  tmp: 16M, disk: 16M, inodes: 1000, output-limit: 1M}\n"
      "seccomp: default\nwritable_root: false\nworkspace: {layout: flat}\n"
      "wall_time_with_tty: limited\nallow_degraded: []\n");
  const json result = sandbox.run_json({"--policy", path, "--", "/bin/pwd"});
  CHECK(result["policy"]["name"] == "mine");
  CHECK(result["policy"]["fingerprint"].get<std::string>().starts_with("sha256:"));
  CHECK(result["limits"]["pids"] == 33);
  // A relative path is the caller's.
  ProgramOptions there;
  there.directory = sandbox.directory();
  CHECK(sandbox.run_json({"--policy", "./mine.yaml", "--", "/bin/true"}, there)["limits"]["pids"] == 33);
  CHECK(sandbox.run_json({"--policy", "mine.yaml", "--", "/bin/true"}, there)["limits"]["pids"] == 33);
}

TEST_CASE("the image host is the default and can be named") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const Strings& options : {Strings{}, Strings{"--image", "host"}}) {
    const json result = sandbox.run_json(with(options, {"/bin/true"}));
    CHECK(result["image"] == json{{"name", "host"}, {"digest", nullptr}});
    CHECK(result["outcome"] == "exited");
  }
}

TEST_CASE("the environment inside is built from scratch") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  ProgramOptions caller;
  caller.environment = {
      {"AWS_SECRET", "hidden"}, {"PYTHONPATH", "/evil"}, {"HOME", "/root"}, {"LD_PRELOAD_X", "1"}};
  CHECK(lines_of(output(sandbox, {}, {"/usr/bin/env"}, caller)) ==
        std::set<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                              "HOME=/home/sandbox", "USER=sandbox", "LOGNAME=sandbox", "LANG=C.UTF-8"});
}

TEST_CASE("variables come from -e, --env and --env-file, and the last one given wins") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/variables";
  write_file(file,
             "# a comment\n\nFROM_FILE=one\nWITH_SPACES=a b  c\nTWICE=file\nEQUALS=a=b=c\nNAME_ONLY\nLAST=no "
             "newline");
  ProgramOptions caller;
  caller.environment = {{"PASSED", "from the caller"}, {"NAME_ONLY", "also from the caller"}};
  const std::set<std::string> lines =
      lines_of(output(sandbox,
                      {"--env-file", file, "-e", "SHORT=1", "--env", "LONG=2", "--env=EMPTY=", "-e", "PASSED",
                       "-e", "NOT_SET_ANYWHERE", "-e", "TWICE=flag", "-e", "LANG=de_DE.UTF-8"},
                      {"/usr/bin/env"}, caller));
  for (const char* expected :
       {"FROM_FILE=one", "WITH_SPACES=a b  c", "TWICE=flag", "EQUALS=a=b=c", "LAST=no newline", "SHORT=1",
        "LONG=2", "EMPTY=", "PASSED=from the caller", "NAME_ONLY=also from the caller", "LANG=de_DE.UTF-8"}) {
    CHECK_MESSAGE(lines.contains(expected), expected);
  }
  CHECK_FALSE(lines.contains("LANG=C.UTF-8"));
  for (const std::string& line : lines) {
    CHECK_FALSE(line.starts_with("NOT_SET_ANYWHERE"));
    CHECK_FALSE(line.starts_with("#"));
  }
}

TEST_CASE("-w, --workdir and --cwd choose the directory it starts in") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(output(sandbox, {}, {"/bin/pwd"}) == "/workspace/agent_workspace\n");
  for (const Strings& options : {Strings{"-w", "/tmp"}, Strings{"--workdir", "/tmp"}, Strings{"--cwd=/tmp"},
                                 Strings{"-w/tmp"}, Strings{"--cwd", "/tmp/"}}) {
    CHECK(output(sandbox, options, {"/bin/pwd"}) == "/tmp\n");
  }
  CHECK(output(sandbox, {"-w", "/"}, {"/bin/pwd"}) == "/\n");
  CHECK(sandbox.run_json({"-w", "/usr", "--", "/bin/true"})["cwd"] == "/usr");
}

TEST_CASE("-h and --hostname name the host inside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(output(sandbox, {}, {"/bin/uname", "-n"}) == "sandbox\n");
  CHECK(output(sandbox, {"-h", "box-1"}, {"/bin/uname", "-n"}) == "box-1\n");
  CHECK(output(sandbox, {"--hostname", "a.b.example"}, {"/bin/uname", "-n"}) == "a.b.example\n");
}

TEST_CASE("--task and --project are recorded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json result = sandbox.run_json({"--task", "task-7", "--project", "alpha", "--", "/bin/true"});
  CHECK(result["task_id"] == "task-7");
  CHECK(result["project_id"] == "alpha");
  REQUIRE(sandbox.log_lines().size() == 1);
  CHECK(sandbox.log_lines()[0]["task_id"] == "task-7");
}

TEST_CASE("options end at the command, and the command keeps its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult bare = sandbox.run({"/bin/echo", "-n", "--memory", "x", "--", "-e"});
  CHECK(bare.out == "--memory x -- -e");
  const ProgramResult dashes = sandbox.run({"--", "/bin/echo", "--", "-q"});
  CHECK(dashes.out == "-- -q\n");
  CHECK(sandbox.run({"-i", "-q", "echo", "looked", "up"}).out == "looked up\n");
}

}  // namespace sbx::test
