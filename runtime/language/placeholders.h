// Words in braces, which stand in the commands and variables of a runner for what only one run knows:
//
//   {file}          the file with the code, or the path that was given in its place
//   {stem}          the same without directories and ending: the class that Java looks for
//   {path}          the same; "." where neither was given
//   {dir}           the directory with the code
//   {args}          the caller's arguments; a word of its own, of which none, one or many come
//   {sources}       {file} and every added file with the same ending; a word of its own
//   {report}        where the test runner is to write its report
//   {out}           the directory that the compile step fills for the program
//   {memory_bytes}  the limit of memory; {memory_mb} in MiB, {memory_hex} hexadecimal without 0x
//   {cpus}          the limit of CPUs, rounded up
//
// {memory_mb:75%} is three quarters of it. `{{` stands for `{`; braces around anything that is no word in
// small letters are just braces. A word or variable with a limit that this run has not, or with {out} where
// nothing is compiled, is left out whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx {

inline constexpr std::string_view kReportPath = "/tmp/test-report";
inline constexpr std::string_view kBuildPath = "/tmp/build";

struct PlaceholderValues {
  std::string file;  // empty: there is none
  std::string directory;
  std::string out;  // empty: nothing is compiled
  std::string report{kReportPath};
  std::vector<std::string> arguments;
  std::vector<std::string> sources;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> milli_cpus;
};

// Errors: a placeholder that there is none of, a list that is not alone in its word or not in a command.
Result<void> check_placeholders(std::string_view text, bool in_command);

// Of text that was checked. Nothing: it holds a limit that is not there.
std::optional<std::string> expand_text(std::string_view text, const PlaceholderValues& values);

// Error: all words together are longer than 2 MiB.
Result<std::vector<std::string>> expand_command(const std::vector<std::string>& command,
                                                const PlaceholderValues& values);

// Whether {name} stands in one of the words.
bool names_placeholder(const std::vector<std::string>& command, std::string_view name);

}  // namespace sbx
