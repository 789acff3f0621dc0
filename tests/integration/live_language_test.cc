// Code of a language in a living sandbox.
#include "nursery.h"
#include "toy_image.h"

namespace sbx::test {
namespace {

using nlohmann::json;

constexpr const char* kRunner = R"(
languages:
  - name: toy
    aliases: [t]
    file: main.toy
    report: junit
    actions:
      run: [/bin/toy, "{file}", "{args}"]
      test: [/bin/toy, "{file}", "{report}"]
  - name: toyc
    file: main.toyc
    tool: toy
    actions:
      compile: [/bin/toy, --compile, "{file}", "{out}"]
      run: [/bin/toy, "{out}/main.toy", "{args}"]
environment:
  TOY_MEMORY: "{memory_mb:50%}"
limits: {memory: 600M}
compile_limits: {memory: 700M}
writable: [/var/cache/toy]
)";

RunRequest code(const std::string& language, const std::string& text,
                LanguageAction action = LanguageAction::run) {
  RunRequest request;
  request.language.emplace();
  request.language->name = language;
  request.language->action = action;
  request.language->code = SourceFile{"", text};
  request.streams = {StreamMode::null, StreamMode::capture, StreamMode::capture};
  return request;
}

class Toys {
 public:
  Toys() : nursery_((import_toy(place_, "toy-1", kRunner), place_)) {}
  [[nodiscard]] LiveSandboxClient create() const {
    RunRequest request;
    request.image = "toy-1";
    return nursery_.create(request);
  }

 private:
  Sandbox place_;
  Nursery nursery_;
};

std::string text_of(const json& result) { return result["stdout"].value("text", ""); }

}  // namespace

TEST_CASE("code of a language in a living sandbox, one run after the other and at once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Toys toys;
  LiveSandboxClient sandbox = toys.create();
  RunRequest request = code("t", "print hello\nargs\nshow lib/data\nenv TOY_MEMORY\nwrite note\nexit 3");
  request.language->arguments = {"a b"};
  request.language->files = {{"lib/data", "data\n"}};
  const json result = sandbox.start(request).result();
  INFO(result.dump());
  CHECK(result["exit_code"] == 1);  // the file is beside the code, and not where a command starts
  CHECK(text_of(result) == "hello\n<a b>\n");
  CHECK(result["language"] == "toy");
  CHECK(result["action"] == "run");
  CHECK(result["code"]["bytes"] > 0);
  // The sandbox has what its image needs to run at all.
  CHECK(text_of(sandbox.start(code("toy", "env TOY_MEMORY")).result()) == "TOY_MEMORY=350\n");
  // Files of commands stay where commands start, code is gone.
  CHECK(text_of(sandbox.start(code("toy", "write note\nshow note")).result()) == "written\n");
  CHECK(text_of(sandbox.start(code("toy", "show note")).result()) == "written\n");
  Command first = sandbox.start(code("toy", "print 1\nshow note\nwait"));
  Command second = sandbox.start(code("toy", "print 2\nwait"));
  CHECK_FALSE(first.ended(300));
  first.signal(SIGTERM);
  CHECK(text_of(first.result()) == "1\nwritten\n");
  second.signal(SIGTERM);
  CHECK(text_of(second.result()) == "2\n");
  const json listed = sandbox.start(code("toy", "show /tmp")).result();  // a directory: nothing to show
  CHECK(listed["outcome"] == "exited");
  // A copy of the image's directory that stays as long as the sandbox does.
  CHECK(text_of(sandbox.start(code("toy", "show /var/cache/toy/old\nwrite /var/cache/toy/old")).result()) ==
        "old\n");
  CHECK(text_of(sandbox.start(code("toy", "show /var/cache/toy/old")).result()) == "written\n");
}

TEST_CASE("code that is compiled in a living sandbox, and code that is not") {
  SKIP_UNLESS(is_root(), "needs root");
  const Toys toys;
  LiveSandboxClient sandbox = toys.create();
  RunRequest request = code("toyc", "compile print compiling\nprint running\nargs");
  request.language->arguments = {"x"};
  const json result = sandbox.start(request).result();
  INFO(result.dump());
  CHECK(text_of(result) == "running\n<x>\n");
  CHECK(text_of(result["compile"]) == "compiling\n");
  CHECK(result["compile"]["outcome"] == "exited");
  const json broken = sandbox.start(code("toyc", "nonsense")).result();
  INFO(broken.dump());
  CHECK(broken["exit_code"] == 1);
  CHECK(broken["started_at"] == nullptr);
  CHECK(broken["message"].get<std::string>().starts_with("the code was not compiled, and so not run: "));
  RunRequest slow = code("toyc", "compile wait\nprint never");
  slow.language->compile_limits.wall_ms = 300;
  const json ended = sandbox.start(slow).result();
  CHECK(ended["outcome"] == "timed_out");
  CHECK(ended["stdout"] == nullptr);
  Command cancelled = sandbox.start(code("toyc", "compile wait\nprint never"));
  CHECK_FALSE(cancelled.ended(300));
  cancelled.signal(SIGINT);
  CHECK(cancelled.result()["outcome"] == "cancelled");
  CHECK(text_of(sandbox.start(code("toyc", "print fine")).result()) == "fine\n");
}

TEST_CASE("tests in a living sandbox are counted") {
  SKIP_UNLESS(is_root(), "needs root");
  const Toys toys;
  LiveSandboxClient sandbox = toys.create();
  const json result = sandbox.start(code("toy", "junit", LanguageAction::test)).result();
  INFO(result.dump());
  CHECK(result["tests"]["passed"] == 1);
  CHECK(result["tests"]["failed"] == 1);
  const json none = sandbox.start(code("toy", "print no report", LanguageAction::test)).result();
  CHECK(none["tests"] == nullptr);
}

TEST_CASE("what is wrong with code for a living sandbox is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Toys toys;
  LiveSandboxClient sandbox = toys.create();
  const auto refused = [&](const RunRequest& request, const std::string& says) {
    const json result = sandbox.start(request).result();
    CHECK(result["outcome"] == "setup_failed");
    CHECK_MESSAGE(result["message"].get<std::string>().find(says) != std::string::npos, result["message"]);
  };
  refused(code("python", "1"), "no language 'python' in image 'toy-1' (there are: toy, toyc)");
  refused(code("toy", "1", LanguageAction::lint), "has no action 'lint'");
  RunRequest twice = code("toy", "print x");
  twice.language->files = {{"main.toy", ""}};
  refused(twice, "'main.toy' is there already");
  RunRequest more = code("toyc", "print x");
  more.language->compile_limits.memory_bytes = 1 << 30;
  refused(more, "--memory: belongs to the sandbox");
  CHECK(text_of(sandbox.start(code("toy", "print fine")).result()) == "fine\n");
}

TEST_CASE("a sandbox that tampers with its /tmp harms only itself") {
  SKIP_UNLESS(is_root(), "needs root");
  const Toys toys;
  LiveSandboxClient sandbox = toys.create();
  // Its own directory is swapped for a link while it runs; what is cleaned up is nothing of the host's.
  const std::string marker = "/tmp/sbx-marker." + std::to_string(getpid());
  write_file(marker, "");
  CHECK(sandbox.start(code("toy", "print x\nswap /tmp")).result().contains("outcome"));
  (void)sandbox.start(code("toy", "print y")).result();
  CHECK(std::filesystem::exists(marker));
  std::filesystem::remove(marker);
  // A full /tmp is told.
  CHECK(sandbox.start(code("toy", "fill /tmp/full")).result().contains("outcome"));
  const json full = sandbox.start(code("toy", std::string(100'000, '#'))).result();
  CHECK(full["outcome"] == "setup_failed");
  CHECK(full["message"].get<std::string>().find("putting the code into the sandbox's /tmp") !=
        std::string::npos);
}

}  // namespace sbx::test
