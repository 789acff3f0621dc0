// What is done besides runs, in the monitor log: each event once, with who asked and what came of it.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "integration/daemon_files.h"
#include "integration/daemon_tcp.h"
#include "support/schema.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

ProgramResult sbxctl(const Sandbox& place, Strings words, const std::string& input = "") {
  words.insert(words.begin(),
               {program_directory() + "/sbxctl", "--state-dir=" + place.state_dir(), "--log=" + place.log()});
  ProgramOptions options;
  options.input = input;
  return run_program(words, options);
}

// "EVENT SUBJECT", of each in a line of its own, with " failed" behind those that did.
std::string told(const Sandbox& place, const std::string& of) {
  std::string all;
  for (const json& event : place.events(of)) {
    all += event["event"];
    if (event["subject"].is_string()) all += " " + event["subject"].get<std::string>();
    if (event["to"].is_string()) all += " -> " + event["to"].get<std::string>();
    all += event["outcome"] == "failed" ? " failed\n" : "\n";
  }
  return all;
}

// A client may have its answer before that is in the log.
void check_told(const Sandbox& place, const std::string& of, const Strings& expected) {
  std::string text;
  for (const std::string& line : expected) text += line + "\n";
  (void)comes_true([&] { return told(place, of) == text; });
  CHECK(told(place, of) == text);
}

void check_whole(const Sandbox& place) {
  const ProgramResult verified = sbxctl(place, {"audit", "verify", "--json"});
  CHECK_MESSAGE(verified.exit_status == 0, verified.out << verified.err);
  CHECK(json::parse(verified.out)["whole"] == true);
  if (!can_validate("event")) return;
  std::string events;
  for (const json& event : place.events()) events += event.dump() + "\n";
  CHECK(schema_errors("event", events) == "");
}

}  // namespace

TEST_CASE("the life of a sandbox is in the log") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  {
    const Daemon daemon(place);
    const std::string id = daemon.create({{"task_id", "audited"}});
    CHECK(daemon.post("/v1/sandboxes/" + id + "/pause", json::object()).status == 200);
    CHECK(daemon.post("/v1/sandboxes/" + id + "/pause", json::object()).status == 409);
    CHECK(daemon.post("/v1/sandboxes/" + id + "/resume", json::object()).status == 200);
    CHECK(daemon.exec(id, "true")["exit_code"] == 0);
    CHECK(daemon.post("/v1/sandboxes/" + id + "/reset", json::object()).status == 200);
    CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + id).status == 200);
    const json too_much{{"task_id", "refused"}, {"limits", {{"memory_bytes", 1ULL << 50U}}}};
    CHECK(daemon.post("/v1/sandboxes", too_much).status == 422);
    const std::string stopped = daemon.create({{"task_id", "stopped"}});
    CHECK(daemon.post("/v1/sandboxes/" + stopped + "/stop", json::object()).status == 200);
    (void)daemon.create({{"task_id", "idle"}, {"idle_ms", 100}});
    while (daemon.get("/v1/sandboxes/task:idle").status == 200) (void)usleep(10'000);
    (void)daemon.create({{"task_id", "left"}});
  }
  std::map<std::string, Strings> lives;
  std::map<std::string, std::string> ends;
  for (const json& event : place.events("sandbox.")) {
    INFO(event.dump());
    const std::string task = event["task_id"];
    lives[task].push_back(event["event"].get<std::string>().substr(std::string("sandbox.").size()));
    if (event["outcome"] == "failed") lives[task].back() += " failed";
    if (lives[task].back() == "destroy") ends[task] = event["message"];
    const bool by_itself = lives[task].back() == "destroy" && (task == "idle" || task == "left");
    CHECK(event["caller"] == (by_itself ? json(nullptr) : json{{"uid", 0}}));
  }
  CHECK(lives["audited"] == Strings{"create", "pause", "resume", "reset", "destroy"});
  CHECK(lives["stopped"] == Strings{"create", "stop", "destroy"});
  CHECK(lives["idle"] == Strings{"create", "destroy"});
  CHECK(lives["left"] == Strings{"create", "destroy"});
  CHECK(ends["audited"] == "the sandbox was destroyed");
  CHECK(ends["stopped"] == "the sandbox was stopped");
  CHECK(ends["idle"] == "the sandbox was idle for as long as it may be");
  CHECK(ends["left"] == "the supervisor ends");
  check_told(place, "sbxd.",
             {"sbxd.start " + place.run_dir() + "/sbxd.sock", "sbxd.stop " + place.run_dir() + "/sbxd.sock"});
  CHECK(place.log_lines().size() == 1);
  check_whole(place);
}

TEST_CASE("files of a living sandbox are in the log when they come, go and change") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, {{"task_id", "files"}});
  CHECK(files.put("a", "1").status == 201);
  CHECK(files.get("a").status == 200);
  CHECK(files.get("none").status == 404);
  (void)files.stat("a");
  CHECK(files.ask("HEAD", "?path=a", {"--head"}).status == 200);
  (void)files.names(".");
  CHECK(files.ask("POST", "/directory?path=d").status == 201);
  CHECK(files.ask("POST", "/move?from=a&to=d/a").status == 200);
  CHECK(files.ask("DELETE", "?path=d").status == 409);
  CHECK(files.ask("DELETE", "?path=d&recursive").status == 204);
  check_told(place, "file.",
             {"file.upload a", "file.download a", "file.download none failed", "file.mkdir d",
              "file.move a -> d/a", "file.delete d failed", "file.delete d"});
  for (const json& event : place.events("file.")) {
    CHECK(event["task_id"] == "files");
    CHECK(event["sandbox_id"].is_string());
    CHECK(event["caller"] == json{{"uid", 0}});
  }
  check_whole(place);
}

TEST_CASE("what is done with projects is in the log, over the API and by sbxctl") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  CHECK(daemon.post("/v1/projects", {{"project_id", "p"}, {"limits", {{"disk_bytes", 16 << 20}}}}).status ==
        201);
  CHECK(daemon.post("/v1/projects", {{"project_id", "p"}, {"limits", {{"disk_bytes", 16 << 20}}}}).status ==
        409);
  CHECK(daemon.ask("PUT", "/v1/projects/p/files?path=outputs/x", "1").status == 201);
  CHECK(daemon.get("/v1/projects/p/files?path=outputs/x").status == 200);
  check_told(place, "project.", {"project.create", "project.create failed"});
  check_told(place, "file.", {"file.upload outputs/x", "file.download outputs/x"});
  const std::string configuration = "/v1/projects/p/configurations/c";
  CHECK(daemon.ask("PUT", configuration, json::object()).status == 201);
  CHECK(daemon.ask("DELETE", configuration).status == 204);
  check_told(place, "configuration.", {"configuration.store c", "configuration.remove c"});
  const auto ctl = [&](const Strings& words, const std::string& input = "") {
    const ProgramResult result = sbxctl(place, words, input);
    INFO(result.err);
    return result.exit_status;
  };
  CHECK(ctl({"files", "put", "--project=p", "--as=y", "-"}, "2") == 0);
  CHECK(ctl({"files", "mv", "--project=p", "project_files/y", "project_files/z"}) == 0);
  CHECK(ctl({"files", "rm", "--project=p", "project_files/z", "project_files/none"}) == 1);
  CHECK(ctl({"snapshots", "take", "--project=p", "s"}) == 0);
  CHECK(ctl({"snapshots", "restore", "--project=p", "s"}) == 0);
  CHECK(ctl({"snapshots", "remove", "--project=p", "s"}) == 0);
  CHECK(ctl({"tx", "discard", "--project=p", "nosuch"}) == 1);
  CHECK(ctl({"projects", "rename", "p", "q"}) == 0);
  CHECK(ctl({"projects", "delete", "q"}) == 0);
  check_told(place, "file.",
             {"file.upload outputs/x", "file.download outputs/x", "file.upload y",
              "file.move project_files/y -> project_files/z", "file.delete project_files/z",
              "file.delete project_files/none failed"});
  check_told(place, "snapshot.", {"snapshot.take s", "snapshot.restore s", "snapshot.remove s"});
  check_told(place, "transaction.", {"transaction.discard nosuch failed"});
  check_told(place, "project.",
             {"project.create", "project.create failed", "project.rename -> q", "project.delete"});
  for (const json& event : place.events("project.")) CHECK(event["caller"] == json{{"uid", 0}});
  check_whole(place);
}

TEST_CASE("a token's events have its name, and those of tokens never have the token") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Host tcp(place);
  const std::string secret = tcp.token({"ci", "--project=p"});
  const Daemon daemon(place, {"--config", tcp.config()});
  const Answer made =
      ask(tcp.plain() + "/v1/sandboxes", secret, {{"project_id", "p"}, {"task_id", "tokens"}});
  CHECK(made.status == 201);
  const json created = place.events("sandbox.create").at(0);
  CHECK(created["caller"] == json{{"token", "ci"}});
  CHECK(tcp.sbxctl({"revoke", "ci"}).exit_status == 0);
  const std::string log = read_file(place.directory() + "/tokens.log");
  CHECK(log.find("\"token.create\"") != std::string::npos);
  CHECK(log.find("\"token.revoke\"") != std::string::npos);
  CHECK(log.find(secret) == std::string::npos);
  CHECK(read_file(place.log()).find(secret) == std::string::npos);
}

TEST_CASE("what killed runs left is in the log when it is removed, and the chain is whole") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  {
    Daemon daemon(place);
    (void)daemon.create({{"task_id", "killed"}});
    daemon.kill_with_9();
  }
  const Daemon again(place);
  CHECK(again.run({{"command", {"true"}}})["outcome"] == "exited");
  CHECK(told(place, "sbxd.start") != "");
  CHECK(place.events("sbxd.").size() == 2);
  const std::vector<json> ends = place.events("sandbox.destroy");
  REQUIRE(ends.size() == 1);
  CHECK(ends[0]["task_id"] == "killed");
  CHECK(ends[0]["caller"].is_null());
  const std::string why = ends[0]["message"];
  CHECK_MESSAGE((why.starts_with("its supervisor was killed; the next start removed ") ||
                 why == "its supervisor went away"),
                why);
  check_whole(place);
}

}  // namespace sbx::test
