// Shells that stay in a living sandbox.
#include "integration/nursery.h"
#include "integration/toy_image.h"

namespace sbx::test {
namespace {

RunRequest line_of(const std::string& line, const std::string& session = "main") {
  RunRequest request;
  request.command = {line};
  request.session = session;
  request.streams = {StreamMode::null, StreamMode::capture, StreamMode::capture};
  return request;
}

class Shell {
 public:
  // Where there is no bash, it is `sh`.
  explicit Shell(const std::string& policy = "default", bool bash = true)
      : nursery_(place_), sandbox_(make(policy, bash)) {}

  [[nodiscard]] LiveSandboxClient& sandbox() { return sandbox_; }
  nlohmann::json line(const std::string& text, const std::string& session = "main") {
    return sandbox_.start(line_of(text, session)).result();
  }
  std::string said(const std::string& text, const std::string& session = "main") {
    const nlohmann::json result = line(text, session);
    INFO(result.dump());
    CHECK(result["outcome"] == "exited");
    return result["stdout"].value("text", "");
  }
  LiveSandboxClient make(const std::string& policy, bool bash) {
    RunRequest request;
    request.action = RequestAction::keep;
    request.policy = policy;
    if (!bash) {
      for (const char* name : {"sleep", "cat", "touch", "yes", "rm"})
        add_program(place_, std::string("/bin/") + name, std::string("/bin/") + name);
      add_program(place_, "/bin/sh", "/bin/sh");
      import_toy(place_, "no-bash", "languages: [{name: toy, file: toy, actions: {run: [/bin/toy]}}]\n");
      request.image = "no-bash";
    }
    return nursery_.create(request);
  }

 private:
  Sandbox place_;
  Nursery nursery_;
  LiveSandboxClient sandbox_;
};

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("what a line of a session sets, the next one finds") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const bool bash : {true, false}) {
    CAPTURE(bash);
    Shell shell("default", bash);
    CHECK(shell.said("echo ${BASH_VERSION:+bash}") == (bash ? "bash\n" : "\n"));
    CHECK(shell.said("cd /tmp; A='a b'; f() { echo \"$A in $(pwd): $1\"; }; echo out; echo err >&2") ==
          "out\n");
    CHECK(shell.said("f 1") == "a b in /tmp: 1\n");
    CHECK(shell.line("(exit 3)")["exit_code"] == 3);
    CHECK(shell.said("echo $?") == "3\n");
    CHECK(shell.said("x='two\nlines \\n \\\\ %s'\nprintf '%s|' \"$x\"") == "two\nlines \\n \\\\ %s|");
    // Another one, and a command by itself, have none of it.
    CHECK(shell.said("echo \"[$A]\"; pwd", "other") == "[]\n/workspace/agent_workspace\n");
    CHECK(shell.sandbox().output("echo \"[$A]\"") == "[]\n");
    CHECK(shell.said("f 2") == "a b in /tmp: 2\n");
  }
}

TEST_CASE("a session lives on after what goes wrong in a line") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const bool bash : {true, false}) {
    CAPTURE(bash);
    Shell shell("default", bash);
    CHECK(shell.said("echo ${BASH_VERSION:+bash}") == (bash ? "bash\n" : "\n"));
    CHECK(shell.said("A=kept; echo") == "\n");
    for (const char* wrong :
         {"if then", "no-such-command", "cd /nowhere", ". /nowhere", "export =", "echo )", "shift 9",
          "readonly R=1; R=2", "kill -9 $(sh -c 'echo $PPID' & wait) 2>/dev/null; false"}) {
      CAPTURE(std::string(wrong));
      CHECK(shell.line(wrong)["exit_code"] != 0);
      CHECK(shell.said("echo $A") == "kept\n");
    }
  }
}

TEST_CASE("a line that has no time left is ended, and its session is not") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const bool bash : {true, false}) {
    CAPTURE(bash);
    Shell shell("default", bash);
    CHECK(shell.said("echo ${BASH_VERSION:+bash}") == (bash ? "bash\n" : "\n"));
    CHECK(shell.said("A=kept; echo") == "\n");
    RunRequest slow = line_of("echo begun; sleep 300; echo never");
    slow.limits.wall_ms = 500;
    const nlohmann::json ended = shell.sandbox().start(slow).result();
    CHECK(ended["outcome"] == "timed_out");
    CHECK(ended["stdout"]["text"] == "begun\n");
    CHECK(shell.said("echo $A") == "kept\n");
    for (const char* busy :
         {"while :; do :; done", "sleep 300 | cat; echo never", "f() { while :; do sleep 1; done; }; f"}) {
      CAPTURE(std::string(busy));
      RunRequest line = line_of(busy);
      line.limits.wall_ms = 300;
      const nlohmann::json result = shell.sandbox().start(line).result();
      CHECK(result["outcome"] == "timed_out");
      CHECK(result["stdout"]["text"] == "");
      CHECK(shell.said("echo $A") == "kept\n");
    }
    // What does not give up at a SIGINT takes its session along; the next line has a new one.
    for (const char* deaf : {"trap '' INT; while :; do :; done",
                             "sh -c 'trap : INT; while :; do sleep 300; done'; echo never"}) {
      CAPTURE(std::string(deaf));
      RunRequest line = line_of(deaf);
      line.limits.wall_ms = 300;
      const nlohmann::json result = shell.sandbox().start(line).result();
      CHECK(result["outcome"] == "timed_out");
      CHECK(result["stdout"]["text"] == "");
      CHECK(shell.said("echo [$A]") == "[]\n");
    }
    RunRequest loud = line_of("yes");
    loud.limits.output_bytes = 100'000;
    CHECK(shell.sandbox().start(loud).result()["outcome"] == "output_limit");
    CHECK(shell.said("echo quiet") == "quiet\n");
    RunRequest hot = line_of("sh -c 'while :; do :; done'");
    hot.limits.cpu_ms = 300;
    CHECK(shell.sandbox().start(hot).result()["outcome"] == "cpu_time_exceeded");
    CHECK(shell.said("echo there") == "there\n");
  }
}

TEST_CASE("a session runs one line at a time, and ends with exit") {
  SKIP_UNLESS(is_root(), "needs root");
  Shell shell;
  Command first =
      shell.sandbox().start(line_of("touch /tmp/up; until [ -e /tmp/go ]; do sleep 0.01; done; exit 7"));
  (void)shell.sandbox().output("until [ -e /tmp/up ]; do sleep 0.01; done");
  const nlohmann::json refused = shell.line("true");
  CHECK(refused["outcome"] == "setup_failed");
  CHECK(refused["message"].get<std::string>().find("session 'main' runs another line") != std::string::npos);
  (void)shell.sandbox().output("touch /tmp/go");
  const nlohmann::json last = first.result();
  CHECK(last["exit_code"] == 7);
  CHECK(shell.said("echo new") == "new\n");
  // Cancelled: what it started ends, the session stays.
  CHECK(shell.said("A=1; rm /tmp/up; echo") == "\n");
  Command cancelled = shell.sandbox().start(line_of("sh -c 'touch /tmp/up; exec sleep 300'"));
  (void)shell.sandbox().output("until [ -e /tmp/up ]; do sleep 0.01; done");
  cancelled.signal(SIGINT);
  CHECK(cancelled.result()["outcome"] == "cancelled");
  CHECK(shell.said("echo $A") == "1\n");
}

TEST_CASE("what a line leaves running ends with it, or is the session's where the policy says so") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const char* policy : {"strict", "default"}) {
    CAPTURE(std::string(policy));
    Shell shell(policy);
    CHECK(shell.said("sleep 300 & echo $!") != "");
    CHECK(shell.said("kill $! 2>/dev/null; wait $!; echo $?") ==
          (std::string(policy) == "strict" ? "137\n" : "143\n"));
    shell.sandbox().destroy();
  }
}

TEST_CASE("a session whose program lies about its lines harms itself only") {
  SKIP_UNLESS(is_root(), "needs root");
  Shell shell;
  for (const char* lie : {"for fd in /proc/$$/fd/*; do echo 0 >$fd; done",
                          "for fd in 3 4 5 6 7 8 9 10 11 12; do "
                          "eval \"printf 'nonsense %0999d' 1 >&$fd\"; done",
                          "exec sleep 0.1", "kill -9 $$",
                          "for fd in 10 11 12; do eval \"exec $fd>&-\"; done; exec 3>&-; false"}) {
    CAPTURE(std::string(lie));
    const nlohmann::json result = shell.line(lie);
    CHECK(result.contains("outcome"));
    // What is left of it may be a session that is out of step, whose end is `exit`.
    (void)shell.line("exit");
    CHECK(shell.said("echo fine", "other") == "fine\n");
    CHECK(shell.sandbox().output("echo fine") == "fine\n");
  }
}

TEST_SUITE_END();

}  // namespace sbx::test
