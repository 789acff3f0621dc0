#include <doctest/doctest.h>

#include <algorithm>

#include "language/runner.h"
#include "unit/policy/policy_fixture.h"

namespace sbx {
namespace {

using testing::error_of;
using testing::replaced;

const std::string kSmall = R"(languages:
  - name: toy
    file: main.toy
    actions:
      run: [toy, "{file}", "{args}"]
)";

std::string refused(const std::string& text) { return error_of(parse_runner("r.yaml", text)); }

std::string refused_with(const std::string& from, const std::string& to) {
  return refused(replaced(kSmall, from, to));
}

TEST_CASE("every key of a runner is read") {
  const Result<Runner> runner = parse_runner("r.yaml", R"(
languages:
  - name: c++
    aliases: [cpp, g++]
    file: main.cc
    report: junit
    actions:
      run: [sh, -c, 'g++ "$@"', sh, "{sources}"]
      check: [g++, -fsyntax-only, "{file}"]
      test: [ctest, "{path}"]
      format: [clang-format, "{path}"]
      lint: [clang-tidy, "{path}"]
      type-check: [g++, "{stem}"]
  - name: c
    file: main.c
    tool: gcc
    actions: {compile: [gcc, -o, "{out}/main"], run: ["{out}/main"]}
limits: {memory: 1G, pids: 300}
compile_limits: {tmp: 2G}
environment:
  HEAP: "{memory_mb:75%}"
  EMPTY: ""
writable: [/var/cache/x, /opt/y/]
)");
  REQUIRE_MESSAGE(runner, error_of(runner));
  REQUIRE(runner->languages.size() == 2);
  const Language& language = runner->languages[0];
  CHECK(language.name == "c++");
  CHECK(language.aliases == std::vector<std::string>{"cpp", "g++"});
  CHECK(language.file == "main.cc");
  CHECK(language.report == ReportFormat::junit);
  CHECK_FALSE(runner->languages[1].report);
  CHECK(language.tool.empty());
  CHECK(runner->languages[1].tool == "gcc");
  for (const std::vector<std::string>& command : language.commands) CHECK_FALSE(command.empty());
  CHECK(language.commands[static_cast<std::size_t>(LanguageAction::lint)] ==
        std::vector<std::string>{"clang-tidy", "{path}"});
  CHECK(runner->limits.memory_bytes == 1U << 30U);
  CHECK(runner->limits.pids == 300);
  CHECK(runner->compile_limits.tmp_bytes == 2ULL << 30U);
  CHECK(language.compile.empty());
  CHECK(runner->languages[1].compile == std::vector<std::string>{"gcc", "-o", "{out}/main"});
  CHECK_FALSE(runner->limits.wall_ms);
  CHECK(runner->environment ==
        std::vector<std::pair<std::string, std::string>>{{"HEAP", "{memory_mb:75%}"}, {"EMPTY", ""}});
  CHECK(runner->writable == std::vector<std::string>{"/var/cache/x", "/opt/y"});

  CHECK(find_language(*runner, "cpp") == &runner->languages[0]);
  CHECK(find_language(*runner, "c") == &runner->languages[1]);
  CHECK(find_language(*runner, "d") == nullptr);
}

TEST_CASE("what is wrong in a runner is named, with its place") {
  CHECK(parse_runner("r.yaml", kSmall));
  CHECK(refused("a: 1\n") ==
        "r.yaml:1:1: unknown key 'a': known: 'languages', 'limits', 'compile_limits', 'environment' or "
        "'writable'");
  CHECK(refused("languages: []\n") == "r.yaml:1:12: languages: has no language");
  CHECK(refused("limits: {}\n") == "r.yaml:1:1: languages: is missing");
  CHECK(refused_with("toy\n    file", "Toy\n    file")
            .starts_with("r.yaml:2:11: name: 'Toy' is no name of a language"));
  CHECK(refused_with("name: toy", "name: toy\n    aliases: [x, toy]") ==
        "r.yaml:3:18: aliases: 'toy' is there twice");
  CHECK(refused_with("main.toy", "../main.toy") ==
        "r.yaml:3:11: file: the file name '../main.toy' is not relative, or has a part that is empty, '.' or "
        "'..'");
  CHECK(refused_with("main.toy", "main.toy\n    report: tap") ==
        "r.yaml:4:13: languages: report: expected 'junit', not 'tap'");
  CHECK(refused_with("run: [toy, \"{file}\", \"{args}\"]", "check: [toy]") ==
        "r.yaml:5:7: actions: run: is missing");
  CHECK(refused_with("run:", "go: [x]\n      run:")
            .starts_with("r.yaml:5:7: actions: unknown key 'go': known: 'compile'"));
  CHECK(refused_with("[toy, \"{file}\", \"{args}\"]", "[]") ==
        "r.yaml:5:12: actions: run: the command is empty");
  CHECK(refused_with("[toy, \"{file}\"", "[\"{file}\", toy") ==
        "r.yaml:5:13: run: the first word is the name of a program");
  CHECK(refused_with("[toy,", "[\"{out}/x\",") ==
        "r.yaml:5:12: actions: run: {out} is for compile, and for run behind it");
  CHECK(refused_with("run:", "compile: [x]\n      check: [x, \"{out}\"]\n      run:") ==
        "r.yaml:6:14: actions: check: {out} is for compile, and for run behind it");
  CHECK(refused_with("run:", "compile: []\n      run:") ==
        "r.yaml:5:16: actions: compile: the command is empty");
  CHECK(refused(kSmall + "compile_limits: {memory: none}\n")
            .starts_with("r.yaml:6:26: compile_limits: memory: "));
  CHECK(refused_with("{file}", "{fil}") ==
        "r.yaml:5:18: run: no placeholder '{fil}': did you mean 'file'? (write {{ for a brace itself)");
  CHECK(refused_with("{args}", "-{args}") ==
        "r.yaml:5:28: run: '{args}' stands for any number of words: it has to be a word of a command by "
        "itself");
  CHECK(refused_with("{file}", "{file:3%}") == "r.yaml:5:18: run: '{file}' has no percentage");
  CHECK(refused_with("\"{file}\"", "\"a\\0b\"") == "r.yaml:5:18: run: holds a NUL byte");
  CHECK(refused(kSmall + "limits: {memory: none}\n").starts_with("r.yaml:6:18: limits: memory: "));
  CHECK(refused(kSmall + "limits: {wall-time: 1s}\n")
            .starts_with("r.yaml:6:10: limits: unknown key 'wall-time': known: 'memory', "));
  CHECK(refused(kSmall + "environment: [A]\n") ==
        "r.yaml:6:14: environment: expected a map of names and values");
  CHECK(refused(kSmall + "environment: {A=B: c}\n") ==
        "r.yaml:6:15: environment: 'A=B' is not a name of letters, digits and '_'");
  CHECK(refused(kSmall + "environment: {A: \"{args}\"}\n")
            .starts_with("r.yaml:6:18: environment: A: '{args}' stands"));
  CHECK(refused(kSmall + "environment: {A: [b]}\n") ==
        "r.yaml:6:18: environment: A: expected a single value, not a list");
  CHECK(refused(kSmall + "writable: [x]\n").starts_with("r.yaml:6:12: writable: 'x'"));
}

TEST_CASE("a writable directory is one that can be shown, and none of the sandbox's own") {
  const auto refused_for = [](const std::string& directories) {
    return refused(kSmall + "writable: [" + directories + "]\n");
  };
  for (const char* own :
       {"/", "/proc", "/dev/shm", "/tmp", "/var", "/home", "/home/sandbox/.cache", "/workspace/x", "/sys"}) {
    CAPTURE(own);
    CHECK(refused_for(own) == "r.yaml:6:12: writable: '" + std::string(own) +
                                  "' is, holds or lies in a place of the sandbox's own");
  }
  // overlayfs would read the part behind the colon as a directory of the host.
  for (const char* name : {"\"/x:/root\"", "\"/a,b\"", "\"/a\\\\b\"", "\"/a\\eb\""}) {
    CAPTURE(name);
    CHECK(refused_for(name).find("holds ':', ',', a backslash or control characters") != std::string::npos);
  }
  CHECK(refused_for("/a, /a/b") == "r.yaml:6:16: writable: '/a/b' is, holds or lies in another one");
  CHECK(refused_for("/a/b, /a").ends_with("is, holds or lies in another one"));
  CHECK(refused_for("/" + std::string(200, 'a')).ends_with("is longer than 200 bytes"));
  std::string many = "/d0";
  for (int i = 1; i < 17; ++i) many += ", /d" + std::to_string(i);
  CHECK(refused_for(many) == "r.yaml:6:11: writable: more than 16 directories");
  CHECK(parse_runner("r.yaml", kSmall + "writable: [/temporary, /var/cache/x, /developers]\n"));
}

TEST_CASE("the shipped runners are read") {
  const std::filesystem::path images =
      std::filesystem::path(testing::shipped_policies()).parent_path() / "rootfs" / "images";
  int seen = 0;
  for (const auto& image : std::filesystem::directory_iterator(images)) {
    const std::filesystem::path file = image.path() / "runner.yaml";
    if (!std::filesystem::exists(file)) continue;
    ++seen;
    const std::string text = testing::read_text(file);
    CHECK(text.size() <= kRunnerLimit);
    const Result<Runner> runner = parse_runner(file.string(), text);
    CHECK_MESSAGE(runner, error_of(runner));
  }
  CHECK(seen > 0);
}

}  // namespace
}  // namespace sbx
