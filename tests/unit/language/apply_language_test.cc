#include "language/apply_language.h"

#include <doctest/doctest.h>

namespace sbx {
namespace {

using Words = std::vector<std::string>;

struct Case {
  RunRequest request;
  Runner runner;
  LimitSet granted;
  LanguageStep step = LanguageStep::act;

  Case() {
    request.image = "toy-1";
    request.language.emplace().name = "t";
    Language language;
    language.name = "toy";
    language.aliases = {"t"};
    language.file = "main.toy";
    language.commands[0] = {"toy", "{file}", "{args}"};
    language.commands[static_cast<std::size_t>(LanguageAction::test)] = {"toytest", "{path}", "{dir}"};
    runner.languages = {language};
  }
  [[nodiscard]] Result<LanguageCommand> apply() const {
    return apply_language(request, runner, runner.languages.front(), step, granted);
  }
  [[nodiscard]] LanguageCommand made() const {
    const Result<LanguageCommand> result = apply();
    REQUIRE_MESSAGE(result, result.error().text);
    return *result;
  }
  [[nodiscard]] std::string refused() const {
    const Result<LanguageCommand> result = apply();
    REQUIRE_FALSE(result);
    return result.error().text;
  }
};

TEST_CASE("code becomes a file in the start directory") {
  Case c;
  c.request.language->code = SourceFile{"", "print 1"};
  c.request.language->files = {{"lib/a.toy", "x"}, {"data.csv", "1,2"}};
  c.request.language->arguments = {"one", "two"};
  c.runner.languages[0].commands[0] = {"toy", "{sources}", "--", "{args}"};
  const LanguageCommand made = c.made();
  CHECK(made.language == "toy");
  CHECK(made.command == Words{"toy", "main.toy", "lib/a.toy", "--", "one", "two"});
  CHECK(made.directory == "/workspace/agent_workspace");
  REQUIRE(made.files.size() == 3);
  CHECK(made.files[0] == SourceFile{"main.toy", "print 1"});

  c.request.language->code->name = "other.toy";
  CHECK(c.made().command[1] == "other.toy");
}

TEST_CASE("where the request says where to start, code lies apart") {
  for (int what = 0; what < 3; ++what) {
    CAPTURE(what);
    Case c;
    c.request.language->code = SourceFile{"", "x"};
    if (what == 0) c.request.project = "p";
    if (what == 1) c.request.cwd = "/workspace/outputs";
    if (what == 2) c.request.here.emplace();
    const LanguageCommand made = c.made();
    CHECK(made.directory == "/tmp/code");
    CHECK(made.command == Words{"toy", "/tmp/code/main.toy"});
  }
}

TEST_CASE("a bind does not hide code") {
  Case c;
  c.request.language->code = SourceFile{"", "x"};
  for (const char* inside :
       {"/workspace", "/workspace/agent_workspace", "/workspace/agent_workspace/main.toy"}) {
    c.request.binds = {{"/host", inside}};
    CHECK(c.made().directory == "/tmp/code");
  }
  for (const char* inside : {"/workspace/agent_workspace/data", "/workspace/outputs", "/opt"}) {
    c.request.binds = {{"/host", inside}};
    CHECK(c.made().directory == "/workspace/agent_workspace");
  }
  c.request.cwd = "/";
  c.request.binds = {{"/host", "/tmp", BindMode::read_only, BindFlag::volume}};
  CHECK(c.refused() == "--volume /host:/tmp: would hide the code, which lies in /tmp/code");
}

TEST_CASE("{dir} is where the code is, or the path that stands in its place") {
  Case c;
  c.runner.languages.front().commands[0] = {"toy", "{dir}"};
  const auto directory = [&] { return c.made().command[1]; };
  for (const auto& [path, expected] :
       std::vector<std::pair<std::string, std::string>>{{"x.toy", "."},
                                                        {"src/x.toy", "src"},
                                                        {"/x.toy", "/"},
                                                        {"src", "src"},
                                                        {".", "."},
                                                        {"a.b/../c", "a.b/../c"}}) {
    c.request.language->path = path;
    CHECK_MESSAGE(directory() == expected, path);
  }
  c.request.language->path.clear();
  c.request.language->code = SourceFile{"", "x"};
  CHECK(directory() == "/workspace/agent_workspace");
}

TEST_CASE("compilers have what they need in every action, and not the program that runs") {
  Case c;
  c.runner.limits.memory_bytes = 100;
  c.runner.limits.pids = 7;
  c.runner.compile_limits.memory_bytes = 300;
  c.runner.compile_limits.tmp_bytes = 5;
  Language& language = c.runner.languages.front();
  const auto needed = [&](LanguageAction action) { return needed_limits(c.runner, language, action); };
  CHECK(needed(LanguageAction::check).memory_bytes == 100);
  language.compile = {"toyc"};
  CHECK(needed(LanguageAction::run) == c.runner.limits);
  const LimitSet raised = needed(LanguageAction::test);
  CHECK(raised.memory_bytes == 300);
  CHECK(raised.pids == 7);
  CHECK(raised.tmp_bytes == 5);
  c.runner.limits.memory_bytes = 400;
  CHECK(needed(LanguageAction::lint).memory_bytes == 400);
}

TEST_CASE("a bind does not hide the report of the tests") {
  Case c;
  c.request.language->path = "src";
  c.request.language->action = LanguageAction::test;
  c.request.binds = {{"/host", "/tmp"}};
  CHECK(c.made().command.front() == "toytest");  // writes none
  c.runner.languages.front().report = ReportFormat::junit;
  for (const char* inside : {"/tmp", "/tmp/test-report", "/tmp/test-report/x"}) {
    c.request.binds = {{"/host", inside}};
    CHECK(c.refused() ==
          "--bind /host:" + std::string(inside) + ": would hide the report of the tests (/tmp/test-report)");
  }
  c.request.binds = {{"/host", "/tmp/other"}};
  CHECK(c.made().report == ReportFormat::junit);
  c.request.binds = {{"/host", "/tmp"}};
  c.request.language->action = LanguageAction::run;
  CHECK_FALSE(c.made().report);
}

TEST_CASE("a path stands in the place of code") {
  Case c;
  c.request.language->path = "src/x.toy";
  CHECK(c.made().command == Words{"toy", "src/x.toy"});
  CHECK(c.made().directory.empty());
  c.request.language->action = LanguageAction::test;
  CHECK(c.made().command == Words{"toytest", "src/x.toy", "src"});
  c.request.language->path.clear();
  CHECK(c.made().command[1] == ".");
  c.request.language->files = {{"test.toy", "x"}};
  CHECK(c.made().directory == "/workspace/agent_workspace");
}

TEST_CASE("only the action test leaves a report") {
  Case c;
  c.request.language->path = "x";
  c.runner.languages[0].report = ReportFormat::junit;
  CHECK_FALSE(c.made().report);
  c.request.language->action = LanguageAction::test;
  CHECK(c.made().report == ReportFormat::junit);
}

TEST_CASE("a language that is compiled runs what its compile step left") {
  Case c;
  Language& language = c.runner.languages[0];
  language.compile = {"toyc", "-o", "{out}/main", "{sources}", "{args}"};
  language.commands[0] = {"{out}/main", "{args}"};
  c.request.language->code = SourceFile{"", "x"};
  c.request.language->arguments = {"one"};
  c.runner.environment = {{"CLASSPATH", "{out}"}};
  CHECK(compiles(c.request, language));
  LanguageCommand made = c.made();
  CHECK(made.command == Words{"/tmp/build/main", "one"});
  CHECK(made.build == BuildPlace::read);
  CHECK(made.environment == Words{"CLASSPATH=/tmp/build"});
  c.step = LanguageStep::compile;
  made = c.made();
  CHECK(made.command == Words{"toyc", "-o", "/tmp/build/main", "main.toy"});  // the program's arguments
  CHECK(made.build == BuildPlace::written);
  CHECK(made.files.size() == 1);
  c.request.binds = {{"/host", "/tmp"}};
  CHECK(c.refused() == "--bind /host:/tmp: would hide what was compiled, or lie in it (/tmp/build)");
  c.request.binds = {{"/host", "/tmp/build/x"}};
  CHECK(c.refused() == "--bind /host:/tmp/build/x: would hide what was compiled, or lie in it (/tmp/build)");

  // Other actions are about the code as it is.
  c.request.binds.clear();
  c.request.language->action = LanguageAction::test;
  c.step = LanguageStep::act;
  CHECK_FALSE(compiles(c.request, language));
  CHECK(c.made().build == BuildPlace::none);
  CHECK(c.made().environment.empty());
  c.request.language->compile_limits.pids = 3;
  CHECK(c.refused() ==
        "--compile-limit: nothing is compiled by action 'test' of language 'toy' in image 'toy-1'");
}

TEST_CASE("variables come from the limits") {
  Case c;
  c.request.language->path = "x";
  c.runner.environment = {{"HEAP", "{memory_mb}"}, {"THREADS", "{cpus}"}, {"A", "b"}};
  c.runner.writable = {"/var/cache/toy"};
  c.granted.memory_bytes = 64ULL << 20U;
  CHECK(c.made().environment == Words{"HEAP=64", "A=b"});
  CHECK(c.made().writable == Words{"/var/cache/toy"});
}

TEST_CASE("what cannot be done is refused") {
  Case c;
  c.request.language->arguments = {std::string(3U << 20U, 'x')};
  c.request.language->path = "x";
  CHECK(c.refused() == "the command is longer than 2M with its arguments");
  c = Case();
  CHECK(c.refused() ==
        "--action run: no code; give --code TEXT, --file PATH, '-' for standard input, or the path of a "
        "file inside");
  c.request.language->action = LanguageAction::lint;
  CHECK(c.refused() == "language 'toy' has no action 'lint' in image 'toy-1'; it has: run, test");
  c.request.language->action = LanguageAction::run;
  c.request.language->code = SourceFile{"", "x"};
  for (const char* name : {"main.toy", "main.toy/x"}) {
    c.request.language->files = {{name, ""}};
    CHECK(c.refused() ==
          "--add-file: '" + std::string(name) + "' is there already, as a file or a directory");
  }
  c.request.language->files = {{"a/b", ""}, {"a", ""}};
  CHECK(c.refused() == "--add-file: 'a' is there already, as a file or a directory");
}

}  // namespace
}  // namespace sbx
