#include "outcome/classify.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "outcome/failure_hints.h"
#include "outcome/read_output.h"

namespace sbx {
namespace {

using enum FailureClass;

struct Verdict {
  FailureClass kind{};
  FailureSource from{};
};

constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kOfSignals = 128;

bool is_success(const StepResult& step) { return step.outcome == Outcome::exited && step.exit_code == 0; }

std::optional<FailureClass> class_of_signal(int signal) {
  switch (signal) {
  case SIGSEGV: return segmentation_fault;
  case SIGBUS: return bus_error;
  case SIGILL: return illegal_instruction;
  case SIGFPE: return arithmetic_fault;
  case SIGABRT: return abort;
  case SIGSYS: return violation;
  case SIGXFSZ: return file_size_limit;
  case SIGXCPU: return cpu_time_limit;
  case SIGKILL:
  case SIGTERM:
  case SIGINT:
  case SIGHUP:
  case SIGPIPE: return killed;
  default: return std::nullopt;
  }
}

// A limit that the kernel felt: it does not end a program by itself, but one that then fails did so behind
// it.
std::optional<FailureClass> class_of_felt_limit(const StepResult& step) {
  if (felt_limit(step, {"pids"}) != nullptr) return process_limit;
  if (felt_limit(step, {"tmp_bytes", "disk_bytes", "inodes"}) != nullptr) return disk_full;
  return std::nullopt;
}

// A step that never was a program, or that something else than itself ended.
std::optional<Verdict> verdict_of_outcome(const StepResult& step) {
  using From = FailureSource;
  switch (step.outcome) {
  case Outcome::timed_out: return Verdict{timeout, From::outcome};
  case Outcome::cpu_time_exceeded: return Verdict{cpu_time_limit, From::outcome};
  case Outcome::out_of_memory: return Verdict{out_of_memory, From::kernel};
  case Outcome::output_limit: return Verdict{output_limit, From::outcome};
  case Outcome::disk_limit: return Verdict{disk_full, From::outcome};
  case Outcome::violation: return Verdict{violation, From::kernel};
  case Outcome::rejected: return Verdict{rejected, From::outcome};
  case Outcome::cancelled: return Verdict{cancelled, From::outcome};
  case Outcome::setup_failed:
    if (step.step != "execve") return Verdict{setup_failed, From::outcome};
    // As the exit statuses 127 and 126 tell them apart.
    return Verdict{step.step_error == ENOENT || step.step_error == ENOTDIR || step.step_error == ELIBACC
                       ? missing_command
                       : not_executable,
                   From::kernel};
  case Outcome::signaled:
    if (step.signal == SIGABRT) return std::nullopt;  // its own decision: what it wrote says why
    return Verdict{class_of_signal(step.signal.value_or(0)).value_or(killed), From::kernel};
  case Outcome::exited: break;
  }
  return std::nullopt;
}

OutputEnds ends_of(const StepResult& step) {
  const auto data = [](const std::optional<CapturedStream>& stream) {
    return stream ? std::string_view(stream->data) : std::string_view();
  };
  return {data(step.standard_output), data(step.standard_error)};
}

bool mentions_refusal(const OutputFinding& finding) { return finding.kind == permission_denied; }

// What a status or an action means where the output says nothing.
FailureClass class_of_exit(const StepResult& step, const HintFacts& facts) {
  if (facts.action == "test") return test_failure;
  if (facts.action == "lint") return lint;
  if (facts.action == "type-check") return type_error;
  if (facts.action == "check") return syntax_error;
  if (facts.action == "compile") return compile_error;
  const int code = step.exit_code.value_or(0);
  if (code == kNotFound) return missing_command;
  if (code == kNotExecutable) return not_executable;
  if (code > kOfSignals) return class_of_signal(code - kOfSignals).value_or(unknown);
  return unknown;
}

class Classifier {
 public:
  Classifier(const StepResult& step, HintFacts facts, const std::optional<TestCounts>& tests,
             const OutputReader& reader)
      : step_(step), facts_(std::move(facts)), tests_(tests), reader_(reader) {}

  std::optional<Failure> classify() {
    if (is_success(step_)) return std::nullopt;
    failure_.output_read = step_.standard_output || step_.standard_error;
    if (const auto verdict = verdict_of_outcome(step_)) return by_truth(*verdict);
    const auto found = read();
    if (const auto felt = class_of_felt_limit(step_)) return by_felt_limit(*felt, found);
    if (tests_ && tests_->failed > 0 && facts_.action == "test") return by_tests(found);
    if (found) return by_output(*found);
    if (step_.outcome == Outcome::signaled) return by_truth({abort, FailureSource::kernel});
    return by_truth({class_of_exit(step_, facts_), FailureSource::exit_code});
  }

 private:
  std::optional<OutputFinding> read() {
    if (!failure_.output_read) return std::nullopt;
    auto found = reader_(ends_of(step_), step_.exit_code);
    if (!found) failure_.output_read = false;
    return found ? std::move(*found) : std::nullopt;
  }

  Failure by_truth(const Verdict& verdict) {
    failure_.kind = verdict.kind;
    failure_.from = verdict.from;
    failure_.hint = hint_of_truth(verdict.kind, step_, facts_);
    if (verdict.kind == missing_command && step_.outcome == Outcome::setup_failed && !step_.command.empty())
      failure_.subject = step_.command.front();
    return failure_;
  }

  // The line that says so as well, where there is one.
  Failure by_felt_limit(FailureClass felt, const std::optional<OutputFinding>& found) {
    by_truth({felt, FailureSource::kernel});
    if (!found || found->kind != felt) return failure_;
    failure_.evidence = found->evidence;
    failure_.place = found->place;
    return failure_;
  }

  // The report of the runner counts; what else is said comes from the output.
  Failure by_tests(const std::optional<OutputFinding>& found) {
    failure_.kind = test_failure;
    failure_.from = FailureSource::output;
    failure_.hint = hint_of_truth(test_failure, step_, facts_);
    failure_.subject = std::to_string(tests_->failed) + " failed";
    if (found && found->kind == test_failure) {
      failure_.evidence = found->evidence;
      failure_.place = found->place;
      failure_.hint = hint_of_output(*found, step_, facts_);
    }
    return failure_;
  }

  Failure by_output(OutputFinding found) {
    // A filter that refuses says EPERM; that it did is counted.
    if (mentions_refusal(found) && !step_.denied.empty()) found.kind = violation;
    // A linter that compiles says what it finds as a compiler does.
    if (facts_.action == "lint" && found.kind == compile_error) found.kind = lint;
    failure_.kind = found.kind;
    failure_.from = FailureSource::output;
    failure_.subject = found.subject;
    failure_.evidence = found.evidence;
    failure_.place = found.place;
    failure_.hint = hint_of_output(found, step_, facts_);
    return failure_;
  }

  const StepResult& step_;
  HintFacts facts_;
  const std::optional<TestCounts>& tests_;
  const OutputReader& reader_;
  Failure failure_;
};

std::string network_of(const RunResult& result) {
  const auto found =
      std::ranges::find(result.controls, "network", &std::pair<std::string, std::string>::first);
  return found == result.controls.end() ? "" : found->second;
}

}  // namespace

void classify_failures(RunResult& result, const OutputReader& reader) {
  HintFacts facts{result.image_name, result.action, network_of(result) == "loopback"};
  const bool compiled = !result.compile || is_success(*result.compile);
  if (result.compile) {
    HintFacts of_compiler = facts;
    of_compiler.action = "compile";
    result.compile->failure = Classifier(*result.compile, of_compiler, std::nullopt, reader).classify();
  }
  // Where there was nothing to run, the run ended as its compile step did, unless it was cancelled.
  if (!compiled && result.outcome == result.compile->outcome) {
    result.failure = result.compile->failure;
    return;
  }
  if (facts.action == "run") facts.action.clear();
  result.failure = Classifier(result, facts, result.tests, reader).classify();
}

std::string hint_beside_message(const StepResult& result) {
  if (!result.failure || result.failure->from == FailureSource::output) return "";
  switch (result.failure->kind) {
  case timeout:
  case cpu_time_limit:
  case out_of_memory:
  case output_limit:
  case disk_full:
  case file_size_limit:
  case process_limit: return result.failure->hint;
  default: return "";
  }
}

}  // namespace sbx
