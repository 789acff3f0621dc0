// What a guest leaves in a project hurts neither the next run nor the host.
#include <sys/stat.h>

#include <filesystem>

#include "isolation.h"
#include "support/project_view.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

// A file of the host's that traps lead to.
class Canary {
 public:
  explicit Canary(const Sandbox& sandbox) : path_(sandbox.directory() + "/canary") {
    write_file(path_, "canary\n");
    (void)chmod(path_.c_str(), 0666);
    (void)chmod(sandbox.directory().c_str(), 0755);
    (void)stat(path_.c_str(), &before_);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  void check_unchanged() const {
    struct stat now {};
    REQUIRE(lstat(path_.c_str(), &now) == 0);
    CHECK(now.st_ino == before_.st_ino);
    CHECK(now.st_mode == before_.st_mode);
    CHECK(now.st_uid == before_.st_uid);
    CHECK(now.st_ctim.tv_sec == before_.st_ctim.tv_sec);
    CHECK(now.st_ctim.tv_nsec == before_.st_ctim.tv_nsec);
    CHECK(read_file(path_) == "canary\n");
  }

 private:
  std::string path_;
  struct stat before_ {};
};

const std::vector<std::vector<std::string>> kNextRuns{{"--project=trap"},
                                                      {"--project=trap", "--workspace-mode=ephemeral"}};

// The policy `default` with everything of a project in one writable directory.
std::string flat_policy(const Sandbox& sandbox) {
  std::string text = read_file(program_directory() + "/../../policies/default.yaml");
  text = replaced(std::move(text), "layout: split", "layout: flat");
  text = replaced(std::move(text), "name: default", "name: flat");
  const std::string path = sandbox.directory() + "/flat.yaml";
  write_file(path, text);
  return "--policy=" + path;
}

}  // namespace

TEST_CASE(
    "links, pipes, sockets, strange names, sparse files and depth hurt neither the next run nor the host") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Canary canary(sandbox);
  for (const char* folder : {"agent_workspace", "outputs"}) {
    const ProgramResult left =
        sandbox.run({"--project=trap", bind_probes(), "--cwd", std::string("/workspace/") + folder, "--",
                     kProbes + "/leave_traps", canary.path()});
    CHECK(left.exit_status == 0);
    for (const auto& [name, result] : parse_answers(left.out)) {
      CHECK_MESSAGE(result == (name == "levels" ? "300" : "ok"), name << " gave " << result);
    }
  }
  // The links mean something on the host.
  CHECK(read_file(ProjectView(sandbox, "trap").path() + "/outputs/link_absolute") == "canary\n");
  for (const auto& run : kNextRuns) {
    CHECK(said_inside(sandbox,
                      "pwd; test $(ls | wc -l) -gt 15 && echo all there; cat link_absolute link_relative "
                      "shadow 2>/dev/null; "
                      "echo x 2>/dev/null >link_absolute; echo x >new && cat new",
                      run) == "/workspace/agent_workspace\nall there\nx");
    const nlohmann::json result = sandbox.run_json({run.front(), run.back(), "--", "/bin/true"});
    CHECK(result["outcome"] == "exited");
  }
  canary.check_unchanged();
}

TEST_CASE("the workspace's folders cannot be replaced by links") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string replace =
      "cd /workspace; for d in project_files agent_workspace outputs; do mv $d old-$d; rmdir $d; rm -rf $d; "
      "ln -s /etc $d; done 2>/dev/null; ls -l | cut -c1 | tr -d '\\n'; cat outputs/passwd 2>/dev/null";
  CHECK(said_inside(sandbox, replace, {"--project=trap"}) == "tddd");
  for (const auto& run : kNextRuns) CHECK(said_inside(sandbox, "pwd", run) == "/workspace/agent_workspace");
  for (const char* folder : {"project_files", "agent_workspace", "outputs"}) {
    const ProjectView view(sandbox, "trap");
    CHECK(fs::is_directory(fs::symlink_status(view.path() + "/" + folder)));
  }
}

TEST_CASE("project_files is read-only inside, also for its owner") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(said_inside(sandbox, "true", {"--project=trap"}) == "");
  {
    const ProjectView view(sandbox, "trap");
    const std::string given = view.path() + "/project_files/given";
    write_file(given, "given\n");
    CHECK(chown(given.c_str(), 0x70000000, 0x70000000) == 0);
  }
  const std::string script =
      "cd /workspace/project_files; cat given; rm -f given 2>/dev/null; "
      "echo x 2>/dev/null >>given; chmod 777 . 2>/dev/null; touch new 2>/dev/null; ls";
  for (const auto& run : kNextRuns) CHECK(said_inside(sandbox, script, run) == "given\ngiven");
  CHECK(read_file(ProjectView(sandbox, "trap").path() + "/project_files/given") == "given\n");
}

TEST_CASE("a guest that takes the rights off its own folders does not lock the project") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)said_inside(sandbox, "echo kept >file; chmod 0 /workspace/agent_workspace /workspace/outputs",
                    {"--project=trap"});
  for (const auto& run : kNextRuns) {
    CHECK(said_inside(sandbox, "cat file; echo x >/workspace/outputs/new && cat /workspace/outputs/new",
                      run) == "kept\nx");
  }
}

TEST_CASE("a flat project that is all the guest's own hurts neither the next run nor the host") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Canary canary(sandbox);
  const std::string policy = flat_policy(sandbox);
  const std::string script = "ln -s " + canary.path() +
                             " outputs; ln -s /etc agent_workspace; ln -s /root project_files; "
                             "ln -s / layout; chmod 0 /workspace; echo $?";
  CHECK(said_inside(sandbox, script, {policy, "--project=trap"}) == "0");
  for (auto run : kNextRuns) {
    run.push_back(policy);
    CHECK(said_inside(sandbox, "pwd; ls | wc -l; cat outputs 2>/dev/null; echo x 2>/dev/null >outputs",
                      run) == "/workspace\n4");
    // A project keeps its layout, whatever the policy of a later run says.
    run.pop_back();
    CHECK(said_inside(sandbox, "pwd", run) == "/workspace");
  }
  CHECK(sandbox.shell("true", {"--project=trap", "--here"}).exit_status == 125);
  canary.check_unchanged();
}

TEST_CASE("what a bind leads to is resolved before the guest could change it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Canary canary(sandbox);
  fs::create_directory(sandbox.directory() + "/shown");
  // A mount's target below the guest's own directory, which is a link now.
  (void)said_inside(sandbox, "ln -s /etc target; mkdir real; ln -s / real/link", {"--project=trap"});
  for (const char* target :
       {"/workspace/agent_workspace/target", "/workspace/agent_workspace/real/link/etc"}) {
    const ProgramResult result =
        sandbox.shell("ls /etc", {"--project=trap", "--bind=" + sandbox.directory() + "/shown:" + target});
    CHECK_MESSAGE(result.exit_status == 125, target << ": " << result.out);
  }
  canary.check_unchanged();
}

}  // namespace sbx::test
