#include "outcome/failure_hints.h"

#include <algorithm>
#include <csignal>

namespace sbx {
namespace {

using enum FailureClass;

// The limit in words, and the flag that gives more: "the limit of memory is 64M; --memory gives more".
std::string raise(const StepResult& step, std::string_view key, std::string_view what) {
  const LimitField* field = find_limit(key);
  const auto value = step.limits.*field->member;
  std::string text = "the limit of " + std::string(what);
  text += value ? " is " + limit_with_unit(*field, *value) : " was reached";
  return text + "; --" + std::string(key) + " gives more, as far as the policy allows";
}

std::string in_image(const HintFacts& facts) {
  return facts.image.empty() ? "in the image" : "in image '" + facts.image + "'";
}

// How a package of a language gets into a sandbox, which has no network.
struct Remedy {
  std::string_view key;  // FailureRule::hint
  std::string_view what;
  std::string_view how;
};
constexpr std::array kRemedies = std::to_array<Remedy>({
    {"python module", "Python module",
     "bring the package as files and run pip install --user --no-index --find-links DIR NAME, or take an "
     "image that has it; "
     "a module of your own has to be shown with --here, --bind or --add-file"},
    {"node module", "module",
     "bring its directory of node_modules with --here or --bind, or take an image that has it; check the "
     "path of a module of your own"},
    {"header", "header",
     "a header of your own has to be shown with --here or --add-file and found with -I; one of a library "
     "needs an image "
     "with its development package"},
    {"library", "library",
     "it needs an image that has the library, or the file beside the program and LD_LIBRARY_PATH"},
    {"java package", "Java package", "bring its jar with --here or --bind and put it on the class path"},
    {"java class", "Java class",
     "check the class path; bring its jar with --here or --bind, or spell the class as its file"},
    {"go module", "Go package",
     "bring it as a vendor directory (go mod vendor) with --here or --bind, or take an image whose module "
     "cache has it"},
    {"ruby gem", "Ruby library",
     "bring the gem as a file and run gem install --user-install --local FILE, or take an image that has it; "
     "require_relative "
     "loads a file of your own"},
    {"crate", "crate",
     "bring it as a vendored crate (cargo vendor), or take an image that has it; check the name of a module "
     "of your own"},
    {"php file", "PHP file",
     "show it with --here, --bind or --add-file; packages of Composer come as their vendor directory"},
    {"php class", "PHP class", "load its file (require, or the autoloader of Composer's vendor directory)"},
    {"php function", "PHP function",
     "define it, load the file that does, or take an image with the extension that has it"},
    {"assembly", "type or assembly",
     "name its assembly or add the missing using; a file of your own has to be among the sources"},
});

const Remedy* remedy_of(const OutputFinding& finding) {
  const auto* found = std::ranges::find(kRemedies, finding.rule->hint, &Remedy::key);
  return found == kRemedies.end() ? nullptr : found;
}

std::string quoted(const std::string& name) { return "'" + name + "'"; }

std::string where(const OutputFinding& finding) {
  if (!finding.place) return "";
  return " at " + finding.place->file + ":" + std::to_string(finding.place->line);
}

std::string of_missing_module(const OutputFinding& finding, const HintFacts& facts) {
  const Remedy* remedy = remedy_of(finding);
  if (remedy == nullptr) return "something that the program needs is not there";
  std::string text =
      std::string(remedy->what) + " " + quoted(finding.subject) + " was not found " + in_image(facts);
  if (facts.network_is_loopback) text += ", and nothing can be downloaded in a sandbox";
  return text + ": " + std::string(remedy->how);
}

std::string of_exception(const OutputFinding& finding) {
  if (finding.rule->hint == "end of input")
    return "the program reads standard input, which is at its end" + where(finding) +
           ": give it the input (sbxrun hands its own on), or do not ask";
  if (finding.rule->hint == "unset variable")
    return "the variable " + quoted(finding.subject) + " is not set" + where(finding) +
           ": give it with --env, or a default (${NAME:-default})";
  if (finding.rule->hint == "panic") return "the program panicked" + where(finding) + ": look there first";
  std::string text = finding.subject.empty() ? "an exception" : finding.subject;
  return text + " was not caught" + where(finding) + ": look there first";
}

std::string of_memory(const OutputFinding& finding, const StepResult& step) {
  std::string text = raise(step, "memory", "memory");
  if (finding.rule->hint == "heap") text += "; the image sets the heap of its language by it";
  return text;
}

std::string of_abort(const OutputFinding& finding) {
  if (finding.rule->hint == "memory corrupted")
    return "the program damaged its own memory (" + finding.subject +
           "): build it with -g -fsanitize=address, which names the line";
  return "the program aborted itself: what it wrote before says why";
}

std::string of_files(const OutputFinding& finding, const StepResult& step) {
  switch (finding.kind) {
  case missing_command:
    return "the command " + quoted(finding.subject) +
           " was not found: check its name and PATH, or take an image that has it" +
           (finding.rule->hint == "interpreter"
                ? " (the first line of the script, or a loader, names one that is not there)"
                : "");
  case not_executable:
    return quoted(finding.subject) +
           " cannot be executed: chmod +x, a first line that names its interpreter, and a "
           "program for this machine are what it may lack";
  case missing_file:
    return "a file or directory is missing: the sandbox shows only its image, the workspace and what --here, "
           "--bind and "
           "--add-file bring; relative paths begin at " +
           step.cwd;
  case permission_denied:
    return "the sandbox's user may not do this: write to /workspace, /tmp or HOME, and bind with :rw what is "
           "to be "
           "changed";
  case read_only:
    return "that place is read-only: write to /workspace, /tmp or HOME, bind with :rw what is to be changed, "
           "or use a "
           "policy with writable_root";
  default: return "";
  }
}

std::string of_code(const OutputFinding& finding) {
  switch (finding.kind) {
  case syntax_error: return "the code cannot be parsed" + where(finding) + ": correct it there";
  case compile_error:
    if (finding.rule->hint == "undefined reference")
      return quoted(finding.subject) +
             " is declared but defined nowhere: add the source or the library that has it";
    return "the compiler refuses the code" + where(finding) +
           ": correct the first error; others may follow from it";
  case type_error:
    return "the types do not fit" + where(finding) + ": correct the first error; others may follow from it";
  case lint: return "the linter found something" + where(finding);
  case test_failure: return "tests failed" + where(finding) + ": the output says what was expected";
  case assertion:
    return "an assertion does not hold" + where(finding) + ": what it checks is not as the code expects";
  default: return "";
  }
}

std::string of_storage(const StepResult& step) {
  if (felt_limit(step, {"tmp_bytes"}) != nullptr)
    return raise(step, "tmp", "/tmp, /var/tmp, /dev/shm and HOME together");
  if (felt_limit(step, {"disk_bytes"}) != nullptr) return raise(step, "disk", "the workspace");
  if (felt_limit(step, {"inodes"}) != nullptr) return raise(step, "inodes", "files and directories");
  return "a file system of the sandbox was full: --disk (the workspace) and --tmp (/tmp and HOME) give more, "
         "--inodes "
         "more files";
}

std::string denied_calls(const StepResult& step) {
  std::string text;
  constexpr std::size_t kMostNamed = 3;
  for (std::size_t i = 0; i < std::min(step.denied.size(), kMostNamed); ++i)
    text += (i == 0 ? "" : ", ") + step.denied[i].syscall;
  return text;
}

std::string of_limit(FailureClass kind, const StepResult& step) {
  switch (kind) {
  case timeout:
    return raise(step, "wall-time", "wall time") + "; or the program waits for something that does not come";
  case cpu_time_limit: return raise(step, "cpu-time", "CPU time") + "; or a loop does not end";
  case out_of_memory: return raise(step, "memory", "memory");
  case output_limit: return raise(step, "output-limit", "output") + "; or write it to a file";
  case disk_full: return of_storage(step);
  case file_size_limit: return raise(step, "fsize", "one file");
  case process_limit: return raise(step, "pids", "processes and threads");
  case open_files_limit:
    return raise(step, "nofile", "open files of a process") + "; or close what is not needed";
  default: return "";
  }
}

std::string of_signal(FailureClass kind) {
  switch (kind) {
  case segmentation_fault:
    return "the program used memory that it has not: build it with -g -fsanitize=address, which names the "
           "line; endless "
           "recursion ends so, too";
  case bus_error:
    return "the program used memory that is not behind its mapping: a mapped file was too short, or its disk "
           "full";
  case illegal_instruction:
    return "the program has an instruction that this CPU does not know, or a trap of its compiler: build it "
           "for this machine";
  case arithmetic_fault: return "the program divided an integer by 0, or the smallest one by -1";
  case abort: return "the program aborted itself: what it wrote before says why";
  case killed: return "something in the sandbox ended it by a signal; no limit did";
  case violation:
    return "a system call was forbidden, of another ABI (i386, x32) among them: build the program for "
           "x86-64, or use a "
           "policy that allows the call";
  default: return "";
  }
}

std::string of_beginning(FailureClass kind, const StepResult& step, const HintFacts& facts) {
  // Of a status alone nobody knows which command.
  const bool named = step.outcome == Outcome::setup_failed && !step.command.empty();
  const std::string command = named ? quoted(step.command.front()) : "a command";
  switch (kind) {
  case rejected: return "ask for less, or use a policy that allows more";
  case setup_failed: return "the message says what was missing; sbxctl doctor looks at the host";
  case cancelled: return "whoever cancelled it can run it again";
  case missing_command:
    return command + " was not found " + in_image(facts) +
           ": check its name and PATH, or take an image that has it";
  case not_executable:
    return command +
           " cannot be executed: chmod +x, a first line that names its interpreter, and a program for this "
           "machine are what it may lack";
  default: return "";
  }
}

}  // namespace

const LimitHit* felt_limit(const StepResult& step, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const auto found = std::ranges::find(step.limits_hit, name, &LimitHit::limit);
    if (found != step.limits_hit.end()) return &*found;
  }
  return nullptr;
}

std::string hint_of_truth(FailureClass kind, const StepResult& step, const HintFacts& facts) {
  for (std::string text : {of_limit(kind, step), of_signal(kind), of_beginning(kind, step, facts)}) {
    if (!text.empty()) return text;
  }
  switch (kind) {
  case test_failure: return "tests failed: the output says what was expected";
  case compile_error: return "the compiler refuses the code: its output says where";
  case lint: return "the linter found something: its output says what";
  case type_error: return "the types do not fit: the checker's output says where";
  case syntax_error: return "the code cannot be parsed: the output says where";
  default: return "the program ended with a status other than 0; what it wrote may say why";
  }
}

std::string hint_of_output(const OutputFinding& finding, const StepResult& step, const HintFacts& facts) {
  switch (finding.kind) {
  case missing_module: return of_missing_module(finding, facts);
  case uncaught_exception: return of_exception(finding);
  case out_of_memory: return of_memory(finding, step);
  case abort: return of_abort(finding);
  case stack_overflow: return "the stack is full: look for a recursion without an end" + where(finding);
  case network:
    return facts.network_is_loopback ? "a sandbox has no network but its own loopback: bring what is needed "
                                       "as files, or start the server in "
                                       "the same sandbox"
                                     : "nobody answered there";
  case violation:
    return "the system calls " + denied_calls(step) +
           " were refused: use a policy that allows them, or do without";
  case timeout: return "the program gave up by a time limit of its own" + where(finding);
  default: break;
  }
  for (std::string text : {of_files(finding, step), of_code(finding)}) {
    if (!text.empty()) return text;
  }
  return hint_of_truth(finding.kind, step, facts);
}

}  // namespace sbx
