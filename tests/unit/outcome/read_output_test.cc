#include "outcome/read_output.h"

#include <doctest/doctest.h>
#include <re2/re2.h>

#include <set>

namespace sbx {
namespace {

std::optional<OutputFinding> read_error(std::string_view text, std::optional<int> exit_code = 1) {
  return read_output({"", text}, exit_code);
}

constexpr std::string_view kTraceback =
    "Traceback (most recent call last):\n"
    "  File \"/workspace/main.py\", line 3, in <module>\n"
    "    f()\n"
    "  File \"/usr/lib/python3/site-packages/x.py\", line 9, in f\n"
    "    raise KeyError('a')\n"
    "KeyError: 'a'\n";

}  // namespace

TEST_CASE("every rule is whole: its pattern compiles, its needle and its groups are of use") {
  const std::set<std::string> groups{"file", "line", "column", "subject", "message", "said"};
  std::size_t rules = 0;
  for (const auto& of_language : failure_rules()) {
    for (const FailureRule& rule : of_language) {
      ++rules;
      const std::string pattern(rule.pattern);
      RE2::Options options(RE2::Latin1);
      options.set_log_errors(false);
      const RE2 compiled(pattern, options);
      CHECK_MESSAGE(compiled.ok(), pattern << ": " << compiled.error());
      CHECK_MESSAGE(!rule.needle.empty(), pattern);
      for (const auto& [name, index] : compiled.NamedCapturingGroups())
        CHECK_MESSAGE(groups.contains(name), pattern);
      CHECK_MESSAGE((rule.frames == Frames::none) == rule.frame.empty(), pattern);
      CHECK_MESSAGE(RE2(std::string(rule.frame), options).ok(), std::string(rule.frame));
      CHECK_MESSAGE((!rule.exactly || rule.exit_code != 0), pattern);
    }
  }
  CHECK(rules > 150);
  for (const SystemWords& words : system_words()) CHECK(RE2(std::string(words.pattern)).ok());
}

TEST_CASE("a traceback tells the exception, and the line of the program's own that is nearest to it") {
  const auto found = read_error(kTraceback);
  REQUIRE(found);
  CHECK(found->kind == FailureClass::uncaught_exception);
  CHECK(found->subject == "KeyError");
  CHECK(found->evidence.stream == "stderr");
  CHECK(found->evidence.text == "KeyError: 'a'");
  REQUIRE(found->place);
  CHECK(found->place->file == "/workspace/main.py");
  CHECK(found->place->line == 3);
}

TEST_CASE("a traceback counts only with a status that Python, or what started it, ends with") {
  CHECK(read_error(kTraceback, 1));
  CHECK(read_error(kTraceback, 2));
  CHECK(read_error(kTraceback, 123));
  CHECK(!read_error(kTraceback, 3));
}

TEST_CASE("the last that is said counts, and of a compiler the first") {
  const std::string later =
      std::string(kTraceback) + "cp: cannot create regular file '/x': Read-only file system\n";
  CHECK(read_error(later)->kind == FailureClass::read_only);
  const auto compiled = read_error("a.c:3:5: error: 'x' undeclared\na.c:9:1: error: 'y' undeclared\n");
  REQUIRE(compiled);
  CHECK(compiled->place->line == 3);
  CHECK(compiled->place->column == 5);
  // Behind more lines that only look like it than are tried it is the last one.
  std::string many;
  for (int i = 0; i < 300; ++i) many += "error: \n";
  const auto behind = read_error(many + "a.c:3:5: error: 'x' undeclared\na.c:9:1: error: 'y' undeclared\n");
  REQUIRE(behind);
  CHECK(behind->place->line == 9);
}

TEST_CASE("standard error counts before standard output") {
  const std::string_view refused =
      "curl: (7) Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server\n";
  CHECK(read_output({kTraceback, refused}, 1)->kind == FailureClass::network);
  const auto merged = read_output({kTraceback, "note\n"}, 1);
  REQUIRE(merged);
  CHECK(merged->evidence.stream == "stdout");
}

TEST_CASE("the words of the system in an exception's message tell more than its type") {
  const auto kind = [](const std::string& line) {
    return read_error("Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x\n" +
                      line + "\n")
        ->kind;
  };
  CHECK(kind("OSError: [Errno 28] No space left on device") == FailureClass::disk_full);
  CHECK(kind("OSError: [Errno 24] Too many open files: 'x'") == FailureClass::open_files_limit);
  CHECK(kind("ConnectionRefusedError: [Errno 111] Connection refused") == FailureClass::network);
  CHECK(kind("RuntimeError: can't start new thread") == FailureClass::process_limit);
  CHECK(kind("app.Error: something else") == FailureClass::uncaught_exception);
}

TEST_CASE("hostile text: colours, zero bytes, no UTF-8, lines without end, needles everywhere") {
  std::string coloured = "\x1b[31mmain.c:1:2: \x1b[1merror: \x1b[0mexpected ';'\r\n";
  REQUIRE(read_error(coloured));
  CHECK(read_error(coloured)->kind == FailureClass::syntax_error);
  const auto shown = read_error("sh: 1: \xff\xfe\x01tool: not found\n", 127);
  REQUIRE(shown);
  CHECK(shown->subject == "???tool");
  CHECK(!read_error(std::string(1 << 20, 'x')));
  CHECK(!read_error(std::string(1 << 20, '\0')));
  std::string needles;
  for (int i = 0; i < 5000; ++i) needles += "  File \": error: panic: fork: FAILED (E   ";
  CHECK(!read_error(needles));
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "  File \"\n";
  CHECK(!read_error(lines));
  const auto bounded = read_error("make: " + std::string(9000, 'a') + ": Permission denied\n");
  REQUIRE(bounded);
  CHECK(bounded->evidence.text.size() < 320);
  CHECK(read_error("a.c:99999999999999999999:1: error: x\n")->place == std::nullopt);
}

TEST_CASE("only the ends are looked at") {
  CHECK(!read_error(std::string(kTraceback) + std::string(70000, '\n')));
  CHECK(read_error(std::string(200000, '\n') + std::string(kTraceback)));
}

}  // namespace sbx
