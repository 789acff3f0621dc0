// PHP, PHPUnit, PHP_CodeSniffer. Its errors go to standard output or to standard error ("PHP …"), as it is
// set up.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

#define SBX_IN R"~( in (?P<file>[^\s:]+)(?::| on line )(?P<line>\d+))~"
constexpr std::array kRules = std::to_array<FailureRule>({
    {.kind = syntax_error,
     .needle = "arse error: ",
     .pattern = R"~((?:PHP )?Parse error: +(?P<message>.*) in (?P<file>\S+) on line (?P<line>\d+))~"},
    {.kind = missing_module,
     .needle = "Failed opening required '",
     .pattern =
         R"~((?:PHP )?Fatal error: +(?:Uncaught .*: )?Failed opening required '(?P<subject>[^'\n]+)'.*?)~" SBX_IN,
     .hint = "php file",
     .exit_code = 255},
    {.kind = missing_module,
     .needle = "Failed opening required '",
     .pattern =
         R"~((?:PHP )?Fatal error: +(?:Uncaught .*: )?.*Failed opening required '(?P<subject>[^'\n]+)'.*)~",
     .hint = "php file",
     .exit_code = 255,
     .weak = true},
    {.kind = missing_module,
     .needle = "Uncaught Error: Class ",
     .pattern = R"~((?:PHP )?Fatal error: +Uncaught Error: Class "?(?P<subject>[^"\s]+)"? not found)~" SBX_IN,
     .hint = "php class",
     .exit_code = 255},
    {.kind = missing_module,
     .needle = "Uncaught Error: Call to undefined function ",
     .pattern =
         R"~((?:PHP )?Fatal error: +Uncaught Error: Call to undefined function (?P<subject>[\w\\]+)\(\))~" SBX_IN,
     .hint = "php function",
     .exit_code = 255},
    {.kind = out_of_memory,
     .needle = "Allowed memory size of ",
     .pattern = R"~((?:PHP )?Fatal error: +Allowed memory size of .*)~" SBX_IN,
     .hint = "heap",
     .exit_code = 255},
    {.kind = timeout,
     .needle = "Maximum execution time of ",
     .pattern = R"~((?:PHP )?Fatal error: +Maximum execution time of .*)~" SBX_IN,
     .hint = "own time limit",
     .exit_code = 255},
    {.kind = stack_overflow,
     .needle = "Maximum call stack size",
     .pattern = R"~((?:PHP )?Fatal error: +.*Maximum call stack size.*)~" SBX_IN,
     .hint = "recursion",
     .exit_code = 255},
    {.kind = assertion,
     .needle = "Uncaught AssertionError",
     .pattern = R"~((?:PHP )?Fatal error: +Uncaught (?P<subject>AssertionError): (?P<message>.*))~" SBX_IN,
     .exit_code = 255},
    {.kind = uncaught_exception,
     .needle = "atal error: ",
     .pattern = R"~((?:PHP )?Fatal error: +Uncaught (?P<subject>[\w\\]+)(?:: (?P<message>.*))?)~" SBX_IN,
     .read_message = true,
     .exit_code = 255},
    // A message of several lines.
    {.kind = uncaught_exception,
     .needle = "atal error: ",
     .pattern = R"~((?:PHP )?Fatal error: +Uncaught (?P<subject>[\w\\]+): (?P<message>.*))~",
     .read_message = true,
     .exit_code = 255},
    {.kind = compile_error,
     .needle = "atal error: ",
     .pattern = R"~((?:PHP )?Fatal error: +(?P<message>.*) in (?P<file>\S+) on line (?P<line>\d+))~",
     .exit_code = 255},
    {.kind = unknown,
     .needle = "arning: ",
     .pattern = R"~((?:PHP )?Warning: +(?P<message>.*) in (?P<file>\S+) on line (?P<line>\d+))~",
     .read_message = true,
     .weak = true},
    // PHPUnit
    {.kind = test_failure,
     .needle = "Tests: ",
     .pattern = R"~(Tests: \d+, Assertions: \d+, .*?(?P<subject>(?:Failures|Errors): [1-9]\d*).*)~",
     .frames = Frames::before,
     .frame = R"~((?P<file>/[^\s:]+\.php):(?P<line>\d+))~"},
    // PHP_CodeSniffer
    {.kind = lint,
     .needle = ".php:",
     .pattern =
         R"~((?P<file>[^\s:]+\.php):(?P<line>\d+):(?P<column>\d+): (?:error|warning) - (?P<message>.*))~",
     .at = MatchAt::first},
});
#undef SBX_IN

}  // namespace

std::span<const FailureRule> php_rules() { return kRules; }

}  // namespace sbx
