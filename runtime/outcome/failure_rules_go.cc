// The go command, its runtime, its tests, vet.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

constexpr std::string_view kFrame = R"~(\s+(?P<file>/[^\s:]+\.go):(?P<line>\d+))~";

#define SBX_GO R"~((?:vet: )?(?P<file>[^\s:]+\.go):(?P<line>\d+):(?P<column>\d+): )~"
constexpr std::array kRules = std::to_array<FailureRule>({
    {.kind = missing_module,
     .needle = "is not in ",
     .pattern = SBX_GO R"~((?P<message>package (?P<subject>\S+) is not in (?:std|GOROOT).*))~",
     .hint = "go module",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "no required module provides package ",
     .pattern =
         R"~((?:(?P<file>[^\s:]+\.go):(?P<line>\d+):(?P<column>\d+): )?no required module provides package (?P<subject>[^\s;:]+).*)~",
     .hint = "go module",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "cannot find module providing package ",
     .pattern = R"~(.*cannot find module providing package (?P<subject>[^\s;:]+).*)~",
     .hint = "go module",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "cannot find package",
     .pattern = R"~(.*cannot find package "?(?P<subject>[^\s;:"]+).*)~",
     .hint = "go module",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = ": syntax error: ",
     .pattern = SBX_GO R"~((?P<message>syntax error: .*))~",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = ": expected ",
     .pattern = SBX_GO R"~((?P<message>expected .*))~",
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = ".go:",
     .pattern = SBX_GO R"~((?P<message>.*))~",
     .at = MatchAt::first,
     .exit_code = 1},
    {.kind = stack_overflow,
     .needle = "fatal error: stack overflow",
     .pattern = R"~(fatal error: stack overflow)~",
     .hint = "recursion",
     .exit_code = 2},
    {.kind = out_of_memory,
     .needle = "fatal error: runtime: ",
     .pattern = R"~(fatal error: runtime: (?:out of memory|cannot allocate memory).*)~",
     .exit_code = 2},
    {.kind = process_limit,
     .needle = "runtime: failed to create new OS thread",
     .pattern = R"~(runtime: failed to create new OS thread.*)~",
     .exit_code = 2},
    {.kind = missing_command,
     .needle = "executable file not found in $PATH",
     .pattern = R"~(.*exec: "(?P<subject>[^"\n]+)": executable file not found in \$PATH.*)~"},
    {.kind = uncaught_exception,
     .needle = "panic: ",
     .pattern = R"~(panic: (?P<subject>)(?P<message>.*))~",
     .hint = "panic",
     .read_message = true,
     .exit_code = 2,
     .also = "goroutine ",
     .frames = Frames::after,
     .frame = kFrame},
    {.kind = uncaught_exception,
     .needle = "fatal error: ",
     .pattern = R"~((?P<subject>fatal error): (?P<message>.*))~",
     .hint = "panic",
     .exit_code = 2,
     .also = "goroutine ",
     .frames = Frames::after,
     .frame = kFrame},
    // log.Fatal
    {.kind = unknown,
     .needle = "/",
     .pattern = R"~(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?P<said>(?P<message>.*)))~",
     .read_message = true,
     .exit_code = 1},
    {.kind = test_failure,
     .needle = "--- FAIL: ",
     .pattern =
         R"~( *--- FAIL: (?P<subject>\S+) \([\d.]+s\)(?:\n +(?P<file>[^\s:]+\.go):(?P<line>\d+): (?P<message>.*))?)~",
     .at = MatchAt::first},
});
#undef SBX_GO

}  // namespace

std::span<const FailureRule> go_rules() { return kRules; }

}  // namespace sbx
