// Two sandboxes, at once and one after the other: what they share is a project, if they are runs of one. That
// neither finds anything else of the other is in tests/security/traces.
#include <filesystem>

#include "isolation.h"
#include "support/process_tree.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

const std::string kPlaces =
    "/tmp /var/tmp /dev/shm $HOME /workspace /workspace/agent_workspace /workspace/outputs";
const std::string kLeave = "for d in " + kPlaces + "; do echo secret 2>/dev/null >$d/left; done; ";
const std::string kLook = "for d in " + kPlaces + "; do ls $d/left 2>/dev/null; done; ";

}  // namespace

TEST_CASE("a sandbox cannot signal another's processes") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  Background other(sbxrun_command(sandbox, {"--", "/bin/sh", "-c", "echo ready; read line"}));
  REQUIRE(other.wait_for("ready"));
  const pid_t workload = children_of(find_program(other.pid(), Program::init)).front();
  const std::string kills = "kill -9 " + std::to_string(workload) + "; for p in $(seq 1 300); do " +
                            "[ $p = $$ ] || kill -9 $p; done 2>/dev/null; kill -9 -1; true";
  (void)said_inside(sandbox, kills);
  // The shell's end of input: its own exit status, not a signal's.
  CHECK(WEXITSTATUS(other.end()) == 1);
}

TEST_CASE("a sandbox does not use up what the kernel counts by user") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  Background other(sbxrun_command(sandbox, {bind_probes(), "--", kProbes + "/user_limits", "fill"}));
  REQUIRE(other.wait_for("all=done"));
  const Answers full = parse_answers(other.said());
  CHECK(answer(full, "inotify") == "EMFILE");
  CHECK(answer(full, "signals") == "EAGAIN");
  CHECK(answer(full, "queues") == "EMFILE");
  check_answers(probe_inside(sandbox, {"user_limits", "one"}), {"inotify", "signals", "queues"}, "ok");
  const ProgramResult host = run_program({probe_directory() + "/user_limits", "one"}, {});
  check_answers(parse_answers(host.out), {"inotify", "signals"}, "ok");
  CHECK(other.end() == 0);
}

TEST_CASE("a project keeps its workspace and nothing else") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)said_inside(sandbox, kLeave, {"--project=kept"});
  CHECK(said_inside(sandbox, kLook, {"--project=kept"}) ==
        "/workspace/agent_workspace/left\n/workspace/outputs/left");
}

TEST_CASE("an ephemeral run sees the project's files and changes none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::vector<std::string> kept{"--project=p"};
  const std::vector<std::string> ephemeral{"--project=p", "--workspace-mode=ephemeral"};
  (void)said_inside(sandbox, "echo one >file; echo two >gone; mkdir d; echo three >d/f; chmod 600 d/f", kept);
  CHECK(said_inside(sandbox, "cat file; rm gone; echo changed >file; rm -r d; echo x >new; ls; cat file",
                    ephemeral) == "one\nfile\nnew\nchanged");
  CHECK(said_inside(sandbox, "ls; cat file gone d/f; stat -c %a d/f", kept) ==
        "d\nfile\ngone\none\ntwo\nthree\n600");
  CHECK(said_inside(sandbox, "ls; stat -c %U file", ephemeral) == "d\nfile\ngone\nsandbox");
}

TEST_CASE("projects cannot see each other") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)said_inside(sandbox, "echo secret >of_project_one", {"--project=one"});
  const std::string look = "find / -name 'of_project_*' -not -path '/proc/*' 2>/dev/null; ls -a .. ../..";
  const std::string seen = said_inside(sandbox, look, {"--project=two"});
  CHECK(seen.find("of_project") == std::string::npos);
  CHECK(seen.find("one") == std::string::npos);
  CHECK(said_inside(sandbox, look, {"--project=one"}).find("of_project_one") != std::string::npos);
}

TEST_CASE("a project's name cannot lead elsewhere") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(sandbox.shell("true", {"--project=good"}).exit_status == 0);
  for (const char* name : {"..", ".", "../good", "good/workspace", "/etc", ".new.1", "a b", "a\nb"}) {
    const ProgramResult result = sandbox.shell("true", {std::string("--project=") + name});
    CHECK_MESSAGE((result.exit_status == 2 || result.exit_status == 125), std::string(name));
  }
  std::size_t projects = 0;
  for (const auto& entry : fs::directory_iterator(sandbox.state_dir() + "/projects")) {
    CHECK(entry.path().filename() == "good");
    ++projects;
  }
  CHECK(projects == 1);
}

}  // namespace sbx::test
