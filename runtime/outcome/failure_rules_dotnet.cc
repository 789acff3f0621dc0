// C#: mcs, csc, mono, .NET, NUnit.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

constexpr std::string_view kFrame = R"~(\s+at .* in (?P<file>[^\s:]+):(?:line )?(?P<line>\d+).*)~";

#define SBX_CS R"~((?P<file>[^\s(]+\.cs)\((?P<line>\d+),(?P<column>\d+)(?:,\d+,\d+)?\): error )~"
#define SBX_UNHANDLED \
  R"~((?P<said>(?:\[ERROR\] FATAL UNHANDLED EXCEPTION: |Unhandled [Ee]xception\. )(?:Nested exception detected\.\n)?)~"
constexpr FailureRule thrown(FailureClass kind, std::string_view needle, std::string_view pattern,
                             std::string_view hint = {}) {
  return {.kind = kind,
          .needle = needle,
          .pattern = pattern,
          .hint = hint,
          .read_message = kind == uncaught_exception,
          .frames = Frames::after,
          .frame = kFrame};
}

constexpr std::array kRules = std::to_array<FailureRule>({
    {.kind = missing_module,
     .needle = "error CS0234",
     .pattern =
         SBX_CS R"~(CS0234: (?P<message>The type or namespace name .(?P<subject>[\w.]+). does not exist.*))~",
     .hint = "assembly",
     .at = MatchAt::first},
    {.kind = missing_module,
     .needle = "error CS0246",
     .pattern = SBX_CS
     R"~(CS0246: (?P<message>The type or namespace name .(?P<subject>[\w.]+). could not be found.*))~",
     .hint = "assembly",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = "error CS",
     .pattern = SBX_CS
     R"~((?P<subject>CS(?:100[1-3]|101[0-9]|102[0-9]|103[1-9]|104[0-9]|1056|151[0-9]|152[0-9]|15[0-9]{2}|802[0-9]|8124)): (?P<message>.*))~",
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = "error CS",
     .pattern = SBX_CS R"~((?P<subject>CS\d{4}): (?P<message>.*))~",
     .at = MatchAt::first},
    thrown(stack_overflow, "tack overflow", R"~(.*[Ss]tack overflow.*)~", "recursion"),
    thrown(out_of_memory, "OutOfMemoryException",
           SBX_UNHANDLED R"~((?P<subject>System\.OutOfMemoryException)(?:: (?P<message>.*))?))~", "heap"),
    thrown(
        missing_module, "FileNotFoundException: Could not load file or assembly",
        SBX_UNHANDLED
        R"~((?:System\.IO\.)FileNotFoundException: Could not load file or assembly .(?P<subject>[\w.]+).*))~",
        "assembly"),
    thrown(
        missing_command, "Win32Exception",
        SBX_UNHANDLED
        R"~(System\.ComponentModel\.Win32Exception(?: \(\w+\))?: (?:.*'(?P<subject>[^'\n]+)'.*)?(?:[Cc]annot find the specified file|No such file).*))~"),
    thrown(
        assertion, "Assert",
        SBX_UNHANDLED
        R"~((?P<subject>(?:[\w.]+\.)?(?:AssertionException|DebugAssertException|AssertFailedException))(?:: (?P<message>.*))?))~"),
    thrown(uncaught_exception, "nhandled exception",
           SBX_UNHANDLED R"~((?P<subject>[\w.`+]+)(?: \([^)\n]*\))?(?:: (?P<message>.*))?))~"),
    thrown(uncaught_exception, "UNHANDLED EXCEPTION",
           SBX_UNHANDLED R"~((?P<subject>[\w.`+]+)(?: \([^)\n]*\))?(?:: (?P<message>.*))?))~"),
    {.kind = segmentation_fault,
     .needle = "Got a SIGSEGV while executing native code",
     .pattern = R"~(.*Got a SIGSEGV while executing native code.*)~"},
    {.kind = test_failure,
     .needle = "Failed: ",
     .pattern = R"~( *(?:Test Count: \d+, )?Passed: \d+, (?P<subject>Failed: [1-9]\d*).*)~",
     .frames = Frames::before,
     .frame = kFrame},
});
#undef SBX_UNHANDLED
#undef SBX_CS

}  // namespace

std::span<const FailureRule> dotnet_rules() { return kRules; }

}  // namespace sbx
