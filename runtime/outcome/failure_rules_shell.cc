// bash, dash and busybox, make and xargs, env.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

constexpr std::array kRules = std::to_array<FailureRule>({
    // bash: "main.sh: line 3: jqq: command not found"; dash: "main.sh: 3: jqq: not found".
    {.kind = missing_command,
     .needle = "not found",
     .pattern =
         R"~((?P<file>[^\s:]+): (?:line )?(?P<line>\d+): (?P<subject>[^:\n]+): (?:command )?not found)~"},
    {.kind = missing_command,
     .needle = "command not found",
     .pattern = R"~([^\s:]+: (?P<subject>[^:\n]+): command not found)~"},
    {.kind = missing_command,
     .needle = "No such file or directory",
     .pattern =
         R"~((?:/usr)?(?:/bin/)?(?:env|xargs|timeout|nice|nohup|exec|stdbuf|setsid): (?:.*failed to run command )?.?.?.?(?P<subject>[^\s:'"]+?)(?:'|.{3})?: No such file or directory)~"},
    {.kind = missing_command,
     .needle = ": No such file or directory",
     .pattern = R"~(make(?:\[\d+\])?: (?P<subject>[^\s:]+): No such file or directory)~"},
    // A script or program by its path: "./run.sh: line 2: ./tool: No such file or directory" with 127.
    {.kind = missing_command,
     .needle = ": No such file or directory",
     .pattern =
         R"~((?P<file>[^\s:]+): line (?P<line>\d+): (?P<subject>[^:\n]*/[^:\n]*): No such file or directory)~",
     .exit_code = 127,
     .exactly = true},
    {.kind = missing_command,
     .needle = "bad interpreter",
     .pattern =
         R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): )?[^:\n]*: (?P<subject>[^\s:]+): bad interpreter: (?P<message>.*))~",
     .hint = "interpreter"},
    {.kind = missing_command,
     .needle = "cannot execute: required file not found",
     .pattern =
         R"~((?:(?P<file>[^\s:]+): (?:line )?(?P<line>\d+): )?(?P<subject>[^:\n]+): cannot execute: required file not found)~",
     .hint = "interpreter"},
    {.kind = not_executable,
     .needle = "cannot execute",
     .pattern =
         R"~((?:(?P<file>[^\s:]+): (?:line )?(?P<line>\d+): )?(?P<subject>[^:\n]+): cannot execute(?: binary file)?: (?P<message>.*))~"},
    {.kind = not_executable,
     .needle = "Exec format error",
     .pattern =
         R"~((?:(?P<file>[^\s:]+): (?:line )?(?P<line>\d+): )?(?P<subject>[^:\n]+): (?P<message>Exec format error))~"},
    {.kind = not_executable,
     .needle = "Is a directory",
     .pattern =
         R"~((?P<file>[^\s:]+): line (?P<line>\d+): (?P<subject>[^:\n]+): (?P<message>Is a directory))~",
     .exit_code = 126,
     .exactly = true},
    {.kind = not_executable,
     .needle = "Permission denied",
     .pattern =
         R"~((?P<file>[^\s:]+): line (?P<line>\d+): (?P<subject>\.{0,2}/[^:\n]+): (?P<message>Permission denied))~",
     .exit_code = 126,
     .exactly = true},
    {.kind = syntax_error,
     .needle = "syntax error",
     .pattern = R"~((?P<file>[^\s:]+): (?:-c: )?line (?P<line>\d+): (?P<message>syntax error.*))~",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = "unexpected EOF while",
     .pattern =
         R"~((?P<file>[^\s:]+): (?:-c: )?line (?P<line>\d+): (?P<message>unexpected EOF while looking for matching.*))~",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = "Syntax error: ",
     .pattern = R"~((?P<file>[^\s:]+): (?P<line>\d+): (?P<message>Syntax error: .*))~",
     .at = MatchAt::first},
    {.kind = process_limit,
     .needle = "fork: ",
     .pattern =
         R"~((?:(?P<file>[^\s:]+): (?:line (?P<line>\d+): )?)?fork: (?:retry: )?(?P<message>Resource temporarily unavailable|Cannot allocate memory))~"},
    {.kind = process_limit, .needle = "Cannot fork", .pattern = R"~(.*: Cannot fork)~"},
    {.kind = uncaught_exception,
     .needle = "unbound variable",
     .pattern = R"~((?P<file>[^\s:]+): line (?P<line>\d+): (?P<subject>[^:\n]+): unbound variable)~",
     .hint = "unset variable"},
    {.kind = uncaught_exception,
     .needle = "parameter not set",
     .pattern = R"~((?P<file>[^\s:]+): (?P<line>\d+): (?P<subject>[^:\n]+): parameter not set)~",
     .hint = "unset variable"},
    // What bash says of a child that a signal ended.
    {.kind = segmentation_fault,
     .needle = "Segmentation fault",
     .pattern = R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): +\d+ )?Segmentation fault)~",
     .exit_code = 139},
    {.kind = bus_error,
     .needle = "Bus error",
     .pattern = R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): +\d+ )?Bus error)~",
     .exit_code = 135},
    {.kind = arithmetic_fault,
     .needle = "Floating point exception",
     .pattern = R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): +\d+ )?Floating point exception)~",
     .exit_code = 136},
    {.kind = illegal_instruction,
     .needle = "Illegal instruction",
     .pattern = R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): +\d+ )?Illegal instruction)~",
     .exit_code = 132},
    {.kind = abort,
     .needle = "Aborted",
     .pattern = R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): +\d+ )?Aborted)~",
     .exit_code = 134,
     .weak = true},
    {.kind = killed,
     .needle = "Killed",
     .pattern = R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): +\d+ )?Killed)~",
     .exit_code = 137,
     .weak = true},
    {.kind = violation,
     .needle = "Bad system call",
     .pattern = R"~((?:(?P<file>[^\s:]+): line (?P<line>\d+): +\d+ )?Bad system call)~",
     .exit_code = 159},
    // bats
    {.kind = test_failure,
     .needle = "not ok ",
     .pattern =
         R"~((?P<said>not ok \d+ (?P<subject>.*))(?:\n# \(in test file (?P<file>[^,\n]+), line (?P<line>\d+)\))?)~",
     .at = MatchAt::first,
     .exit_code = 1},
    {.kind = test_failure,
     .needle = "(in test file ",
     .pattern = R"~(.*\(in test file (?P<file>[^,\n]+), line (?P<line>\d+)\).*)~",
     .at = MatchAt::first,
     .exit_code = 1},
    // shellcheck
    {.kind = lint,
     .needle = "In ",
     .pattern = R"~(In (?P<file>\S+) line (?P<line>\d+):)~",
     .at = MatchAt::first,
     .also = "SC"},
});

}  // namespace

std::span<const FailureRule> shell_rules() { return kRules; }

}  // namespace sbx
