// The result object: valid against its schema for every way a run can end, complete, and without what must
// not be in it: values of variables, program text. Verdicts: outcome_test.cc; output: outcome_output_test.cc.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "support/sandbox.h"
#include "support/schema.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Strings python(const std::string& code) { return {"--", "/usr/bin/python3", "-c", code}; }

Strings with(Strings options, const Strings& command) {
  options.insert(options.end(), command.begin(), command.end());
  return options;
}

std::string all_files(const std::string& directory) {
  std::string text;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) text += read_file(entry.path());
  }
  return text;
}

}  // namespace

TEST_CASE("every result and every record is valid against the schema, however the run ended") {
  SKIP_UNLESS(is_root(), "needs root");
  SKIP_UNLESS(can_validate("result"), "needs docs/result.schema.json and python3-jsonschema");
  const Sandbox sandbox;
  const std::string probe = probe_directory() + "/foreign_abi";
  const std::vector<Strings> runs{
      {"--", "/bin/true"},
      {"--task", "t-1", "--project", "alpha", "-e", "A=1", "--", "/bin/sh", "-c",
       "echo out; echo err >&2; exit 3"},
      {"--", "/bin/sh", "-c", "kill -SEGV $$"},
      {"--", "/bin/sh", "-c", "kill -40 $$"},  // a signal without a name
      {"--wall-time", "200ms", "--", "/bin/sleep", "600"},
      {"--cpu-time", "200ms", "--", "/bin/sh", "-c", "while :; do :; done"},
      with({"-m", "48M"}, python("a = bytearray(200 << 20)")),
      {"--output-limit", "1000", "--", "/usr/bin/yes"},
      {"--bind", probe + ":/probe", "--", "/probe", "x32"},
      {"-m", "1000G", "--", "/bin/true"},
      {"--image", "no-such-image", "--", "/bin/true"},
      {"--cwd", "/no/such/place", "--", "/bin/true"},
      {"--", "/no/such/program"},
      {"--", "/usr"},
      {"--policy", "strict", "--", "/bin/true"},
      {"--policy", "permissive", "--nofile", "64", "--", "/bin/true"},
      with(
          {"--tmp", "1M", "--inodes", "50", "--pids", "3", "--cpus", "0.1"},
          {"--", "/bin/sh", "-c",
           "head -c 2M /dev/zero > /tmp/x; i=0; while : > f$i; do i=$((i+1)); done; (:) & (:) & (:) & wait"}),
      python(
          "import sys\nsys.stdout.buffer.write(bytes(range(256)))\nsys.stderr.write('\\0\\x1b[2Jä\\u2028😀')"),
      {"--output-limit", "5", "--", "/usr/bin/printf", "abcdää"},  // cut inside a character
      {"--", "/bin/echo", "\xff\xfe", std::string(2000, 'x')},
      with({"--"}, Strings(200, "/bin/true")),
  };
  std::string lines;
  for (const Strings& run : runs) lines += sandbox.run(with({"--json"}, run)).out;
  CHECK(static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n')) == runs.size());
  CHECK(schema_errors("result", lines) == "");

  const std::string file = sandbox.directory() + "/result.json";
  std::string passed;
  for (const Strings& options : {Strings{"--result", file}, Strings{"--result", file, "-t"}}) {
    (void)sandbox.run(with(options, {"--", "/bin/true"}));
    passed += read_file(file);
  }
  CHECK(schema_errors("result", passed) == "");

  ProgramOptions cancelled;
  cancelled.null_input = true;
  cancelled.after_start = [](pid_t pid) {
    (void)usleep(static_cast<useconds_t>(500'000 * time_scale()));
    (void)kill(pid, SIGINT);
  };
  const std::string interrupted = sandbox.run({"--json", "--", "/bin/sleep", "600"}, cancelled).out;
  CHECK(holds(interrupted, "\"cancelled\""));
  CHECK(schema_errors("result", interrupted) == "");

  CHECK(sandbox.log_lines().size() == runs.size() + 3);
  CHECK(schema_errors("result", read_file(sandbox.log())) == "");
}

TEST_CASE("a result has every field that was promised") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json object = sandbox.run_json({"--", "/bin/true"});
  for (const char* field :
       {"schema",     "run_id",     "task_id",     "project_id", "sandbox_id",   "mode",       "image",
        "language",   "command",    "cwd",         "caller",     "policy",       "status",     "outcome",
        "exit_code",  "signal",     "message",     "step",       "limits",       "limits_hit", "denied",
        "usage",      "stdout",     "stderr",      "controls",   "degradations", "validation", "setup_ms",
        "created_at", "started_at", "finished_at", "action",     "code",         "tests"}) {
    CHECK_MESSAGE(object.contains(field), field);
    if (std::string(field) != "stdout" && std::string(field) != "stderr")
      CHECK(sandbox.log_lines()[0][field] == object[field]);
  }
  for (const char* control : {"user_ns", "mount_ns", "pid_ns", "net_ns", "ipc_ns", "uts_ns", "cgroup_ns",
                              "seccomp", "capabilities", "memory", "oom_group", "pids", "cpu"}) {
    CHECK_MESSAGE(object["controls"].contains(control), control);
  }
  CHECK((object["controls"]["memory"] == "v1" || object["controls"]["memory"] == "v2"));
  CHECK(object["degradations"].empty());
  CHECK(object["mode"] == "direct");
  CHECK(object["caller"]["uid"] == 0);
  CHECK(object["schema"] == 1);
  CHECK(object["setup_ms"].contains("clone"));
  CHECK(object["setup_ms"].contains("seccomp"));
}

TEST_CASE("run ids sort by time, and the times of a run are in order") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::string before;
  for (int round = 0; round < 5; ++round) {
    const json object = sandbox.run_json({"--", "/bin/true"});
    const auto id = object["run_id"].get<std::string>();
    CHECK(id > before);
    before = id;
    CHECK(object["sandbox_id"] == "sbx-" + id);
    CHECK(object["created_at"] <= object["started_at"]);
    CHECK(object["started_at"] <= object["finished_at"]);
  }
}

TEST_CASE("a run that never had a sandbox has no sandbox id") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(sandbox.run_json({"-m", "1000G", "--", "/bin/true"})["sandbox_id"] == nullptr);
}

TEST_CASE("the monitor log has lengths, not what was printed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)sandbox.run_json({"--", "/bin/sh", "-c", "printf 'pr%s' inted-text; printf '\\377bin' >&2"});
  const json record = sandbox.log_lines()[0];
  CHECK(record["stdout"] == json{{"bytes", 12}, {"truncated", false}});
  CHECK(record["stderr"] == json{{"bytes", 4}, {"truncated", false}});
  CHECK_FALSE(holds(read_file(sandbox.log()), "printed-text"));
}

TEST_CASE(
    "values of variables are nowhere: not in result, record, plan, words, messages or files of a live run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string secret = "s3cr3t-value";
  const std::string file = sandbox.directory() + "/variables";
  write_file(file, "FROM_FILE=" + secret + "\n");
  ProgramOptions caller;
  caller.environment = {{"PASSED", secret}};
  const Strings options{"-e", "TOKEN=" + secret, "--env-file", file, "-e", "PASSED"};
  for (const Strings& command :
       {Strings{"--", "/bin/true"}, Strings{"--", "/no/such/program"},
        Strings{"-m", "1000G", "--", "/bin/true"}, Strings{"--cwd", "/no/such", "--", "/bin/true"}}) {
    for (const char* mode : {"--json", "--dry-run", "--explain"}) {
      Strings all{"--direct", mode};
      all.insert(all.end(), options.begin(), options.end());
      const ProgramResult result = sandbox.sbxrun(with(all, command), caller);
      CHECK_FALSE(holds(result.out + result.err, secret));
      if (std::string(mode) == "--json") {
        CHECK(json::parse(result.out)["environment"] == json{"TOKEN", "FROM_FILE", "PASSED"});
      }
    }
  }
  ProgramOptions live = caller;
  live.after_start = [&](pid_t) {
    (void)usleep(static_cast<useconds_t>(500'000 * time_scale()));
    const std::string files = all_files(sandbox.run_dir()) + all_files(sandbox.state_dir());
    CHECK(holds(files, "run_id"));  // the journal of the live run
    CHECK_FALSE(holds(files, secret));
  };
  CHECK(
      sandbox.run(with(options, {"--", "/bin/sleep", std::to_string(2 * time_scale())}), live).exit_status ==
      0);
  CHECK(holds(read_file(sandbox.log()), "TOKEN"));
  CHECK_FALSE(holds(read_file(sandbox.log()), secret));
}

TEST_CASE("program text on the command line is recorded by its digest, short commands as they are") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string code = "x = 1 # " + std::string(300, 'y');
  ProgramOptions input;
  input.input = code;
  const std::string sum = run_program({"/usr/bin/sha256sum"}, input).out.substr(0, 64);
  for (const Strings& command : {Strings{"/usr/bin/python3", "-c", code}, Strings{"/bin/sh", "-c", code},
                                 Strings{"/bin/bash", "-lc", code}, Strings{"/usr/bin/perl", "-e", code}}) {
    const json object = sandbox.run_json(with({"--"}, command));
    CHECK(object["command"][0] == command[0]);
    CHECK(object["command"][1] == command[1]);
    CHECK(object["command"][2] == json{{"sha256", sum}, {"bytes", code.size()}});
  }
  CHECK_FALSE(holds(read_file(sandbox.log()), std::string(100, 'y')));
  CHECK(sandbox.run_json({"--", "/bin/sh", "-c", "exit 0"})["command"] == json{"/bin/sh", "-c", "exit 0"});
}

TEST_CASE("a long command is cut, and what is left out is counted") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  Strings command{"--", "/bin/true"};
  for (int i = 0; i < 500; ++i) command.push_back("argument-" + std::to_string(i));
  const json object = sandbox.run_json(command);
  CHECK(object["command"].size() <= 65);
  CHECK(object["command"].back()["arguments"].get<std::size_t>() + object["command"].size() - 1 == 501);
  CHECK(object["command"].dump().size() < 8192);
  const json large = sandbox.run_json({"--", "/bin/true", std::string(100'000, 'z')});
  CHECK(large["command"][1]["bytes"] == 100'000);
  CHECK(read_file(sandbox.log()).size() < 20'000);
}

}  // namespace sbx::test
