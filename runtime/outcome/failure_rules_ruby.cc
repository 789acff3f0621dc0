// Ruby, minitest, RSpec, RuboCop.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

constexpr std::string_view kFrame = R"~(\s+from (?P<file>[^\s:]+):(?P<line>\d+):in .*)~";

#define SBX_RUBY R"~((?P<file><[^>\n]+>|[^\s:]+):(?P<line>\d+):in .*?: )~"
constexpr FailureRule raised(FailureClass kind, std::string_view needle, std::string_view pattern,
                             std::string_view hint = {}) {
  return {.kind = kind,
          .needle = needle,
          .pattern = pattern,
          .hint = hint,
          .read_message = kind == uncaught_exception,
          .exit_code = 1,
          .frames = Frames::after,
          .frame = kFrame};
}

constexpr std::array kRules = std::to_array<FailureRule>({
    raised(missing_module, "cannot load such file -- ",
           SBX_RUBY R"~(cannot load such file -- (?P<subject>\S+) \(LoadError\))~", "ruby gem"),
    {.kind = missing_module,
     .needle = "Could not find gem '",
     .pattern = R"~(Could not find gem '(?P<subject>[^'\s]+).*)~",
     .hint = "ruby gem"},
    {.kind = syntax_error,
     .needle = "syntax error",
     .pattern = R"~((?:\S+: )?(?P<file>[^\s:]+\.\w+):(?P<line>\d+): (?P<message>.*syntax errors?.*))~",
     .at = MatchAt::first,
     .exit_code = 1},
    {.kind = syntax_error,
     .needle = "(SyntaxError)",
     .pattern =
         R"~((?:\S+: )?-?-?(?:\S+: )?(?P<file>[^\s:]+):(?P<line>\d+): (?P<message>.*) \(SyntaxError\))~",
     .exit_code = 1},
    raised(
        missing_command, "(Errno::ENOENT)",
        R"~((?P<file>[^\s:]+):(?P<line>\d+):in [`'](?:Kernel#)?(?:spawn|system|exec|popen|`|IO\.popen|capture\w*).*?: No such file or directory - (?P<subject>\S+) \(Errno::ENOENT\))~"),
    raised(stack_overflow, "(SystemStackError)",
           SBX_RUBY R"~((?P<message>.*) \((?P<subject>SystemStackError)\))~", "recursion"),
    raised(out_of_memory, "(NoMemoryError)", SBX_RUBY R"~((?P<message>.*) \((?P<subject>NoMemoryError)\))~"),
    {.kind = out_of_memory,
     .needle = "[FATAL] failed to allocate memory",
     .pattern = R"~(\[FATAL\] failed to allocate memory)~"},
    {.kind = segmentation_fault,
     .needle = "[BUG] Segmentation fault",
     .pattern = R"~(.*\[BUG\] Segmentation fault.*)~",
     .exit_code = 134},
    raised(uncaught_exception, "Error)", SBX_RUBY R"~((?P<message>.*) \((?P<subject>[A-Z][\w:]*)\))~"),
    raised(uncaught_exception, ":in ", SBX_RUBY R"~((?P<message>.*) \((?P<subject>[A-Z][\w:]*)\)(?:\n|$))~"),
    raised(uncaught_exception, "unhandled exception", SBX_RUBY R"~((?P<subject>unhandled exception))~"),
    // minitest, test-unit
    {.kind = test_failure,
     .needle = " assertions, ",
     .pattern =
         R"~(\d+ (?:runs|tests), \d+ assertions, (?:(?P<subject>[1-9]\d* failures), \d+ errors|\d+ failures, (?:[1-9]\d*) errors).*)~",
     .frames = Frames::before,
     .frame = R"~(.*\[(?P<file>[^\s:\]]+):(?P<line>\d+)\]:?)~"},
    // RSpec
    {.kind = test_failure,
     .needle = " examples, ",
     .pattern = R"~(\d+ examples, (?P<subject>[1-9]\d* failures?).*)~",
     .frames = Frames::before,
     .frame = R"~( +# (?P<file>[^\s:]+):(?P<line>\d+):in .*)~"},
    {.kind = test_failure, .needle = "1 example, ", .pattern = R"~(1 example, (?P<subject>1 failure).*)~"},
    // RuboCop
    {.kind = lint,
     .needle = ".rb:",
     .pattern = R"~((?P<file>[^\s:]+\.rb):(?P<line>\d+):(?P<column>\d+): [CWEFR]: (?P<message>.*))~",
     .at = MatchAt::first,
     .exit_code = 1,
     .also = "offense"},
});
#undef SBX_RUBY

}  // namespace

std::span<const FailureRule> ruby_rules() { return kRules; }

}  // namespace sbx
