// sbxrun --language, with an image of one static program: tests/probes/toy.cc is its interpreter.
#include <unistd.h>

#include <filesystem>

#include "isolation.h"
#include "support/process_tree.h"
#include "toy_image.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

constexpr const char* kRunner = R"(
languages:
  - name: toy
    aliases: [t, toy1]
    file: main.toy
    report: junit
    actions:
      run: [/bin/toy, "{file}", "{args}"]
      check: [/bin/toy, --check, "{file}"]
      test: [/bin/toy, "{path}", "{sources}"]
  - name: toyc
    file: main.toyc
    tool: toy
    actions:
      compile: [/bin/toy, --compile, "{file}", "{out}"]
      run: [/bin/toy, "{out}/main.toy", "{args}"]
      check: [/bin/toy, --check, "{file}"]
environment:
  TOY_MEMORY: "{memory_mb:50%}"
  TOY_CPUS: "{cpus}"
limits: {memory: 600M}
compile_limits: {memory: 700M}
writable: [/var/cache/toy]
)";

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class ToySandbox : public Sandbox {
 public:
  ToySandbox() { import_toy(*this, "toy-1", kRunner); }

  // Of the language that is compiled.
  [[nodiscard]] Strings compiled(const std::string& text, const Strings& more = {}) const {
    Strings all{"--language", "toyc", "--code", text};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  [[nodiscard]] ProgramResult code(const std::string& text, Strings options = {},
                                   const Strings& rest = {}) const {
    options.insert(options.begin(), {"--language", "toy", "--code", text});
    options.insert(options.end(), rest.begin(), rest.end());
    return run(options);
  }
};

}  // namespace

TEST_CASE("--language runs code with arguments and standard input, by name or alias") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  ProgramResult result = sandbox.code("print hello\nargs\nexit 3", {}, {"--", "one", "-x", ""});
  CHECK(result.exit_status == 3);
  CHECK(result.out == "hello\n<one>\n<-x>\n<>\n");
  CHECK(result.err.empty());

  ProgramOptions with_input;
  with_input.input = "from the caller\n";
  result = sandbox.run({"--language", "toy1", "--code", "stdin"}, with_input);
  CHECK(result.out == "from the caller\n");

  // On standard input comes the code then, and the program gets none.
  with_input.input = "print code\nstdin\nargs";
  result = sandbox.run({"--language", "t", "-", "--", "a"}, with_input);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "code\n<a>\n");
}

TEST_CASE("--file and --add-file bring the caller's files to where the command starts") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const std::string place = sandbox.directory();
  write_file(place + "/job.toy",
             "show data.txt\nshow lib/b.toy\nwrite main.toy\nshow main.toy\nshow /proc/self/cmdline");
  write_file(place + "/data.txt", "data\n");
  write_file(place + "/b.toy", "b\n");
  const ProgramResult result = sandbox.run({"--language", "toy", "--file", place + "/job.toy", "--add-file",
                                            place + "/data.txt", "--add-file", place + "/b.toy:lib/b.toy"});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "data\nb\nwritten\n" + std::string("/bin/toy\0job.toy\0", 17) + "\n");
  // The files are the sandbox user's, who may change them.
  const ProgramResult changed = sandbox.code("write main.toy\nshow main.toy");
  CHECK(changed.out == "written\n");
}

TEST_CASE(
    "where a project, --here or --cwd says where to start, code lies in /tmp/code and touches nothing "
    "there") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  ProgramResult result = sandbox.code("write note\nshow /tmp/code/main.toy", {"--project", "p"});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "write note\nshow /tmp/code/main.toy\n");
  result = sandbox.code("show note\nshow main.toy", {"--project", "p"});
  CHECK(result.out == "written\n");
  CHECK(holds(result.err, "main.toy: No such file or directory"));
  // What is in the project already is run by its path.
  result = sandbox.run({"--language", "toy", "--project", "p", "--action", "check", "note"});
  CHECK(result.exit_status == 1);
  CHECK(result.err == "note:1: unknown word 'written'\n");

  ProgramOptions here;
  here.directory = sandbox.directory() + "/tree/var/cache/toy";
  result = sandbox.run({"--language", "toy", "--here", "--code", "show old"}, here);
  CHECK_MESSAGE(result.out == "old\n", result.err);
}

TEST_CASE("a result in words of a language") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  json result =
      sandbox.run_json({"--language", "t", "--code", "env TOY_MEMORY\nenv TOY_CPUS", "--env", "TOY_CPUS=7"});
  CHECK(result["outcome"] == "exited");
  CHECK(result["image"]["name"] == "toy-1");
  CHECK(result["language"] == "toy");
  CHECK(result["action"] == "run");
  CHECK(result["code"]["bytes"] == 27);
  CHECK(result["command"] == json{"/bin/toy", "main.toy"});
  // More than the policy's default, which it needs; the caller's variables win.
  CHECK(result["limits"]["memory_bytes"] == 600U << 20U);
  CHECK(result["stdout"]["text"] == "TOY_MEMORY=300\nTOY_CPUS=7\n");
  CHECK(result["environment"] == json{"TOY_CPUS"});
  CHECK(result["usage"]["workspace_inodes"].is_number());

  result = sandbox.run_json({"--language", "toy", "--memory", "100M", "--code", "env TOY_MEMORY"});
  CHECK(result["stdout"]["text"] == "TOY_MEMORY=50\n");
  result = sandbox.run_json({"--language", "toy", "--policy", "strict", "--code", "env TOY_CPUS"});
  CHECK(result["stdout"]["text"] == "TOY_CPUS=1\n");

  result = sandbox.run_json({"--language", "toy", "--action", "check", "--code", "print 1\nwrong"});
  CHECK(result["action"] == "check");
  CHECK(result["exit_code"] == 1);
  CHECK(result["stderr"]["text"] == "main.toy:2: unknown word 'wrong'\n");
  result = sandbox.run_json({"--language", "toy", "--code", "abort"});
  CHECK(result["outcome"] == "signaled");
  result = sandbox.run_json({"--language", "toy", "--timeout", "1s", "--code", "wait"});
  CHECK(result["outcome"] == "timed_out");
  CHECK(sandbox.log_lines().back()["language"] == "toy");
}

TEST_CASE("--action test counts the tests of the report, where one was written") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const auto test = [&](const std::string& code, const std::string& action = "test") {
    return sandbox.run_json({"--language", "toy", "--action", action, "--code", code});
  };
  json result = test("junit /tmp/test-report\nexit 1");
  CHECK(result["exit_code"] == 1);
  CHECK(result["tests"] == json{{"passed", 1}, {"failed", 1}, {"errors", 0}, {"skipped", 0}});
  CHECK(result["message"] ==
        "the program exited with status 1; tests: 1 passed, 1 failed, 0 errors, 0 skipped");
  CHECK(test("junit /tmp/test-report", "run")["tests"].is_null());
  Strings plain{"--direct", "--language", "toy", "--action", "test", "--code", "junit /tmp/test-report"};
  CHECK(holds(sandbox.sbxrun(plain).err,
              "sbxrun: the program exited with status 0; tests: 1 passed, 1 failed, "));
  plain.emplace_back("--quiet");
  CHECK(sandbox.sbxrun(plain).err.empty());
  // ELOOP, or EACCES where the kernel protects links in such directories (fs.protected_symlinks).
  struct Unread {
    const char* code;
    const char* says;
  };
  for (const Unread& unread :
       {Unread{"print none", "no such file or directory"}, Unread{"link /etc/passwd", "openat2"},
        Unread{"link main.toy", "openat2"}, Unread{"write /tmp/test-report", "no XML"}}) {
    CAPTURE(unread.code);
    result = test(unread.code);
    CHECK(result["outcome"] == "exited");
    CHECK(result["tests"].is_null());
    const std::string message = result["message"];
    CHECK_MESSAGE(holds(message, "; its tests could not be counted: "), message);
    CHECK_MESSAGE(holds(message, unread.says), message);
  }
  CHECK(test("junit /tmp/test-report\nabort")["tests"].is_null());
}

TEST_CASE("a runner's writable directories are thrown-away copies") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  for (int i = 0; i < 2; ++i) {
    const ProgramResult result =
        sandbox.code("show /var/cache/toy/old\nwrite /var/cache/toy/old\nshow /var/cache/toy/old");
    CHECK_MESSAGE(result.out == "old\nwritten\n", result.err);
  }
  // Without a language it is as read-only as all of the image.
  ProgramOptions here;
  here.directory = sandbox.directory() + "/here";
  fs::create_directories(here.directory);
  write_file(here.directory + "/job", "show /var/cache/toy/old\nwrite /var/cache/toy/old\n");
  const ProgramResult plain = sandbox.run({"--image", "toy-1", "--here", "--", "/bin/toy", "job"}, here);
  CHECK(plain.exit_status == 1);
  CHECK(plain.out == "old\n");
  CHECK(holds(plain.err, "/var/cache/toy/old: Read-only file system"));
}

TEST_CASE("a request that is refused makes no project") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  CHECK(sandbox.run({"--language", "toy", "--project", "new", "--action", "lint"}).exit_status == 125);
  CHECK_FALSE(fs::exists(sandbox.state_dir() + "/projects/new"));
}

TEST_CASE("of several images the last by its name is taken, and --image names another") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  import_toy(sandbox, "toy-12", kRunner);
  CHECK(sandbox.run_json({"--language", "toy", "--code", "print x"})["image"]["name"] == "toy-12");
  CHECK(sandbox.run_json({"--language", "toy", "--image", "toy-1", "--code", "print x"})["image"]["name"] ==
        "toy-1");

  ProgramResult result = sbxctl(sandbox, {"languages"});
  CHECK(result.exit_status == 0);
  CHECK(result.out ==
        "LANGUAGE  VERSION  IMAGE   ALIASES  ACTIONS\n"
        "toy       1.0      toy-1   t, toy1  run, check, test\n"
        "toyc      1.0      toy-1   -        run, check\n"
        "toy       1.0      toy-12  t, toy1  run, check, test\n"
        "toyc      1.0      toy-12  -        run, check\n");
  const json list = json::parse(sbxctl(sandbox, {"languages", "--json"}).out, nullptr, false);
  REQUIRE(list.is_array());
  REQUIRE(list.size() == 4);
  CHECK(list[2]["image"] == "toy-12");
  CHECK(list[2]["aliases"] == json{"t", "toy1"});
  CHECK(list[2]["actions"] == json{"run", "check", "test"});
  CHECK(list[2]["versions"]["toy"] == "1.0");
  CHECK(list[2]["file"] == "main.toy");
}

TEST_CASE("what is wrong in words of a language is told, with what there is") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  struct Wrong {
    Strings arguments;
    int status;
    std::string says;
  };
  const std::string missing = sandbox.directory() + "/missing";
  write_file(sandbox.directory() + "/some", std::string(100'000, 'x'));
  const Wrong all[] = {
      {{"--language", "tox", "--code", "x"},
       125,
       "no language 'tox' in the images that are here (there are: toy, toyc); did you mean 'toy'?"},
      {{"--language", "toy", "--image", "host", "--code", "x"}, 125, "image 'host' has no languages"},
      {{"--language", "toy", "--image", "no", "--code", "x"},
       125,
       "there is no image 'no'; there are: host, toy-1"},
      {{"--language", "toy", "--action", "lint", "--code", "x"},
       125,
       "language 'toy' has no action 'lint' in image 'toy-1'; it has: run, check, test"},
      {{"--language", "toy"}, 2, "no code; give --code TEXT"},
      {{"--language", "toy", "script.toy"}, 2, "use --file script.toy"},
      {{"--language", "To y", "--code", "x"}, 2, "--language: 'To y' is no name of a language"},
      {{"--language", "toy", "--code", "x", "--add-file", "/etc/passwd:"}, 2, "the name is empty"},
      {{"--language", "toy", "--code", "x", "--cwd", "/", "-v", "/srv:/tmp"},
       125,
       "--volume /srv:/tmp: would hide the code"},
      {{"--language", "toy", "--action", "compile", "--code", "x"},
       2,
       "--action: no action 'compile': known: 'run', 'check'"},
      {{"--language", "toy", "--code", "x", "--code", "y"}, 2, "--code: the code is given already"},
      {{"--language", "toy", "--code", "x", "y"},
       2,
       "'y': the code is given already; arguments of the program come after '--'"},
      {{"--language", "toy", "/a", "b"}, 2, "'b': arguments of the program come after '--'"},
      {{"--code", "x"}, 2, "need a --language"},
      {{"--language", "toy", "--file", missing},
       2,
       "--file: open '" + missing + "': no such file or directory"},
      {{"--language", "toy", "--file", sandbox.directory()}, 2, "--file: "},
      {{"--language", "toy", "--code", "x", "--add-file", "/etc/passwd:../x"},
       2,
       "--add-file: the file name '../x'"},
      {{"--language", "toy", "--code", "x", "--add-file", "/etc/passwd:main.toy"},
       125,
       "--add-file: 'main.toy' is there already"},
      {{"--language", "toy", "--code", "x", "--disk", "4K", "--add-file", sandbox.directory() + "/some"},
       125,
       "no space left"},
  };
  for (const Wrong& wrong : all) {
    const ProgramResult result = sandbox.run(wrong.arguments);
    CAPTURE(wrong.arguments.back());
    CHECK(result.exit_status == wrong.status);
    CHECK_MESSAGE(holds(result.err, wrong.says), result.err << " should say: " << wrong.says);
    CHECK(result.out.empty());
  }
  write_file(sandbox.directory() + "/large", std::string((4U << 20U) + 1, 'x'));
  CHECK(holds(sandbox.run({"--language", "toy", "--file", sandbox.directory() + "/large"}).err,
              "is larger than"));
}

TEST_CASE("--dry-run and --explain tell what a language makes of a request") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const ProgramResult plan = sandbox.code("print 1", {"--dry-run"});
  CHECK_MESSAGE(plan.exit_status == 0, plan.err);
  CHECK(holds(plan.out, "\ncommand: '/bin/toy' 'main.toy'\n"));
  CHECK(holds(plan.out, "\n  TOY_MEMORY=300\n"));
  CHECK(holds(plan.out, "\nfile /workspace/agent_workspace/main.toy, 7 bytes\n"));
  const ProgramResult words = sandbox.code("print 1", {"--explain"});
  CHECK(holds(words.out, "It sees image 'toy-1' as its file system"));
  CHECK(holds(words.out, "It finds the file that came with the request in /workspace/agent_workspace.\n"));
  CHECK(holds(words.out, "It may change a thrown-away copy of the image's /var/cache/toy.\n"));
}

// --- compile and run ---------------------------------------------------------------------------------

TEST_CASE("a compile step comes before the program, in a sandbox of its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  ProgramOptions with_input;
  with_input.input = "for the program\n";
  const std::string code =
      "compile print compiling\ncompile stdin\ncompile write /workspace/agent_workspace/left\n"
      "compile write /tmp/build/more\ncompile env TOY_MEMORY\n"
      "print running\nargs\nstdin\nenv TOY_MEMORY\nshow /tmp/build/more\nshow main.toyc";
  ProgramResult result = sandbox.run(sandbox.compiled(code, {"--", "one"}), with_input);
  CHECK(result.exit_status == 0);
  CHECK(result.out == "running\n<one>\nfor the program\nTOY_MEMORY=300\nwritten\n" + code + "\n");
  CHECK(result.err == "compiling\nTOY_MEMORY=350\n");  // what it writes is for the caller's standard error

  for (const char* line : {"write /tmp/build/main.toy", "show left"}) {
    result = sandbox.run(sandbox.compiled("compile write left\n" + std::string(line)));
    CHECK(result.exit_status == 1);
    CHECK(holds(result.err, line == std::string("show left") ? "left: No such file or directory"
                                                             : "Read-only file system"));
  }
  CHECK(sandbox.leftovers(0) == "");
}

TEST_CASE("the result tells of both steps, each with limits and sections of its own") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const json object = sandbox.run_json(
      sandbox.compiled("compile print compiling\nprint running\nexit 3",
                       {"--timeout", "7s", "--compile-limit", "wall-time=9s", "--compile-limit", "pids=20"}));
  CHECK(object["outcome"] == "exited");
  CHECK(object["exit_code"] == 3);
  CHECK(object["command"] == json{"/bin/toy", "/tmp/build/main.toy"});
  CHECK(object["stdout"]["text"] == "running\n");
  CHECK(object["limits"]["wall_ms"] == 7'000);
  CHECK(object["limits"]["memory_bytes"] == 600ULL << 20U);
  const json& step = object["compile"];
  CHECK(step["command"] == json{"/bin/toy", "--compile", "main.toyc", "/tmp/build"});
  CHECK(step["status"] == "completed");
  CHECK(step["exit_code"] == 0);
  CHECK(step["message"] == "the compiler exited with status 0");
  CHECK(step["stdout"]["text"] == "compiling\n");
  CHECK(step["stderr"]["bytes"] == 0);
  CHECK(step["limits"]["wall_ms"] == 9'000);
  CHECK(step["limits"]["pids"] == 20);
  CHECK(step["limits"]["memory_bytes"] == 700ULL << 20U);
  CHECK(step["usage"]["wall_ms"].is_number());
  CHECK(step["started_at"].is_string());
  json recorded = sandbox.log_lines().back();
  CHECK_FALSE(recorded["compile"]["stdout"].contains("text"));  // the log has no output
  CHECK(recorded["compile"]["stdout"]["bytes"] == 10);
  // A command, or an action that compiles nothing, has none.
  CHECK(
      sandbox.run_json({"--language", "toyc", "--action", "check", "--code", "exit 1"})["compile"].is_null());
}

TEST_CASE("what does not compile is not run, and the run ends as the compiler did") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const ProgramResult result = sandbox.run(sandbox.compiled("print running\nnonsense"));
  CHECK(result.exit_status == 1);
  CHECK(result.out.empty());
  CHECK(result.err == "main.toyc:2: unknown word 'nonsense'\n");

  const auto ended = [&](const std::string& code, const Strings& more = {}) {
    const json object = sandbox.run_json(sandbox.compiled(code + "\nprint running", more));
    CAPTURE(object.dump());
    CHECK(object["started_at"].is_null());
    CHECK(object["stdout"].is_null());
    CHECK(object["usage"]["wall_ms"].is_null());
    CHECK(object["outcome"] == object["compile"]["outcome"]);
    CHECK(object["exit_code"] == object["compile"]["exit_code"]);
    CHECK(object["signal"] == object["compile"]["signal"]);
    CHECK(holds(object["message"], "the code was not compiled, and so not run: "));
    return object;
  };
  json object = ended("compile exit 5");
  CHECK(object["exit_code"] == 5);
  CHECK(object["message"] == "the code was not compiled, and so not run: the compiler exited with status 5");
  CHECK(ended("compile abort")["signal"] == "SIGABRT");
  object = ended("compile wait", {"--compile-limit", "wall-time=300ms", "--timeout", "1h"});
  CHECK(object["outcome"] == "timed_out");
  CHECK(object["limits_hit"].empty());
  CHECK(object["compile"]["limits_hit"][0]["limit"] == "wall_ms");
  object = ended("compile fill /tmp/build/x\ncompile exit 1", {"--compile-limit", "tmp=1M"});
  CHECK(object["compile"]["limits_hit"][0] ==
        json{{"limit", "tmp_bytes"}, {"value", 1 << 20}, {"reached", 1 << 20}});
  object = ended("compile fill /dev/stdout", {"--compile-limit", "output-limit=1M"});
  CHECK(object["outcome"] == "output_limit");
  CHECK(object["compile"]["stdout"]["truncated"] == true);
  CHECK(sandbox.leftovers(0) == "");
}

TEST_CASE("limits of the compile step have the policy's ceilings") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  ProgramResult result = sandbox.run(sandbox.compiled("exit 0", {"--compile-limit", "memory=900G"}));
  CHECK(result.exit_status == 125);
  CHECK(holds(result.err, "--compile-limit memory=900G: above the ceiling of policy 'default'"));
  CHECK(sandbox.log_lines().back()["outcome"] == "rejected");
  for (const auto& [value, words] :
       {std::pair{"memory", "'memory' is not LIMIT=VALUE with a limit by its flag: "},
        std::pair{"memry=1G", "did you mean 'memory'?"},
        std::pair{"memory=x", "--compile-limit memory: 'x'"}}) {
    result = sandbox.run(sandbox.compiled("exit 0", {"--compile-limit", value}));
    CHECK(result.exit_status == 2);
    CHECK_MESSAGE(holds(result.err, words), result.err);
  }
}

TEST_CASE("a project is there in both steps, and what the compiler writes there stays") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const std::string code =
      "compile write outputs/by_compiler\nshow outputs/by_compiler\nwrite outputs/by_program";
  ProgramResult result = sandbox.run(sandbox.compiled(code, {"--project", "p", "--cwd", "/workspace"}));
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "written\n");
  result = sandbox.run({"--project", "p", "--cwd", "/workspace", "--", "/bin/sh", "-c", "cat outputs/*"});
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(result.out == "written\nwritten\n");
  CHECK(sandbox.leftovers(0) == "");
}

TEST_CASE("what a compiler puts in the place of a bind's directory is not what the program finds there") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const std::string place = sandbox.directory() + "/place";
  fs::create_directories(place + "/out");
  write_file(place + "/out/mark", "the caller's\n");
  for (const std::string& path : {place, place + "/out", place + "/out/mark"})
    REQUIRE(chown(path.c_str(), 1234, 1234) == 0);
  const std::string secret = sandbox.directory() + "/secret";
  write_file(secret, "the host's\n");
  const std::string code = "compile swap /workspace/project_files/out\nshow /b/mark\nshow /b" + secret;
  ProgramOptions here;
  here.directory = place;
  const Strings command = sandbox.compiled(code, {"--here=rw", "--bind", place + "/out:/b:rw"});
  ProgramResult result = sandbox.run(command, here);
  CHECK(result.out == "the caller's\n");
  CHECK(result.exit_status == 1);
  CHECK(fs::is_symlink(place + "/out"));  // it was done
  // And the next run does not follow what it finds there.
  result = sandbox.run(command, here);
  CHECK(result.exit_status == 125);
  CHECK_MESSAGE(holds(result.err, "--bind: '" + place + "/out' passes a symbolic link in '" + place +
                                      "', which the sandbox may write to"),
                result.err);
}

TEST_CASE("a run that is cancelled while it compiles does not go on") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  const std::string name = "main" + unique_duration() + ".toyc";  // a word of the compiler's alone
  write_file(sandbox.directory() + "/" + name, "compile wait\nprint running\n");
  ProgramOptions options;
  options.after_start = [&](pid_t sbxrun) {
    CHECK(wait_until(std::chrono::milliseconds(10'000), [&] { return runs_inside(name); }));
    (void)kill(sbxrun, SIGTERM);
  };
  const ProgramResult result =
      sandbox.run({"--language", "toyc", "--file", sandbox.directory() + "/" + name}, options);
  CHECK(result.exit_status == 143);
  CHECK(result.out.empty());
  const json line = sandbox.log_lines().back();
  CHECK(line["outcome"] == "cancelled");
  CHECK(line["compile"]["outcome"] == "cancelled");
  CHECK(line["started_at"].is_null());
  CHECK(sandbox.leftovers(0) == "");
}

TEST_CASE("a plan has both steps") {
  SKIP_UNLESS(is_root(), "needs root");
  const ToySandbox sandbox;
  ProgramResult result = sandbox.run(sandbox.compiled("exit 0", {"--dry-run", "--compile-limit", "pids=77"}));
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  CHECK(holds(result.out, "compile step, in a sandbox of its own\n"));
  CHECK(holds(result.out, "  pids: 77\n"));
  CHECK(holds(result.out,
              "attach     /tmp/build <- tmpfs (memory, what the compile step leaves) nosuid,nodev\n"));
  CHECK(holds(result.out,
              "attach     /tmp/build <- tmpfs (memory, what the compile step leaves) ro,nosuid,nodev\n"));
  CHECK(holds(result.out, "command: '/bin/toy' '--compile' 'main.toyc' '/tmp/build'\n"));
  CHECK(holds(result.out, "command: '/bin/toy' '/tmp/build/main.toy'\n"));
  result = sandbox.run(sandbox.compiled("exit 0", {"--explain"}));
  CHECK(holds(result.out,
              "First the code is compiled, in a sandbox of its own with the same rules: "
              "/bin/toy --compile main.toyc /tmp/build\n"));
}

}  // namespace sbx::test
