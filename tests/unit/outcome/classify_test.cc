#include "outcome/classify.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

namespace sbx {
namespace {

constexpr std::string_view kTraceback =
    "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 3, in <module>\n    f()\n"
    "ModuleNotFoundError: No module named 'left_pad'\n";

RunResult ended(Outcome outcome, std::string_view error = "") {
  RunResult result;
  result.outcome = outcome;
  result.image_name = "python-3.11";
  result.command = {"tool"};
  result.limits.memory_bytes = 64ULL << 20U;
  result.limits.wall_ms = 2000;
  result.limits.pids = 7;
  result.controls = {{"network", "loopback"}};
  result.standard_output = CapturedStream{};
  result.standard_error = CapturedStream{.data = std::string(error)};
  return result;
}

RunResult exited(int code, std::string_view error = "") {
  RunResult result = ended(Outcome::exited, error);
  result.exit_code = code;
  return result;
}

RunResult signaled(int signal, std::string_view error = "") {
  RunResult result = ended(Outcome::signaled, error);
  result.signal = signal;
  return result;
}

Failure failure_of(RunResult result) {
  classify_failures(result);
  REQUIRE(result.failure);
  return *result.failure;
}

FailureClass class_of(const RunResult& result) { return failure_of(result).kind; }

}  // namespace

TEST_CASE("a program that exits with 0 has no failure, whatever it writes") {
  RunResult result = exited(0, kTraceback);
  classify_failures(result);
  CHECK(!result.failure);
}

TEST_CASE("what the supervisor ended is that, whatever the program wrote") {
  const std::vector<std::pair<Outcome, FailureClass>> rows{
      {Outcome::timed_out, FailureClass::timeout},
      {Outcome::cpu_time_exceeded, FailureClass::cpu_time_limit},
      {Outcome::out_of_memory, FailureClass::out_of_memory},
      {Outcome::output_limit, FailureClass::output_limit},
      {Outcome::disk_limit, FailureClass::disk_full},
      {Outcome::violation, FailureClass::violation},
      {Outcome::rejected, FailureClass::rejected},
      {Outcome::cancelled, FailureClass::cancelled},
      {Outcome::setup_failed, FailureClass::setup_failed}};
  for (const auto& [outcome, kind] : rows) {
    const Failure failure = failure_of(ended(outcome, kTraceback));
    CHECK_MESSAGE(failure.kind == kind, outcome_name(outcome));
    CHECK(failure.from != FailureSource::output);
    CHECK(!failure.evidence);
    CHECK(!failure.hint.empty());
  }
  CHECK(failure_of(ended(Outcome::timed_out)).hint.find("--wall-time") != std::string::npos);
  CHECK(failure_of(ended(Outcome::out_of_memory)).hint.find("64M") != std::string::npos);
}

TEST_CASE("a signal is the kernel's word; what the program wrote counts only where it aborted itself") {
  CHECK(class_of(signaled(SIGSEGV, kTraceback)) == FailureClass::segmentation_fault);
  CHECK(class_of(signaled(SIGBUS)) == FailureClass::bus_error);
  CHECK(class_of(signaled(SIGILL)) == FailureClass::illegal_instruction);
  CHECK(class_of(signaled(SIGFPE)) == FailureClass::arithmetic_fault);
  CHECK(class_of(signaled(SIGXFSZ)) == FailureClass::file_size_limit);
  CHECK(class_of(signaled(SIGXCPU)) == FailureClass::cpu_time_limit);
  CHECK(class_of(signaled(SIGSYS)) == FailureClass::violation);
  CHECK(class_of(exited(128 + SIGABRT)) == FailureClass::abort);
  CHECK(class_of(signaled(SIGKILL)) == FailureClass::killed);
  CHECK(class_of(signaled(SIGUSR1)) == FailureClass::killed);
  CHECK(failure_of(signaled(SIGSEGV)).from == FailureSource::kernel);
  CHECK(class_of(signaled(SIGABRT)) == FailureClass::abort);
  CHECK(failure_of(signaled(SIGABRT)).from == FailureSource::kernel);
  const Failure why = failure_of(signaled(SIGABRT, "a.out: a.c:3: main: Assertion `x == 4' failed.\n"));
  CHECK(why.kind == FailureClass::assertion);
  CHECK(why.from == FailureSource::output);
  CHECK(why.place == FailurePlace{"a.c", 3, std::nullopt});
}

TEST_CASE("a command that cannot begin is missing, or cannot be executed") {
  RunResult result = ended(Outcome::setup_failed);
  result.step = "execve";
  result.step_error = ENOENT;
  CHECK(failure_of(result).kind == FailureClass::missing_command);
  CHECK(failure_of(result).subject == "tool");
  CHECK(failure_of(result).hint.find("python-3.11") != std::string::npos);
  result.step_error = EACCES;
  CHECK(failure_of(result).kind == FailureClass::not_executable);
}

TEST_CASE("a limit that was felt explains a program that then failed, before what it wrote") {
  RunResult result = exited(1, kTraceback);
  result.limits_hit = {{"pids", 7, 7}};
  Failure failure = failure_of(result);
  CHECK(failure.kind == FailureClass::process_limit);
  CHECK(failure.from == FailureSource::kernel);
  CHECK(failure.hint.find("7 processes") != std::string::npos);
  result.standard_error->data = "bash: fork: Resource temporarily unavailable\n";
  failure = failure_of(result);
  REQUIRE(failure.evidence);
  CHECK(failure.evidence->text == "bash: fork: Resource temporarily unavailable");
  for (const char* limit : {"tmp_bytes", "disk_bytes", "inodes"}) {
    result.limits_hit = {{limit, 100, 100}};
    CHECK(failure_of(result).kind == FailureClass::disk_full);
  }
  result.limits_hit = {{"cpus", 1, std::nullopt}};  // slow, not failed
  CHECK(failure_of(result).kind == FailureClass::process_limit);
  CHECK(failure_of(result).from == FailureSource::output);
}

TEST_CASE("the words of a status count where the output says nothing") {
  CHECK(class_of(exited(127)) == FailureClass::missing_command);
  CHECK(class_of(exited(126)) == FailureClass::not_executable);
  CHECK(class_of(exited(139)) == FailureClass::segmentation_fault);
  CHECK(class_of(exited(200)) == FailureClass::unknown);
  CHECK(class_of(exited(1)) == FailureClass::unknown);
  CHECK(failure_of(exited(1)).from == FailureSource::exit_code);
}

TEST_CASE("a program that gave up by a time limit of its own says so") {
  const Failure failure = failure_of(exited(
      255, "PHP Fatal error:  Maximum execution time of 1 second exceeded in /workspace/a.php on line 3\n"));
  CHECK(failure.kind == FailureClass::timeout);
  CHECK(failure.from == FailureSource::output);
  CHECK(failure.hint.find("time limit of its own") != std::string::npos);
}

TEST_CASE("a missing module is named, with the way it gets into a sandbox") {
  const Failure failure = failure_of(exited(1, kTraceback));
  CHECK(failure.kind == FailureClass::missing_module);
  CHECK(failure.subject == "left_pad");
  CHECK(failure.hint.find("'left_pad' was not found in image 'python-3.11'") != std::string::npos);
  CHECK(failure.hint.find("--no-index") != std::string::npos);
  CHECK(failure.output_read);
}

TEST_CASE("output that was passed on is not read, and the result says so") {
  RunResult result = exited(1);
  result.standard_output.reset();
  result.standard_error.reset();
  CHECK(!failure_of(result).output_read);
  CHECK(failure_of(result).kind == FailureClass::unknown);
}

TEST_CASE("an action says what a failure is where nothing else does; a report of tests counts") {
  RunResult result = exited(1);
  const std::vector<std::pair<const char*, FailureClass>> rows{{"test", FailureClass::test_failure},
                                                               {"lint", FailureClass::lint},
                                                               {"type-check", FailureClass::type_error},
                                                               {"check", FailureClass::syntax_error},
                                                               {"run", FailureClass::unknown}};
  for (const auto& [action, kind] : rows) {
    result.action = action;
    CHECK_MESSAGE(failure_of(result).kind == kind, action);
    CHECK(!failure_of(result).hint.empty());
  }
  result.action = "test";
  result.standard_error->data = kTraceback;
  result.tests = TestCounts{3, 2, 0, 0};
  CHECK(failure_of(result).kind == FailureClass::test_failure);
  CHECK(failure_of(result).subject == "2 failed");
  CHECK(failure_of(result).from == FailureSource::output);
  result.tests = TestCounts{0, 0, 1, 0};  // none could be carried out
  CHECK(failure_of(result).kind == FailureClass::missing_module);
}

TEST_CASE("a refused system call explains an operation that was not permitted") {
  RunResult result = exited(1, "mount: /mnt: Operation not permitted\n");
  CHECK(class_of(result) == FailureClass::permission_denied);
  result.denied = {{"mount", 1, std::nullopt}};
  CHECK(class_of(result) == FailureClass::violation);
  CHECK(failure_of(result).hint.find("mount") != std::string::npos);
}

TEST_CASE("a run that was not compiled failed as its compiler did") {
  RunResult result = exited(1);
  result.action = "run";
  result.compile = exited(1, "main.c:4:2: error: expected ';' before 'x'\n");
  const Failure failure = failure_of(result);
  CHECK(failure.kind == FailureClass::syntax_error);
  CHECK(failure.place == FailurePlace{"main.c", 4, 2});
  result.compile = exited(1);
  CHECK(class_of(result) == FailureClass::compile_error);
  result.outcome = Outcome::cancelled;
  CHECK(class_of(result) == FailureClass::cancelled);
  result = exited(1);
  result.compile = exited(0);
  CHECK(class_of(result) == FailureClass::unknown);
  CHECK(!result.compile->failure);
}

TEST_CASE("the monitor log has no word that the program wrote") {
  RunResult result = exited(1, kTraceback);
  classify_failures(result);
  const std::string log = result_to_json(result, false);
  CHECK(log.find("left_pad") == std::string::npos);
  CHECK(log.find("\"class\":\"missing_module\"") != std::string::npos);
  const auto whole = nlohmann::json::parse(result_to_json(result, true))["failure"];
  CHECK(whole["subject"].get<std::string>() == "left_pad");
  CHECK(whole["evidence"]["stream"].get<std::string>() == "stderr");
  CHECK(whole["place"]["line"].get<int>() == 3);
  RunResult timed = ended(Outcome::timed_out);
  classify_failures(timed);
  CHECK(result_to_json(timed, false).find("--wall-time") != std::string::npos);
}

TEST_CASE("beside the message stands what raises a limit, and nothing from the output") {
  const auto hint = [](RunResult result) {
    classify_failures(result);
    return hint_beside_message(result);
  };
  CHECK(hint(ended(Outcome::timed_out)).find("--wall-time") != std::string::npos);
  RunResult felt = exited(1);
  felt.limits_hit = {{"pids", 7, 7}};
  CHECK(hint(felt).find("--pids") != std::string::npos);
  CHECK(hint(exited(1, kTraceback)).empty());
  CHECK(hint(exited(1)).empty());
  CHECK(hint(exited(0)).empty());
  CHECK(hint(signaled(SIGSEGV)).empty());
}

}  // namespace sbx
