// What the runtimes, compilers and tools of each language write when they fail: data, tried by
// outcome/read_output.cc on the ends of what a run wrote. All rules are tried whatever the language of a run
// is: programs start programs of other languages.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "outcome/failure.h"

namespace sbx {

enum class MatchAt : std::uint8_t {
  last,   // the last match tells: what a runtime writes as it dies
  first,  // the first: a compiler's later errors follow from it
};

// Where the lines about the program's own frames are, beside the match.
enum class Frames : std::uint8_t { none, before, after };

// The groups of a pattern that are read: file, line, column, subject, message.
struct FailureRule {
  FailureClass kind;  // `unknown`: the rule counts only where `read_message` finds another
  // In the first line of what the pattern matches. The pattern is tried at the beginnings of lines that have
  // it, and at no others.
  std::string_view needle;
  std::string_view pattern;    // RE2, from the beginning of a line
  std::string_view hint = {};  // a key of failure_hints.cc; empty: that of the class
  MatchAt at = MatchAt::last;
  // The message of an exception is looked at for the words of the system ("Permission denied").
  bool read_message = false;
  // What the runtime ends with, besides 1 and 2, which what started it may end with; 0: any status.
  int exit_code = 0;
  bool exactly = false;        // that status, and neither 1 nor 2
  std::string_view also = {};  // is somewhere in the text as well
  Frames frames = Frames::none;
  std::string_view frame = {};  // RE2 with the groups file and line, in each line beside the match
  bool weak = false;            // only where no other rule matches
  bool only_error = false;      // on standard error alone
};

std::span<const FailureRule> python_rules();
std::span<const FailureRule> shell_rules();
std::span<const FailureRule> native_rules();  // C, C++, and what their runtimes and linkers write
std::span<const FailureRule> java_rules();
std::span<const FailureRule> node_rules();  // JavaScript, TypeScript
std::span<const FailureRule> go_rules();
std::span<const FailureRule> ruby_rules();
std::span<const FailureRule> php_rules();
std::span<const FailureRule> rust_rules();
std::span<const FailureRule> dotnet_rules();  // mono too
std::span<const FailureRule> system_rules();  // the words of the system, as any tool writes them

// All of them, those of languages first: where two match the same line, the earlier one counts.
std::array<std::span<const FailureRule>, 11> failure_rules();

// The words of the system in the message of an exception, in any case.
struct SystemWords {
  FailureClass kind;
  std::string_view pattern;  // RE2
};
std::span<const SystemWords> system_words();

}  // namespace sbx
