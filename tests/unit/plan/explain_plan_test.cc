#include <doctest/doctest.h>

#include "plan/make_plan.h"

namespace sbx {
namespace {

struct Case {
  RunRequest request;
  Policy policy;
  PlanFacts stored;  // what is known of the project

  Case() {
    request.command = {"prog"};
    policy.name = "some";
    policy.seccomp = "some";
    policy.limits.memory_bytes = 512ULL << 20U;
    policy.limits.tmp_bytes = 64ULL << 20U;
    policy.limits.disk_bytes = 128ULL << 20U;
    policy.limits.nofile = 256;
  }
  [[nodiscard]] std::string text() const {
    PlanFacts facts = stored;
    facts.image_root = "/image";
    if (!request.project.empty()) facts.workspace_dir = "/state/p";
    const auto plan = make_plan(request, policy.limits, policy, facts, "sbx-1");
    REQUIRE_MESSAGE(plan, (plan ? "" : plan.error().text));
    return explain_plan(*plan, policy, request, facts);
  }
  void check_says(const std::string& line) const {
    const std::string all = text();
    CHECK_MESSAGE(("\n" + all).find("\n" + line + "\n") != std::string::npos, all << "should say: " << line);
  }
  void check_silent(const std::string& words) const {
    const std::string all = text();
    CHECK_MESSAGE(all.find(words) == std::string::npos, all << "should not say: " << words);
  }
};

}  // namespace

TEST_CASE("--explain: a usual sandbox, line by line") {
  const Case c;
  c.check_says("It sees image 'host' as its file system, read-only.");
  c.check_says(
      "It may write to /home/sandbox, /tmp, /var/tmp and /dev/shm: 64M of memory (--tmp) together, thrown "
      "away.");
  c.check_says(
      "It may write to /workspace/agent_workspace, /workspace/outputs and /workspace/project_files: 128M of "
      "memory (--disk), thrown away.");
  c.check_says("It is ended above 512M of memory, its files there included.");
  c.check_says("It has no limit of wall time, CPU time and output.");
  c.check_says("It may use all CPUs, any number of processes, 256 open files per process and no swap.");
  c.check_says("Nothing of it is left when it ends.");
}

TEST_CASE("--explain: what a language brings") {
  Case c;
  c.request.command.clear();
  LanguageCommand& language = c.stored.language.emplace();
  language.command = {"toy"};
  c.check_silent("came with the request");
  language.directory = "/tmp/code";
  language.files = {{"a", ""}};
  c.check_says("It finds the file that came with the request in /tmp/code.");
  language.files.push_back({"b", ""});
  c.stored.writable = {"/var/cache/toy"};
  c.check_says("It finds 2 files that came with the request in /tmp/code.");
  c.check_says("It may change a thrown-away copy of the image's /var/cache/toy.");
  c.check_says(
      "The workspace and the changes to the image's directories share 128M of memory (--disk) and are thrown "
      "away.");
}

TEST_CASE("--explain: controls that the policy lets go are named") {
  Case c;
  c.policy.allow_degraded = {"cpu", "oom_group"};
  c.check_says(
      "The policy allows these controls to be missing where the host lacks them: cpu and oom_group.");
}

TEST_CASE("--explain: every limit that was asked for is told, with its value") {
  for (const LimitField& field : kLimits) {
    CAPTURE(field.key);
    Case c;
    c.policy.limits = {};
    const std::uint64_t value = field.unit == LimitUnit::bytes ? 37ULL << 20U : 37;
    c.request.limits.*field.member = value;
    c.policy.limits.*field.member = value;  // granted
    CHECK(c.text().find(limit_with_unit(field, value)) != std::string::npos);
  }
}

TEST_CASE("--explain: output is limited where it is captured, or where the caller asked") {
  Case c;
  c.policy.limits.output_bytes = 1U << 20U;
  c.check_says("It is ended above 512M of memory, its files there included.");
  c.request.limits.output_bytes = 1U << 20U;
  c.check_says("It is ended above 512M of memory, its files there included or above 1M of output.");
  c.request.limits.output_bytes = {};
  c.request.streams[1] = c.request.streams[2] = StreamMode::capture;
  c.check_says("It is ended above 512M of memory, its files there included or above 1M of output.");
  c.check_says("It has no limit of wall time and CPU time.");
}

TEST_CASE("--explain: the size of a file, and how many there may be in which memory") {
  Case c;
  c.check_silent("--fsize");
  c.check_silent("--inodes");
  c.policy.limits.fsize_bytes = 1U << 20U;
  c.policy.limits.inodes = 100;
  c.check_says("It may make no file larger than 1M (--fsize): SIGXFSZ ends what writes beyond that.");
  c.check_says(
      "It may make 100 files and directories (--inodes) in what --tmp bounds, and as many in what --disk "
      "bounds.");
  c.request.project = "p";  // kept: nothing of it is on the disk that is thrown away
  c.check_says("It may make 100 files and directories (--inodes) in what --tmp bounds.");
}

TEST_CASE("--explain: variables by name, never by value") {
  Case c;
  c.check_silent("variable");
  c.request.environment = {{"TOKEN", "secret"}};
  c.check_says("It is given the variable TOKEN.");
  c.request.environment = {{"TOKEN", "secret"}, {"B", ""}, {"TOKEN", "other"}};
  c.check_says("It is given the variables TOKEN and B.");
  c.check_silent("secret");
}

TEST_CASE("--explain: a writable root is what the image lets the program write, and shares the disk") {
  Case c;
  c.policy.writable_root = true;
  c.check_says(
      "It sees image 'host' as its file system. Its root is writable where the image lets uid 1000 write (in "
      "'host' nowhere: all belongs to root, and /usr is read-only); changes are thrown away.");
  c.check_says(
      "The workspace and the changes to the root share 128M of memory (--disk) and are thrown away.");
  c.check_silent("read-only.");
  c.request.image = "python";
  c.check_says(
      "It sees image 'python' as its file system. Its root is writable where the image lets uid 1000 write; "
      "changes are thrown away.");
  c.policy.limits.disk_bytes = {};
  c.check_says(
      "The workspace and the changes to the root share any amount of memory (--disk) and are thrown away.");
}

TEST_CASE("--explain: a kept project is not on the disk that is thrown away, its changes may be") {
  Case c;
  c.request.project = "p";
  c.check_says(
      "It may write to /workspace/agent_workspace and /workspace/outputs: project 'p', kept, without a limit "
      "of its size.");
  c.stored.project_bytes = 32ULL << 20U;
  c.check_says(
      "It may write to /workspace/agent_workspace and /workspace/outputs: project 'p', kept, at most 32M.");
  c.stored.project_inodes = 50;
  c.check_says(
      "It may write to /workspace/agent_workspace and /workspace/outputs: project 'p', kept, at most 32M in "
      "50 files "
      "and directories.");
  c.stored.project_bytes.reset();
  c.check_says("Nothing of it is left when it ends, but the project.");
  c.check_silent("--disk");
  c.policy.writable_root = true;
  c.check_says("The changes to the root may take 128M of memory (--disk) and are thrown away.");
  c.request.workspace_mode = WorkspaceMode::ephemeral;
  c.check_says(
      "It may write to /workspace/agent_workspace and /workspace/outputs: project 'p', thrown away.");
  c.check_says(
      "The changes to project 'p' and the changes to the root share 128M of memory (--disk) and are thrown "
      "away.");
  c.check_says("Nothing of it is left when it ends.");
  c.stored.workspace_flat = true;  // whatever the policy gives to new ones
  c.check_says("It may write to /workspace: project 'p', thrown away.");
  c.request.show_changes = true;
  c.check_says(
      "It may write to /workspace: project 'p', listed and thrown away, without a limit of its size.");
  c.check_says("The changes to the root may take 128M of memory (--disk) and are thrown away.");
  c.request.show_changes = false;
  c.request.workspace_mode = WorkspaceMode::transaction;
  c.check_says(
      "It may write to /workspace: project 'p', kept beside it as a transaction, until that is committed or "
      "discarded, without a limit of its size.");
  c.check_says("Nothing of it is left when it ends, but the transaction.");
}

TEST_CASE("--explain: a project has the layout it was made with, and is not made by asking") {
  Case c;
  c.request.project = "p";
  c.policy.workspace_layout = WorkspaceLayout::flat;
  c.check_says("There is a project 'p' with layout split.");
  c.stored.workspace_flat = true;
  c.check_says("There is a project 'p' with layout flat.");
  c.check_says("It may write to /workspace: project 'p', kept, without a limit of its size.");
  c.stored.project = ProjectState::missing;
  c.check_says("There is no project 'p' yet: a run would make it, with layout flat.");
  c.stored.project = ProjectState::unseen;
  c.check_says(
      "Only root can see whether there is a project 'p'; it is described as a new one, with layout flat.");
}

TEST_CASE("--explain: what a bind lies over is said of the bind") {
  Case c;
  c.request.here = BindRequest{"/code", "/workspace/project_files", BindMode::copy_on_write};
  c.request.binds = {{"/a", "/tmp", BindMode::read_only}, {"/b", "/data", BindMode::read_write}};
  c.check_says(
      "It may write to /home/sandbox, /var/tmp and /dev/shm: 64M of memory (--tmp) together, thrown away.");
  c.check_says("It may write to /workspace/agent_workspace and /workspace/outputs: thrown away.");
  c.check_says("The workspace and the changes to '/code' share 128M of memory (--disk) and are thrown away.");
  c.check_says("It may change a thrown-away copy of the host's '/code' at /workspace/project_files.");
  c.check_says("It may read the host's '/a' at /tmp.");
  c.check_says("It MAY CHANGE the host's '/b' at /data.");
}

TEST_CASE("--dry-run: the upper layer, where it is, and no limit in the policy's own words") {
  Case c;
  c.policy.writable_root = true;
  PlanFacts facts;
  facts.image_root = "/image";
  const auto plan = make_plan(c.request, c.policy.limits, c.policy, facts, "sbx-1");
  REQUIRE(plan);
  const std::string text = describe_plan(*plan, c.policy, c.request, facts);
  for (const char* line : {"overlay    stage:/root <- lower stage:image upper stage:/disk/root/upper",
                           "attach     stage:/disk <- tmpfs size=128M (memory, thrown away)", "  cpus: all\n",
                           "  pids: none\n"}) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, text << "should say: " << line);
  }
}

}  // namespace sbx
