// Every outcome, provoked by a real program: the verdict, sbxrun's exit status, and what the result says.
// Signals to sbxrun: signals_test.cc. `disk_limit` is reserved: a full disk, of a project
// (project_disk_test.cc) or a thrown-away one (limits_test.cc), is an error for the program to handle.
#include <doctest/doctest.h>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

struct Run {
  json object;
  int exit_status = -1;
};

// The result comes by a file, so that the exit status is there beside it.
Run run_to_end(const Sandbox& sandbox, Strings options, const Strings& command) {
  const std::string file = sandbox.directory() + "/result.json";
  options.insert(options.begin(), {"--json", "--result", file});
  options.emplace_back("--");
  options.insert(options.end(), command.begin(), command.end());
  Run run;
  run.exit_status = sandbox.run(options).exit_status;
  run.object = json::parse(read_file(file), nullptr, false);
  REQUIRE(!run.object.is_discarded());
  return run;
}

struct Verdict {
  int exit_status;
  const char* outcome;
  const char* status;
  json exit_code;
  json signal;
  json step = nullptr;
};

void check_verdict(const Sandbox& sandbox, const Run& run, const Verdict& expected) {
  const json& object = run.object;
  INFO("said: " << object["message"] << " stderr: " << object["stderr"]);
  CHECK(run.exit_status == expected.exit_status);
  CHECK(object["outcome"] == expected.outcome);
  CHECK(object["status"] == expected.status);
  CHECK(object["exit_code"] == expected.exit_code);
  CHECK(object["signal"] == expected.signal);
  CHECK(object["step"] == expected.step);
  const auto message = object["message"].get<std::string>();
  CHECK(message.size() > 10);
  CHECK(message.find('\n') == std::string::npos);
  // The record says the same.
  const std::vector<json> lines = sandbox.log_lines();
  REQUIRE_FALSE(lines.empty());
  for (const char* field :
       {"run_id", "outcome", "status", "exit_code", "signal", "message", "limits_hit", "usage"}) {
    CHECK(lines.back()[field] == object[field]);
  }
}

Strings shell(const std::string& script) { return {"/bin/sh", "-c", script}; }
Strings python(const std::string& code) { return {"/usr/bin/python3", "-c", code}; }

json felt(const json& object, const std::string& limit) {
  for (const json& hit : object["limits_hit"]) {
    if (hit["limit"] == limit) return hit;
  }
  return nullptr;
}

std::string scaled_ms(int milliseconds) { return std::to_string(milliseconds * time_scale()) + "ms"; }

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("exited: the program's own status, whatever number it is") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const int code : {0, 1, 2, 3, 124, 125, 126, 127, 130, 137, 143, 159, 255}) {
    const Run run = run_to_end(sandbox, {}, shell("exit " + std::to_string(code)));
    check_verdict(sandbox, run, {code, "exited", code == 0 ? "completed" : "error", code, nullptr});
    CHECK_MESSAGE(nothing_felt(run.object), run.object["limits_hit"].dump());
  }
}

TEST_CASE("signaled: 128 and the number of the signal that ended the program") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  struct Case {
    int number;
    const char* name;
  };
  for (const Case& one : {Case{15, "SIGTERM"}, Case{11, "SIGSEGV"}, Case{6, "SIGABRT"}, Case{2, "SIGINT"},
                          Case{1, "SIGHUP"}, Case{25, "SIGXFSZ"}, Case{13, "SIGPIPE"}}) {
    const Run run = run_to_end(sandbox, {}, shell("kill -" + std::to_string(one.number) + " $$"));
    check_verdict(sandbox, run, {128 + one.number, "signaled", "error", nullptr, one.name});
  }
}

TEST_CASE("a program that kills itself is no out-of-memory") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {}, shell("kill -KILL $$"));
  check_verdict(sandbox, run, {137, "signaled", "error", nullptr, "SIGKILL"});
  CHECK_MESSAGE(nothing_felt(run.object), run.object["limits_hit"].dump());
}

TEST_CASE("timed_out: a program that sleeps beyond its wall time") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {"--wall-time", "300ms"}, shell("echo before; exec sleep 600"));
  check_verdict(sandbox, run, {124, "timed_out", "timeout", nullptr, "SIGKILL"});
  const json hit = felt(run.object, "wall_ms");
  CHECK(hit["value"] == 300);
  CHECK(hit["reached"] >= 300);
  CHECK(run.object["usage"]["wall_ms"] >= 300);
  CHECK(run.object["usage"]["wall_ms"] < 20'000 * time_scale());
  CHECK(run.object["stdout"]["text"] == "before\n");
}

TEST_CASE("timed_out: also a program that ignores every signal it can") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {"--wall-time", scaled_ms(500)},
                             python("import signal, time\n"
                                    "for n in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
                                    "  signal.signal(n, signal.SIG_IGN)\n"
                                    "while True: time.sleep(600)"));
  check_verdict(sandbox, run, {124, "timed_out", "timeout", nullptr, "SIGKILL"});
}

TEST_CASE("cpu_time_exceeded: a program that computes beyond its CPU time") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {"--cpu-time", "300ms"}, shell("while :; do :; done"));
  check_verdict(sandbox, run, {124, "cpu_time_exceeded", "timeout", nullptr, "SIGKILL"});
  const json hit = felt(run.object, "cpu_ms");
  CHECK(hit["value"] == 300);
  CHECK(hit["reached"] >= 300);
  const json& usage = run.object["usage"];
  CHECK(usage["user_ms"].get<int>() + usage["system_ms"].get<int>() >= 250);
}

TEST_CASE("out_of_memory: a program that takes more than it has") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {"-m", "48M"}, python("a = bytearray(200 << 20)\nprint(len(a))"));
  check_verdict(sandbox, run, {137, "out_of_memory", "error", nullptr, "SIGKILL"});
  CHECK(felt(run.object, "memory_bytes")["value"] == 48 << 20);
  CHECK(run.object["stdout"]["text"] == "");
  const json& peak = run.object["usage"]["memory_peak_bytes"];
  if (!peak.is_null()) CHECK((peak > 40 << 20 && peak <= 48 << 20));
}

TEST_CASE("out_of_memory: also when a child takes it and the program itself would go on") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run =
      run_to_end(sandbox, {"-m", "48M"},
                 shell("python3 -c 'a = bytearray(200 << 20)'; echo survived; sleep 600; exit 0"));
  check_verdict(sandbox, run, {137, "out_of_memory", "error", nullptr, "SIGKILL"});
}

TEST_CASE("output_limit: a program that writes more than it may") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {"--output-limit", "10000"}, {"/usr/bin/yes"});
  check_verdict(sandbox, run, {137, "output_limit", "error", nullptr, "SIGKILL"});
  const json hit = felt(run.object, "output_bytes");
  CHECK(hit["value"] == 10000);
  CHECK(hit["reached"] > 10000);
  CHECK(run.object["stdout"]["text"].get<std::string>().size() == 10000);
  CHECK(run.object["stdout"]["truncated"] == true);
}

TEST_CASE("violation: a system call of another ABI, which comes back outside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const std::string abi : {"i386", "x32"}) {
    const ProgramResult outside = run_program({probe_directory() + "/foreign_abi", abi});
    if (outside.exit_status != 0) {
      MESSAGE("this kernel has no ABI " << abi);
      continue;
    }
    const Run run =
        run_to_end(sandbox, {"--bind", probe_directory() + "/foreign_abi:/probe"}, {"/probe", abi});
    check_verdict(sandbox, run, {159, "violation", "error", nullptr, "SIGSYS"});
    CHECK(run.object["stdout"]["text"] == "");
  }
}

TEST_CASE("rejected: a request that the policy does not grant") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {"-m", "1000G"}, shell("echo ran"));
  check_verdict(sandbox, run, {125, "rejected", "error", nullptr, nullptr});
  CHECK(run.object["limits"]["memory_bytes"] == 1000LL << 30);
}

TEST_CASE("setup_failed: a directory to start in that is not there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run = run_to_end(sandbox, {"--cwd", "/no/such/place"}, shell("echo ran"));
  check_verdict(sandbox, run, {125, "setup_failed", "error", nullptr, nullptr, "working_directory"});
  CHECK(run.object["started_at"] == nullptr);
}

TEST_CASE("a run that never started has no usage, and null is not 0") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const Strings& options : {Strings{"-m", "1000G"}, Strings{"--image", "no-such-image"}}) {
    const Run run = run_to_end(sandbox, options, shell("echo ran"));
    CHECK(run.exit_status == 125);
    for (const auto& [field, value] : run.object["usage"].items()) CHECK_MESSAGE(value.is_null(), field);
    CHECK(run.object["started_at"] == nullptr);
    CHECK(run.object["finished_at"].is_string());
  }
}

TEST_CASE("usage is what the program used") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Run run =
      run_to_end(sandbox, {"-m", "128M"},
                 python("import time, os\na = bytearray(40 << 20)\nend = time.process_time() + 0.3\n"
                        "while time.process_time() < end: pass\n"
                        "if os.fork() == 0: time.sleep(0.2); os._exit(0)\nos.wait()"));
  REQUIRE(run.exit_status == 0);
  const json& usage = run.object["usage"];
  CHECK(usage["wall_ms"] >= 500);
  CHECK((usage["user_ms"].is_null() || usage["user_ms"].get<int>() + usage["system_ms"].get<int>() >= 250));
  CHECK((usage["memory_peak_bytes"].is_null() || usage["memory_peak_bytes"] >= 40 << 20));
  CHECK((usage["memory_peak_bytes"].is_null() || usage["memory_peak_bytes"] <= 128 << 20));
  CHECK((usage["pids_peak"].is_null() || usage["pids_peak"] == 2));
  for (const char* field : {"io_read_bytes", "io_write_bytes", "throttled_ms"}) {
    CHECK((usage[field].is_null() || usage[field] >= 0));
  }
}

TEST_SUITE_END();

}  // namespace sbx::test
