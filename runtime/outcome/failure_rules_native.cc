// gcc, g++, clang, the linkers, glibc, libstdc++, sanitizers, the test runners of the image c-cpp.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

#define SBX_AT R"~((?P<file>[^\s:]+):(?P<line>\d+):(?:(?P<column>\d+):)? )~"
constexpr std::array kRules = std::to_array<FailureRule>({
    {.kind = missing_module,
     .needle = ": No such file or directory",
     .pattern = SBX_AT R"~(fatal error: (?P<subject>[^\s:]+): No such file or directory)~",
     .hint = "header",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "' file not found",
     .pattern = SBX_AT R"~(fatal error: '(?P<subject>[^'\n]+)' file not found)~",
     .hint = "header",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "cannot find -l",
     .pattern = R"~(\S*ld(?:\.\w+)?: cannot find -l(?P<subject>[\w+.\-]+).*)~",
     .hint = "library",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "error while loading shared libraries",
     .pattern = R"~([^\n]*: error while loading shared libraries: (?P<subject>[^\s:]+): .*)~",
     .hint = "library",
     .exit_code = 127},
    {.kind = syntax_error,
     .needle = "error: ",
     .pattern = SBX_AT
     R"~((?:fatal )?error: (?P<message>(?:expected|stray|missing terminating|unterminated|extraneous|unexpected|extra tokens|unbalanced|invalid preprocessing|#(?:else|endif|elif) without).*))~",
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = "error: ",
     .pattern = SBX_AT R"~((?:fatal )?error: (?P<message>.*))~",
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = "undefined reference to ",
     .pattern = R"~([^\n]*: undefined reference to .?.?.?(?P<subject>[^'\n]+?)(?:'|.{3})?(?:\n|$))~",
     .hint = "undefined reference",
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = "collect2: error: ",
     .pattern = R"~(collect2: error: (?P<message>.*))~",
     .weak = true},
    // glibc
    {.kind = assertion,
     .needle = ": Assertion ",
     .pattern = R"~([^\n]*?(?P<file>[^\s:]+):(?P<line>\d+): (?:.*: )?Assertion .(?P<subject>.*?). failed\.)~",
     .exit_code = 134},
    {.kind = assertion,
     .needle = "Assertion '",
     .pattern = R"~((?P<file>[^\s:]+):(?P<line>\d+): .*: Assertion '(?P<subject>.*?)' failed\.)~",
     .exit_code = 134},
    {.kind = abort,
     .needle = "*** ",
     .pattern =
         R"~(\*\*\* (?P<subject>stack smashing detected|buffer overflow detected) \*\*\*: terminated)~",
     .hint = "memory corrupted",
     .exit_code = 134},
    {.kind = abort,
     .needle = "free(): ",
     .pattern = R"~((?P<subject>free\(\): .*))~",
     .hint = "memory corrupted",
     .exit_code = 134},
    {.kind = abort,
     .needle = "double free or corruption",
     .pattern = R"~((?P<subject>double free or corruption.*))~",
     .hint = "memory corrupted",
     .exit_code = 134},
    {.kind = abort,
     .needle = "malloc(): ",
     .pattern = R"~((?P<subject>malloc\(\): .*))~",
     .hint = "memory corrupted",
     .exit_code = 134},
    {.kind = abort,
     .needle = "corrupted ",
     .pattern = R"~((?P<subject>corrupted (?:size vs. prev_size|double-linked list).*))~",
     .hint = "memory corrupted",
     .exit_code = 134},
    // libstdc++
    {.kind = uncaught_exception,
     .needle = "terminate called after throwing an instance of",
     .pattern =
         R"~(terminate called after throwing an instance of '(?P<subject>[^'\n]+)'(?:\n  what\(\): +(?P<message>.*))?)~",
     .read_message = true,
     .exit_code = 134},
    {.kind = abort,
     .needle = "terminate called",
     .pattern = R"~(terminate called (?:without an active exception|recursively))~",
     .exit_code = 134},
    // Sanitizers
    {.kind = stack_overflow,
     .needle = "Sanitizer: stack-overflow",
     .pattern = R"~(.*ERROR: AddressSanitizer: stack-overflow.*)~",
     .hint = "recursion"},
    {.kind = segmentation_fault,
     .needle = "ERROR: AddressSanitizer: ",
     .pattern = R"~(.*ERROR: AddressSanitizer: (?P<subject>SEGV|[\w\-]+).*)~",
     .hint = "memory corrupted",
     .frames = Frames::after,
     .frame = R"~( +#\d+ 0x\S+ in .* (?P<file>[^\s:]+):(?P<line>\d+))~",
     .weak = true},
    // Catch2, doctest, and what the image's runner of plain C tests writes
    {.kind = test_failure,
     .needle = "test cases: ",
     .pattern = R"~((?:\[doctest\] )?test cases: .*?(?P<subject>[1-9]\d* failed).*)~",
     .frames = Frames::before,
     .frame = R"~((?P<file>[^\s:(]+)[:(](?P<line>\d+)\)?: (?:FAILED|ERROR|FATAL ERROR))~"},
    {.kind = test_failure,
     .needle = "[  FAILED  ] ",
     .pattern = R"~(\[  FAILED  \] (?P<subject>\S+).*)~",
     .frames = Frames::before,
     .frame = R"~((?P<file>[^\s:(]+):(?P<line>\d+): Failure)~"},
});
#undef SBX_AT

}  // namespace

std::span<const FailureRule> native_rules() { return kRules; }

}  // namespace sbx
