// Node.js, esbuild and tsx, tsc, jest, eslint, prettier.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

constexpr std::string_view kFrame =
    R"~( +at (?:.*\()?(?:file://)?(?P<file>[^\s():]+|node:[^\s():]+):(?P<line>\d+):(?P<column>\d+)\)?)~";
// It is the last that a process writes which an exception ended.
constexpr std::string_view kEnd = "\nNode.js v";

constexpr FailureRule thrown(FailureClass kind, std::string_view needle, std::string_view pattern,
                             std::string_view hint = {}) {
  return {.kind = kind,
          .needle = needle,
          .pattern = pattern,
          .hint = hint,
          .read_message = kind == uncaught_exception,
          .exit_code = 1,
          .also = kEnd,
          .frames = Frames::after,
          .frame = kFrame};
}

constexpr std::array kRules = std::to_array<FailureRule>({
    thrown(missing_module, "Cannot find module '",
           R"~((?:\w*Error)(?: \[\w+\])?: Cannot find module '(?P<subject>[^'\n]+)'.*)~", "node module"),
    thrown(missing_module, "Cannot find package '",
           R"~((?:\w*Error)(?: \[\w+\])?: Cannot find package '(?P<subject>[^'\n]+)'.*)~", "node module"),
    thrown(
        syntax_error, ".js:",
        R"~((?:file://)?(?P<file>/[^\n:]+):(?P<line>\d+)\n(?:.*\n){1,4}?\n?(?P<said>(?P<subject>SyntaxError)(?: \[\w+\])?: (?P<message>.*)))~"),
    thrown(
        syntax_error, ".mjs:",
        R"~((?:file://)?(?P<file>/[^\n:]+):(?P<line>\d+)\n(?:.*\n){1,4}?\n?(?P<said>(?P<subject>SyntaxError)(?: \[\w+\])?: (?P<message>.*)))~"),
    // esbuild, alone or in tsx
    {.kind = missing_module,
     .needle = "Could not resolve \"",
     .pattern =
         R"~(.*\[ERROR\] Could not resolve "(?P<subject>[^"\n]+)"(?:\n\n +(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+))?)~",
     .hint = "node module",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = "[ERROR] ",
     .pattern = R"~(.*\[ERROR\] (?P<message>.*)\n\n +(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+):)~",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = ": ERROR: ",
     .pattern = R"~((?:.*Error: )?(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+): ERROR: (?P<message>.*))~",
     .exit_code = 1},
    thrown(assertion, "AssertionError", R"~((?P<subject>AssertionError)(?: \[\w+\])?: (?P<message>.*))~"),
    thrown(stack_overflow, "Maximum call stack size exceeded",
           R"~((?P<subject>RangeError): Maximum call stack size exceeded)~", "recursion"),
    {.kind = out_of_memory,
     .needle = "JavaScript heap out of memory",
     .pattern = R"~(FATAL ERROR: .*JavaScript heap out of memory)~",
     .hint = "heap",
     .exit_code = 134},
    thrown(missing_command, "Error: spawn ", R"~((?:\w*Error): spawn (?P<subject>\S+) ENOENT)~"),
    thrown(not_executable, "Error: spawn ", R"~((?:\w*Error): spawn (?P<subject>\S+) EACCES)~"),
    thrown(
        uncaught_exception, "Error",
        R"~((?:Uncaught )?(?P<subject>[A-Za-z_$][\w$.]*)(?: \[\w+\])?(?:: (?P<message>.*))?\n(?:(?:[^\n]*\n){0,12}?) +at )~"),
    thrown(
        uncaught_exception, "Exception",
        R"~((?P<subject>[A-Za-z_$][\w$.]*Exception)(?: \[\w+\])?(?:: (?P<message>.*))?\n(?:(?:[^\n]*\n){0,12}?) +at )~"),
    thrown(uncaught_exception, ": ",
           R"~((?P<subject>[A-Za-z_$][\w$.]*)(?: \[\w+\])?: (?P<message>.*)\n +at )~"),
    thrown(uncaught_exception,
           "[cause]: ", R"~( +\[cause\]: (?P<subject>[A-Za-z_$][\w$.]*)(?: \[\w+\])?: (?P<message>.*))~"),
    {.kind = uncaught_exception,
     .needle = "Node.js v",
     .pattern = R"~(Node\.js v\d.*)~",
     .exit_code = 1,
     .weak = true},
    // tsc
    {.kind = missing_module,
     .needle = "error TS2307",
     .pattern =
         R"~((?P<file>[^\s(]+)\((?P<line>\d+),(?P<column>\d+)\): error TS2307: Cannot find module '(?P<subject>[^'\n]+)'.*)~",
     .hint = "node module",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = "error TS1",
     .pattern =
         R"~((?P<file>[^\s(]+)\((?P<line>\d+),(?P<column>\d+)\): error (?P<subject>TS1\d{3}): (?P<message>.*))~",
     .at = MatchAt::first},
    {.kind = type_error,
     .needle = "error TS",
     .pattern =
         R"~((?P<file>[^\s(]+)\((?P<line>\d+),(?P<column>\d+)\): error (?P<subject>TS\d+): (?P<message>.*))~",
     .at = MatchAt::first},
    // jest
    {.kind = test_failure,
     .needle = "Tests: ",
     .pattern = R"~(Tests: +(?P<subject>\d+ failed).*)~",
     .exit_code = 1,
     .frames = Frames::before,
     .frame = kFrame},
    {.kind = missing_module,
     .needle = "Cannot find module '",
     .pattern = R"~( +Cannot find module '(?P<subject>[^'\n]+)' from '(?P<file>[^'\n]+)')~",
     .hint = "node module",
     .exit_code = 1,
     .also = "Test Suites:"},
    {.kind = test_failure,
     .needle = "Test Suites: ",
     .pattern = R"~(Test Suites: +(?P<subject>\d+ failed).*)~",
     .exit_code = 1,
     .weak = true},
    // eslint
    {.kind = lint,
     .needle = "  error  ",
     .pattern = R"~( +(?P<line>\d+):(?P<column>\d+) +error +(?P<message>.*))~",
     .at = MatchAt::first,
     .exit_code = 1,
     .also = " problem"},
    {.kind = lint,
     .needle = " problem",
     .pattern = R"~(.*?(?P<subject>\d+ problems?) \(\d+ errors?.*)~",
     .exit_code = 1,
     .weak = true},
    // prettier
    {.kind = syntax_error,
     .needle = ": SyntaxError: ",
     .pattern =
         R"~(\[error\] (?P<file>[^:\n]+): SyntaxError: (?P<message>.*) \((?P<line>\d+):(?P<column>\d+)\))~",
     .at = MatchAt::first},
});

}  // namespace

std::span<const FailureRule> node_rules() { return kRules; }

}  // namespace sbx
