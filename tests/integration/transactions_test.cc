// Runs of a project whose changes wait for a decision, and the decisions: sbxctl tx, sbxctl snapshots.
#include <filesystem>
#include <set>

#include "integration/daemon.h"
#include "isolation.h"
#include "support/project_view.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Strings in_project(Strings options, const std::string& script) {
  options.insert(options.begin(), {"--project=p", "--disk=16M"});
  options.insert(options.end(), {"--", "/bin/sh", "-c", script});
  return options;
}

json run_script(const Sandbox& sandbox, const Strings& options, const std::string& script) {
  json result = sandbox.run_json(in_project(options, script));
  REQUIRE_MESSAGE(result["outcome"] == "exited", result.dump());
  return result;
}

std::string output_of(const Sandbox& sandbox, const std::string& script, const Strings& options = {}) {
  return run_script(sandbox, options, script)["stdout"]["text"];
}

ProgramResult sbxctl(const Sandbox& sandbox, const Strings& words) {
  Strings all{program_directory() + "/sbxctl", "--state-dir=" + sandbox.state_dir(),
              "--log=" + sandbox.log()};
  all.insert(all.end(), words.begin(), words.end());
  return run_program(all);
}

ProgramResult on_transaction(const Sandbox& sandbox, const std::string& what, const std::string& id,
                             Strings more = {}) {
  more.insert(more.begin(), {"tx", what, "--project=p", id});
  return sbxctl(sandbox, more);
}

std::string begin(const Sandbox& sandbox, const std::string& script) {
  const json result = run_script(sandbox, {"--workspace-mode=transaction"}, script);
  REQUIRE(result["transaction"].is_string());
  return result["transaction"];
}

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a transaction's changes are told, seen by who goes on with it alone, and kept by a commit") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a; echo 1 >b; mkdir d; echo x >d/f; ln -s a l; chmod 600 b");
  const std::string script = "echo 2 >>a; chmod 755 b; rm -r d; mkdir d; echo y >d/g; rm l; printf '\\0' >n";
  const json result = run_script(sandbox, {"--workspace-mode=transaction"}, script);
  const std::string id = result["transaction"];
  CHECK(result["run_id"] == id);
  CHECK(result["changes"]["added"] == 2);
  CHECK(result["changes"]["changed"] == 2);
  CHECK(result["changes"]["deleted"] == 2);
  CHECK(result["changes"]["truncated"] == false);
  const json mode = result["changes"]["list"][1];
  CHECK(mode["path"] == "agent_workspace/b");
  CHECK(mode["content"] == false);
  CHECK(mode["before"] == json({{"type", "file"}, {"mode", "0600"}, {"bytes", 2}}));
  CHECK(mode["after"]["mode"] == "0755");
  CHECK(output_of(sandbox, "cat a; ls") == "1\na\nb\nd\nl\n");
  CHECK(output_of(sandbox, "cat a d/g; ls; echo 3 >>a", {"--transaction=" + id}) == "1\n2\ny\na\nb\nd\nn\n");

  const std::string top = "agent_workspace/";
  const ProgramResult diff = on_transaction(sandbox, "diff", id);
  CHECK_MESSAGE(diff.out == "M " + top + "a\nM " + top + "b (0600 to 0755)\nD " + top + "d/f\nA " + top +
                                "d/g\nD " + top + "l\nA " + top + "n\n",
                (diff.out + diff.err));
  const json listed = json::parse(on_transaction(sandbox, "diff", id, {"--json"}).out);
  CHECK(listed["list"].size() == 6);
  const json all = json::parse(sbxctl(sandbox, {"tx", "list", "--project=p", "--json"}).out);
  REQUIRE(all.size() == 1);
  CHECK(all[0]["id"] == id);
  const ProgramResult committed = on_transaction(sandbox, "commit", id);
  CHECK_MESSAGE(committed.exit_status == 0, committed.err);
  CHECK(output_of(sandbox, "cat a d/*; ls; stat -c %a b") == "1\n2\n3\ny\na\nb\nd\nn\n755\n");
  CHECK(on_transaction(sandbox, "commit", id).exit_status == 1);
  const ProjectView view(sandbox, "p");
  CHECK(names_in(view.path() + "/..").size() == 1);
  CHECK(names_in(view.path() + "/../../b").empty());
}

TEST_CASE("sbxrun prints what changed and how it is kept, unless it is to be quiet") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  Strings words = in_project({"--direct", "--workspace-mode=transaction"}, "echo 1 >$'a\\033b'; echo 1 >a");
  const ProgramResult told = sandbox.sbxrun(words);
  CHECK_MESSAGE(holds(told.err, "sbxrun: A agent_workspace/a\n"), told.err);
  CHECK_FALSE(holds(told.err, "\033"));
  CHECK_MESSAGE(holds(told.err, "keep or drop them: sbxctl tx commit|discard --project p "), told.err);
  words.insert(words.begin(), "--quiet");
  CHECK(sandbox.sbxrun(words).err == "");
}

TEST_CASE("a patch of a transaction makes of the old files the new ones; of bytes it tells the hashes") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string old_files = "seq 30 >a; echo gone >g; ln -s a l; printf x >no_newline; ";
  (void)output_of(sandbox, old_files + "printf '\\0' >bytes");
  const std::string id =
      begin(sandbox,
            "sed -i 's/^15$/fifteen/' a; rm g; echo new >'n w'; chmod +x 'n w'; ln -sf g l; "
            "printf xy >no_newline; printf '\\0\\0' >bytes");
  const ProgramResult patch = on_transaction(sandbox, "diff", id, {"--patch"});
  CHECK_MESSAGE(patch.exit_status == 0, patch.err);
  CHECK_MESSAGE(holds(patch.out,
                      "Binary files a/agent_workspace/bytes and b/agent_workspace/bytes differ: sha256 "
                      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d to "
                      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7\n"),
                patch.out);
  SKIP_UNLESS(fs::exists("/usr/bin/patch") || fs::exists("/usr/bin/git"), "needs git");
  const std::string text = patch.out.substr(0, patch.out.find("diff --git a/agent_workspace/bytes")) +
                           patch.out.substr(patch.out.find("diff --git a/agent_workspace/g"));
  write_file(sandbox.directory() + "/patch", text);
  const std::string tree = sandbox.directory() + "/tree";
  const ProgramResult applied = run_program(
      {"/bin/sh", "-ec",
       "mkdir -p " + tree + "/agent_workspace; cd " + tree + "/agent_workspace; " + old_files +
           "cd ..; git apply ../patch; cd agent_workspace; sed -n 15p a; cat 'n w' no_newline; echo; "
           "readlink l; stat -c %a 'n w'; ls"});
  CHECK_MESSAGE(applied.out == "fifteen\nnew\nxy\ng\n755\na\nl\nn w\nno_newline\n",
                (applied.out + applied.err + text));
}

TEST_CASE("of two transactions that change the same the second is refused, and says where") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a; echo 1 >b");
  const std::string first = begin(sandbox, "echo 2 >a");
  const std::string second = begin(sandbox, "echo 3 >a; echo 3 >c");
  const std::string third = begin(sandbox, "echo 4 >b");
  CHECK(on_transaction(sandbox, "commit", first).exit_status == 0);
  const ProgramResult refused = on_transaction(sandbox, "commit", second);
  CHECK(refused.exit_status == 3);
  CHECK_MESSAGE(holds(refused.err, "  agent_workspace/a\n"), refused.err);
  CHECK_FALSE(holds(refused.err, "agent_workspace/c"));
  CHECK(json::parse(on_transaction(sandbox, "commit", second, {"--json"}).out) ==
        json({{"committed", false}, {"conflicts", {"agent_workspace/a"}}}));
  CHECK(on_transaction(sandbox, "commit", third).exit_status == 0);
  CHECK(output_of(sandbox, "cat a b; ls") == "2\n4\na\nb\n");
  CHECK(on_transaction(sandbox, "discard", second).exit_status == 0);
  CHECK(sbxctl(sandbox, {"tx", "list", "--project=p"}).out == "");
}

TEST_CASE("a decision holds although what it leaves cannot be removed, and the next run tells why") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a");
  const auto pin = [&](const std::string& id, const char* how) {
    const ProjectView view(sandbox, "p");
    const ProgramResult pinned = run_program({"chattr", how, view.path() + "/../../b/" + id + "/work"});
    REQUIRE_MESSAGE(pinned.exit_status == 0, pinned.err);
  };
  for (const char* decision : {"commit", "discard"}) {
    CAPTURE(std::string(decision));
    const std::string id = begin(sandbox, "echo 2 >>a");
    pin(id, "+i");
    const ProgramResult decided = on_transaction(sandbox, decision, id);
    CHECK_MESSAGE(decided.exit_status == 0, decided.err);
    const ProgramResult next = sandbox.run(in_project({}, "cat a"));
    CHECK(next.exit_status == 125);
    CHECK_MESSAGE(holds(next.err, "removing what is left of transaction '" + id + "'"), next.err);
    pin(id, "-i");
    CHECK(output_of(sandbox, "cat a") == "1\n2\n");
  }
}

TEST_CASE("no commit beside a run that writes, and no second run in one transaction") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a");
  const std::string id = begin(sandbox, "echo 2 >a");
  {
    Background writer(sbxrun_command(sandbox, in_project({}, "echo ready; read line")));
    REQUIRE(writer.wait_for("ready"));
    const ProgramResult refused = on_transaction(sandbox, "commit", id);
    CHECK(refused.exit_status == 3);
    CHECK_MESSAGE(holds(refused.err, "project 'p': a run writes to the project now"), refused.err);
  }
  {
    Background other(sbxrun_command(sandbox, in_project({"--transaction=" + id}, "echo ready; read line")));
    REQUIRE(other.wait_for("ready"));
    for (const char* what : {"commit", "discard"}) CHECK(on_transaction(sandbox, what, id).exit_status == 3);
    CHECK(on_transaction(sandbox, "diff", id).exit_status == 0);
    const ProgramResult busy = sandbox.run(in_project({"--transaction=" + id}, "true"));
    CHECK(busy.exit_status == 125);
    CHECK_MESSAGE(holds(busy.err, "a run uses it now"), busy.err);
  }
  CHECK(on_transaction(sandbox, "commit", id).exit_status == 0);
  CHECK(output_of(sandbox, "cat a") == "2\n");
}

TEST_CASE("a transaction that begins beside a run that writes has what there was just then") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::string id;
  {
    Background writer(sbxrun_command(sandbox, in_project({}, "echo 1 >a; echo ready; read line; echo 2 >a")));
    REQUIRE(writer.wait_for("ready"));
    id = begin(sandbox, "cat a; echo x >b");
  }
  CHECK(output_of(sandbox, "cat a", {"--transaction=" + id}) == "1\n");
  CHECK(on_transaction(sandbox, "commit", id).exit_status == 0);
  CHECK(output_of(sandbox, "cat a b") == "2\nx\n");
}

TEST_CASE("a dry run tells what would have changed, and changes nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a");
  const json result =
      run_script(sandbox, {"--workspace-mode=ephemeral", "--show-changes"}, "rm a; echo 1 >b; cat b");
  CHECK(result["transaction"].is_null());
  CHECK(result["changes"]["list"][0]["change"] == "deleted");
  CHECK(result["changes"]["list"][1]["path"] == "agent_workspace/b");
  CHECK(output_of(sandbox, "ls") == "a\n");
  CHECK(run_script(sandbox, {"--workspace-mode=ephemeral"}, "rm a")["changes"].is_null());
  const ProgramResult nothing =
      sandbox.sbxrun(in_project({"--direct", "--workspace-mode=ephemeral", "--show-changes"}, "cat a"));
  CHECK_MESSAGE(holds(nothing.err, "sbxrun: it changed nothing\n"), nothing.err);
  const ProjectView view(sandbox, "p");
  CHECK(names_in(view.path() + "/../../b").empty());
}

TEST_CASE("a list of changes in a result is cut, and says so") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json result = run_script(sandbox, {"--workspace-mode=transaction"},
                                 "i=0; while [ $i -lt 1100 ]; do : >f$i; i=$((i+1)); done");
  CHECK(result["changes"]["added"] == 1100);
  CHECK(result["changes"]["list"].size() == 1000);
  CHECK(result["changes"]["truncated"] == true);
}

TEST_CASE("snapshots are taken, restored and removed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a; echo 1 >../outputs/o");
  const auto on_snapshot = [&](const std::string& what, const Strings& more) {
    Strings words{"snapshots", what, "--project=p"};
    words.insert(words.end(), more.begin(), more.end());
    return sbxctl(sandbox, words);
  };
  CHECK(on_snapshot("take", {"first"}).exit_status == 0);
  CHECK(on_snapshot("take", {"first"}).exit_status == 1);
  CHECK(output_of(sandbox, "echo 2 >a; rm ../outputs/o; cat a") == "2\n");
  CHECK(json::parse(on_snapshot("list", {"--json"}).out)[0]["name"] == "first");
  CHECK(on_snapshot("restore", {"first"}).exit_status == 0);
  CHECK(output_of(sandbox, "cat a ../outputs/o; echo 3 >a") == "1\n1\n");
  CHECK(on_snapshot("restore", {"first"}).exit_status == 0);
  CHECK(output_of(sandbox, "cat a") == "1\n");
  CHECK(on_snapshot("remove", {"first"}).exit_status == 0);
  CHECK(on_snapshot("restore", {"first"}).exit_status == 1);
  CHECK(on_snapshot("list", {}).out == "");
  CHECK(output_of(sandbox, "cat a") == "1\n");
}

TEST_CASE("what a transaction changes counts for the project's limit, and a full disk is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a");
  const json full = run_script(sandbox, {"--workspace-mode=transaction"}, "head -c 32M /dev/zero >big; ls");
  CHECK_MESSAGE(holds(full["limits_hit"].dump(), "\"disk_bytes\""), full["limits_hit"].dump());
  CHECK(on_transaction(sandbox, "discard", full["transaction"]).exit_status == 0);
  CHECK(output_of(sandbox, "head -c 8M /dev/zero >big && echo good") == "good\n");
}

TEST_CASE("a program cannot forge or see the marks of the layer, nor its folders and the other generations") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "mkdir d; echo 1 >d/f; echo 1 >a");
  const std::string id = begin(
      sandbox,
      "chmod 000 /workspace/agent_workspace; mv d e 2>&1; mknod w c 0 0 2>&1; ls /project /workspace/g 2>&1; "
      "python3 -c 'import os; os.setxattr(\"d\", \"user.overlay.opaque\", b\"y\")' 2>&1; chmod 000 d; true");
  CHECK(output_of(sandbox, "chmod 755 d; ls", {"--transaction=" + id}).find('a') != std::string::npos);
  CHECK(on_transaction(sandbox, "commit", id).exit_status == 0);
  CHECK_MESSAGE(holds(output_of(sandbox, "cat */f"), "1\n"), "the file is there");
}

TEST_CASE("a flat project, and one without limits, have transactions, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const char* data = std::getenv("SBX_TEST_DATA");
  REQUIRE(data != nullptr);
  std::string policy = read_file(std::string(data) + "/policies/default.yaml");
  policy = replaced(replaced(policy, "layout: split", "layout: flat"), "disk: 1G", "disk: none");
  write_file(sandbox.directory() + "/own.yaml", policy);
  const auto run = [&](const std::string& script, const std::string& option) {
    return sandbox.run_json({"--project=p", "--policy=" + sandbox.directory() + "/own.yaml", option, "--",
                             "/bin/sh", "-c", script});
  };
  REQUIRE(run("echo 1 >a; mkdir d", "--workspace-mode=persistent")["outcome"] == "exited");
  CHECK(read_file(sandbox.state_dir() + "/projects/p/storage") == "directory\n");
  const json result = run("echo 2 >a; rmdir d; echo 3 >b; cat a b", "--workspace-mode=transaction");
  CHECK_MESSAGE(result["stdout"]["text"] == "2\n3\n", result.dump());
  REQUIRE(result["transaction"].is_string());
  CHECK(on_transaction(sandbox, "diff", result["transaction"]).out == "M a\nA b\nD d/\n");
  CHECK(on_transaction(sandbox, "commit", result["transaction"]).exit_status == 0);
  CHECK(run("cat *", "--workspace-mode=persistent")["stdout"]["text"] == "2\n3\n");
  CHECK(names_in(sandbox.state_dir() + "/projects/p/workspace/g") == std::set<std::string>{"2"});
}

TEST_CASE("a project that an older version made has its files, and transactions from then on") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  (void)output_of(sandbox, "echo 1 >a; echo 1 >../outputs/o");
  {
    const ProjectView view(sandbox, "p");
    const fs::path top = fs::canonical(view.path() + "/../..");
    for (const char* folder : {"project_files", "agent_workspace", "outputs"})
      fs::rename(top / "g/1" / folder, top / folder);
    fs::remove_all(top / "g");
    fs::remove_all(top / "b");
  }
  fs::remove(sandbox.state_dir() + "/projects/p/head");
  CHECK(output_of(sandbox, "cat a ../outputs/o; echo 2 >a") == "1\n1\n");
  const std::string id = begin(sandbox, "echo 3 >a");
  CHECK(on_transaction(sandbox, "commit", id).exit_status == 0);
  CHECK(output_of(sandbox, "cat a") == "3\n");
}

TEST_CASE("runs of the API have transactions and dry runs") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const auto run = [&](const json& more, const std::string& script) {
    json body{{"shell", script}, {"project_id", "p"}, {"limits", {{"disk_bytes", 16U << 20U}}}};
    body.update(more);
    return daemon.run(body);
  };
  CHECK(text_of(run(json::object(), "echo 1 >a; cat a")) == "1\n");
  const json dry = run({{"workspace_mode", "ephemeral"}, {"show_changes", true}}, "rm a");
  CHECK(dry["transaction"] == nullptr);
  CHECK(dry["changes"]["deleted"] == 1);
  const json first = run({{"workspace_mode", "transaction"}}, "echo 2 >>a");
  const std::string id = first["transaction"];
  CHECK(first["changes"]["list"][0]["path"] == "agent_workspace/a");
  CHECK(text_of(run({{"transaction", id}}, "cat a; echo 3 >>a")) == "1\n2\n");
  CHECK(text_of(run(json::object(), "cat a")) == "1\n");
  CHECK(on_transaction(place, "commit", id).exit_status == 0);
  CHECK(text_of(run(json::object(), "cat a")) == "1\n2\n3\n");
  const json over = run({{"transaction", id}}, "true");
  CHECK(over["exit_code"] == nullptr);
  CHECK_MESSAGE(holds(over["message"], "there is no transaction '" + id + "'"), over["message"]);

  const auto refusal = [&](const char* path, const json& body) {
    const HttpAnswer answer = daemon.post(path, body);
    CHECK_MESSAGE(answer.status == 400, answer.text);
    return answer.body["detail"].get<std::string>();
  };
  const json transaction{{"shell", "true"}, {"workspace_mode", "transaction"}};
  CHECK(refusal("/v1/runs", transaction) == "workspace_mode: a transaction needs a project");
  CHECK(refusal("/v1/runs", {{"shell", "true"}, {"project_id", "p"}, {"show_changes", true}}) ==
        "show_changes: only of a project with workspace_mode ephemeral");
  CHECK(refusal("/v1/runs", {{"shell", "true"},
                             {"project_id", "p"},
                             {"workspace_mode", "persistent"},
                             {"transaction", id}}) == "'transaction': not with another 'workspace_mode'");
}

TEST_CASE("options of transactions that contradict each other are refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const auto refused = [&](const Strings& options) {
    Strings words = options;
    words.insert(words.end(), {"--", "true"});
    const ProgramResult result = sandbox.run(words);
    CHECK(result.exit_status == 2);
    return result.err;
  };
  CHECK(holds(refused({"--workspace-mode=transaction"}), "a transaction needs a --project"));
  CHECK(holds(refused({"--project=p", "--workspace-mode=none"}),
              "'none' is none of persistent, ephemeral, transaction"));
  CHECK(holds(refused({"--project=p", "--transaction=x", "--workspace-mode=persistent"}),
              "--transaction: not with another --workspace-mode"));
  CHECK(
      holds(refused({"--project=p", "--show-changes"}), "--show-changes is for --workspace-mode ephemeral"));
  CHECK(holds(refused({"--project=p", "--transaction=../x"}), "--transaction: '../x'"));
  const ProgramResult missing = sandbox.run(in_project({"--transaction=x"}, "true"));
  CHECK(missing.exit_status == 125);
  CHECK_MESSAGE(holds(missing.err, "project 'p': there is no transaction 'x'"), missing.err);
}

TEST_SUITE_END();

}  // namespace sbx::test
