// javac, the Java virtual machine, JUnit.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

constexpr std::string_view kFrame =
    R"~(\s+at (?:[\w.$]+\.)?[\w$<>]+\((?P<file>[^:()\n]+\.java):(?P<line>\d+)\))~";

#define SBX_JAVAC R"~((?P<file>[^\s:]+\.java):(?P<line>\d+): error: )~"
#define SBX_THREAD R"~((?P<said>(?:Exception in thread "[^"\n]*"|Caused by:) )~"
constexpr FailureRule thrown(FailureClass kind, std::string_view needle, std::string_view pattern,
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
    {.kind = missing_module,
     .needle = " does not exist",
     .pattern = SBX_JAVAC R"~((?P<message>package (?P<subject>[\w.]+) does not exist))~",
     .hint = "java package",
     .at = MatchAt::first},
    {.kind = syntax_error,
     .needle = ".java:",
     .pattern = SBX_JAVAC
     R"~((?P<message>.*expected|illegal start of .*|reached end of file while parsing|not a statement|unclosed .*|'\w+' without '\w+'|illegal character.*|orphaned .*|malformed .*|.*or record expected|invalid method declaration.*))~",
     .at = MatchAt::first},
    {.kind = compile_error,
     .needle = ".java:",
     .pattern = SBX_JAVAC R"~((?P<message>.*))~",
     .at = MatchAt::first},
    thrown(missing_module, "ClassNotFoundException",
           SBX_THREAD R"~((?:java\.lang\.)?ClassNotFoundException: (?P<subject>[\w.$]+)))~", "java class"),
    thrown(missing_module, "NoClassDefFoundError",
           SBX_THREAD R"~((?:java\.lang\.)?NoClassDefFoundError: (?P<subject>[\w.$/]+)))~", "java class"),
    {.kind = missing_module,
     .needle = "Could not find or load main class",
     .pattern = R"~(Error: Could not find or load main class (?P<subject>\S+))~",
     .hint = "java class",
     .exit_code = 1},
    thrown(assertion, "AssertionError",
           SBX_THREAD R"~((?P<subject>(?:[\w.]+\.)?AssertionError)(?:: (?P<message>.*))?))~"),
    thrown(stack_overflow, "StackOverflowError",
           SBX_THREAD R"~((?P<subject>java\.lang\.StackOverflowError)))~", "recursion"),
    thrown(process_limit, "unable to create native thread",
           SBX_THREAD R"~((?P<subject>java\.lang\.OutOfMemoryError): unable to create native thread.*))~"),
    thrown(out_of_memory, "OutOfMemoryError",
           SBX_THREAD R"~((?P<subject>java\.lang\.OutOfMemoryError)(?:: (?P<message>.*))?))~", "heap"),
    // With no memory left for the report of the thread.
    {.kind = out_of_memory,
     .needle = "OutOfMemoryError thrown from the UncaughtExceptionHandler",
     .pattern = R"~(.*OutOfMemoryError thrown from the UncaughtExceptionHandler.*)~",
     .hint = "heap"},
    {.kind = out_of_memory,
     .needle = "insufficient memory for the Java Runtime Environment",
     .pattern = R"~(# There is insufficient memory for the Java Runtime Environment.*)~"},
    {.kind = segmentation_fault,
     .needle = "#  SIGSEGV (0xb)",
     .pattern = R"~(#  SIGSEGV \(0xb\).*)~",
     .exit_code = 134},
    {.kind = missing_command,
     .needle = "Cannot run program \"",
     .pattern =
         R"~((?P<said>(?:Exception in thread .*|Caused by: .*)Cannot run program "(?P<subject>[^"\n]+)".*error=2.*(?:\n\s+(?:at|\.\.\.) .*)*(?:\nCaused by: java\.io\.IOException: error=2.*)?))~",
     .exit_code = 1},
    thrown(uncaught_exception, "xception in thread \"",
           SBX_THREAD R"~((?P<subject>[\w.$]+)(?:: (?P<message>.*))?))~"),
    thrown(uncaught_exception, "Caused by: ", SBX_THREAD R"~((?P<subject>[\w.$]+)(?:: (?P<message>.*))?))~"),
    // The console launcher of JUnit
    {.kind = test_failure,
     .needle = " tests failed",
     .pattern = R"~(\[ +(?P<subject>[1-9]\d*) tests failed +\])~",
     .exit_code = 1,
     .frames = Frames::before,
     .frame = kFrame},
});
#undef SBX_THREAD
#undef SBX_JAVAC

}  // namespace

std::span<const FailureRule> java_rules() { return kRules; }

}  // namespace sbx
