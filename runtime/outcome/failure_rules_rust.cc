// rustc, cargo, the runtime of Rust, its tests, clippy.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

#define SBX_RUST_AT R"~(\n +--> (?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+))~"
constexpr std::array kRules = std::to_array<FailureRule>({
    {.kind = missing_module,
     .needle = "error[E0432]",
     .pattern = R"~((?P<said>error\[E0432\]: unresolved import `(?P<subject>[^`\n]+)`))~" SBX_RUST_AT,
     .hint = "crate",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "error[E0433]",
     .pattern =
         R"~((?P<said>error\[E0433\]: failed to resolve: use of (?:undeclared|unresolved) (?:crate or )?module(?: or unlinked crate)? `(?P<subject>[^`\n]+)`))~" SBX_RUST_AT,
     .hint = "crate",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "error[E0463]",
     .pattern = R"~((?P<said>error\[E0463\]: can't find crate for `(?P<subject>[^`\n]+)`).*)~",
     .hint = "crate",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "no matching package named `",
     .pattern = R"~(error: no matching package named `(?P<subject>[^`\n]+)` found)~",
     .hint = "crate"},
    {.kind = syntax_error,
     .needle = "error: ",
     .pattern =
         R"~((?P<said>error: (?P<message>expected .*|this file contains an un.*|mismatched closing.*|unexpected closing.*|unterminated .*|unknown start of token.*|missing .*|found .*)))~" SBX_RUST_AT,
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = "error[E",
     .pattern = R"~((?P<said>error\[(?P<subject>E\d+)\]: (?P<message>.*))(?:)~" SBX_RUST_AT ")?",
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = "error: ",
     .pattern = R"~((?P<said>error: (?P<message>.*)))~" SBX_RUST_AT,
     .at = MatchAt::first},
    {.kind = assertion,
     .needle = "' panicked at ",
     .pattern =
         R"~(thread '[^'\n]*'(?: \(\d+\))? panicked at (?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+):\n(?P<said>assertion (?P<subject>.*)))~",
     .exit_code = 101},
    {.kind = uncaught_exception,
     .needle = "' panicked at ",
     .pattern =
         R"~(thread '[^'\n]*'(?: \(\d+\))? panicked at (?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+):\n(?P<said>(?P<subject>)(?P<message>.*)))~",
     .hint = "panic",
     .read_message = true,
     .exit_code = 101},
    {.kind = uncaught_exception,
     .needle = "Error: ",
     .pattern = R"~((?P<said>Error: (?P<subject>[A-Z]\w*) ?[{(](?P<message>.*)))~",
     .read_message = true,
     .exit_code = 1,
     .weak = true},
    {.kind = stack_overflow,
     .needle = " has overflowed its stack",
     .pattern = R"~(thread '[^'\n]*'(?: \(\d+\))? has overflowed its stack)~",
     .hint = "recursion",
     .exit_code = 134},
    {.kind = out_of_memory,
     .needle = "memory allocation of ",
     .pattern = R"~(memory allocation of \d+ bytes failed)~",
     .exit_code = 134},
    {.kind = test_failure,
     .needle = "test result: FAILED",
     .pattern = R"~(test result: FAILED\. \d+ passed; (?P<subject>\d+ failed).*)~",
     .exit_code = 101,
     .frames = Frames::before,
     .frame = R"~(thread '[^'\n]*'(?: \(\d+\))? panicked at (?P<file>[^\s:]+):(?P<line>\d+):\d+:)~"},
});
#undef SBX_RUST_AT

}  // namespace

std::span<const FailureRule> rust_rules() { return kRules; }

}  // namespace sbx
