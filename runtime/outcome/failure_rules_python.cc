// CPython's tracebacks, and what pytest, mypy and flake8 write.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

// The last frame of a traceback, the source line that it shows, and the exception below.
#define SBX_PYTHON_FRAME                                              \
  R"~(  File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in .*)?\n)~" \
  R"~((?:    .*\n|\n)*(?:  \[Previous line repeated .*\n)?)~"
#define SBX_PYTHON_CHILD \
  R"~(  File "(?P<file>[^"\n]+subprocess\.py)", line (?P<line>\d+), in _execute_child\n(?:    .*\n|\n)*)~"
constexpr std::string_view kFrame = R"~(  File "(?P<file>[^"\n]+)", line (?P<line>\d+))~";
constexpr std::string_view kNeedle = "  File \"";

constexpr FailureRule of_traceback(FailureClass kind, std::string_view pattern, std::string_view hint = {}) {
  return {.kind = kind,
          .needle = kNeedle,
          .pattern = pattern,
          .hint = hint,
          .read_message = kind == uncaught_exception,
          .exit_code = 1,
          .frames = Frames::before,
          .frame = kFrame};
}

constexpr std::array kRules = std::to_array<FailureRule>({
    of_traceback(
        missing_module,
        SBX_PYTHON_FRAME
        R"~((?P<said>(?:ModuleNotFoundError|ImportError): (?P<message>No module named '?(?P<subject>[\w.\-]+)'?.*)))~",
        "python module"),
    of_traceback(syntax_error, SBX_PYTHON_FRAME
                 R"~((?P<said>(?P<subject>SyntaxError|IndentationError|TabError): (?P<message>.*)))~"),
    of_traceback(assertion,
                 SBX_PYTHON_FRAME R"~((?P<said>(?P<subject>AssertionError)(?:: (?P<message>.*))?)(?:\n|$))~"),
    of_traceback(stack_overflow,
                 SBX_PYTHON_FRAME R"~((?P<said>(?P<subject>RecursionError)(?:: (?P<message>.*))?)(?:\n|$))~",
                 "recursion"),
    of_traceback(
        out_of_memory, SBX_PYTHON_FRAME
        R"~((?P<said>(?P<subject>MemoryError|numpy\.[\w.]*MemoryError)(?:: (?P<message>.*))?)(?:\n|$))~"),
    of_traceback(uncaught_exception,
                 SBX_PYTHON_FRAME R"~((?P<said>(?P<subject>EOFError)(?:: (?P<message>.*))?)(?:\n|$))~",
                 "end of input"),
    of_traceback(
        missing_command, SBX_PYTHON_CHILD
        R"~((?P<said>FileNotFoundError: (?P<message>\[Errno 2\] No such file or directory: '(?P<subject>[^'\n]+)')))~"),
    of_traceback(
        not_executable, SBX_PYTHON_CHILD
        R"~((?P<said>(?:PermissionError|OSError): (?P<message>\[Errno (?:13|8)\] .*: '(?P<subject>[^'\n]+)')))~"),
    of_traceback(uncaught_exception, SBX_PYTHON_FRAME
                 R"~((?P<said>(?P<subject>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?)(?:\n|$))~"),
    {.kind = missing_module,
     .needle = ": No module named ",
     .pattern = R"~(\S*python[\d.]*: No module named '?(?P<subject>[\w.\-]+)'?)~",
     .hint = "python module",
     .exit_code = 1},
    {.kind = missing_file,
     .needle = ": can't open file '",
     .pattern = R"~(\S*python[\d.]*: can't open file '(?P<subject>[^'\n]+)': (?P<message>.*))~",
     .exit_code = 2},
    {.kind = stack_overflow,
     .needle = "Fatal Python error: ",
     .pattern =
         R"~(Fatal Python error: (?:Cannot recover from|_Py_CheckRecursiveCall|.*[Ss]tack overflow).*)~",
     .hint = "recursion"},
    {.kind = segmentation_fault,
     .needle = "Fatal Python error: Segmentation fault",
     .pattern = R"~(Fatal Python error: Segmentation fault)~"},
    // pytest
    {.kind = missing_module,
     .needle = "E   ",
     .pattern = R"~(E +(?:ModuleNotFoundError|ImportError): No module named '(?P<subject>[\w.\-]+)')~",
     .hint = "python module",
     .exit_code = 2,
     .also = "error"},
    {.kind = syntax_error,
     .needle = "E     File \"",
     .pattern =
         R"~(E +File "(?P<file>[^"\n]+)", line (?P<line>\d+)\n(?:E  .*\n)*?(?P<said>E +(?P<subject>SyntaxError|IndentationError|TabError): (?P<message>.*)))~",
     .exit_code = 2,
     .also = "error"},
    {.kind = test_failure,
     .needle = " failed",
     .pattern = R"~((?:=+ )?(?P<subject>\d+ failed)(?:, \d+ \w+)* in [\d.]+s.*)~",
     .exit_code = 1,
     .frames = Frames::before,
     .frame = R"~((?P<file>[\w./\-]+\.py):(?P<line>\d+): [A-Za-z_]\w*)~"},
    {.kind = test_failure,
     .needle = "FAILED (",
     .pattern = R"~(FAILED \((?P<subject>(?:failures|errors)=\d+).*)~",
     .exit_code = 1,
     .frames = Frames::before,
     .frame = kFrame},
    {.kind = test_failure,
     .needle = " error",
     .pattern = R"~((?:=+ )?(?P<subject>\d+ errors?)(?:, \d+ \w+)* in [\d.]+s.*)~",
     .exit_code = 2,
     .weak = true},
    // mypy
    {.kind = type_error,
     .needle = ": error: ",
     .pattern =
         R"~((?P<file>[^\s:]+\.pyi?):(?P<line>\d+):(?:(?P<column>\d+):)? error: (?P<message>.*?)(?:  \[[\w\-]+\])?(?:\n|$))~",
     .at = MatchAt::first,
     .also = "Found "},
    // flake8
    {.kind = lint,
     .needle = ".py:",
     .pattern =
         R"~((?P<file>[^\s:]+\.py):(?P<line>\d+):(?P<column>\d+): (?P<subject>[A-Z]\d{3}) (?P<message>.*))~",
     .at = MatchAt::first,
     .exit_code = 1,
     .weak = true},
    // black
    {.kind = syntax_error,
     .needle = "error: cannot format ",
     .pattern =
         R"~(error: cannot format (?P<file>[^:\n]+): Cannot parse: (?P<line>\d+):(?P<column>\d+): (?P<message>.*))~",
     .at = MatchAt::first},
});
#undef SBX_PYTHON_CHILD
#undef SBX_PYTHON_FRAME

}  // namespace

std::span<const FailureRule> python_rules() { return kRules; }

}  // namespace sbx
