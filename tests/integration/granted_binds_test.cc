// Directories of the host for who is not root: what the policy grants, and no more than that one may do
// there.
#include <sys/stat.h>

#include <filesystem>

#include "integration/daemon.h"
#include "integration/own_policies.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

constexpr const char* kAlice = "4001";
constexpr const char* kBob = "4002";
constexpr const char* kTeam = "4100";

class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() { (void)fs::remove_all(top_); }
  // Of the directories: they are there before the daemon is.
  bool prepare() {
    make("", 0, 0, 0755);
    make("shared", 0, 0, 0755);
    put("shared/file", 0, 0, 0644, "for all\n");
    put("shared/secret", 0, 0, 0600, "root's\n");
    make("shared/closed", 0, 0, 0700);
    make("shared-not", 0, 0, 0755);
    make("alice", 4001, 4001, 0755);
    put("alice/own", 4001, 4001, 0600, "alice's\n");
    make("alice/private", 4001, 4001, 0700);
    make("team", 0, 4100, 02770);
    put("team/plan", 0, 4100, 0640, "the plan\n");
    make("team/hers", 4001, 4100, 02770);
    make("daemon", 1, 1, 0700);
    make("holed", 0, 0, 0755);
    make("holed/a place", 0, 0, 0755);
    put("holed/a place/below", 0, 0, 0644, "covered\n");
    policies_.replace("default", "bind_roots: []\n",
                      "bind_roots:\n  - path: " + at("shared") + "\n  - {path: " + at("alice") +
                          ", mode: rw}\n  - {path: " + at("team") + ", mode: rw, groups: [4100]}\n" +
                          "  - {path: " + at("daemon") +
                          ", users: [daemon, 4002]}\n  - {path: /proc}\n  - {path: " + at("holed") + "}\n");
    return true;
  }

  [[nodiscard]] std::string at(const std::string& name) const {
    return name.empty() ? top_ : top_ + "/" + name;
  }
  void make(const std::string& name, uid_t uid, gid_t gid, mode_t mode) const {
    REQUIRE(mkdir(at(name).c_str(), 0700) == 0);
    own(name, uid, gid, mode);
  }
  void put(const std::string& name, uid_t uid, gid_t gid, mode_t mode, const std::string& text) const {
    write_file(at(name), text);
    own(name, uid, gid, mode);
  }
  [[nodiscard]] const Daemon& daemon() const { return daemon_; }

  // 65534 is the group that may connect.
  [[nodiscard]] static ProgramResult as(const std::string& uid, const Strings& command,
                                        const std::string& groups = "65534") {
    Strings all{"setpriv", "--reuid=" + uid, "--regid=" + uid, "--groups=" + groups};
    all.insert(all.end(), command.begin(), command.end());
    return run_program(all);
  }
  // Over HTTP.
  [[nodiscard]] json ask(const std::string& uid, const std::string& path, const json& body,
                         Strings options = {}) const {
    options.insert(options.begin(),
                   {"curl", "-s", "--unix-socket", daemon_.socket(), "http://sbx" + path, "-d", body.dump()});
    return json::parse(as(uid, options).out);
  }
  // sbxrun as somebody.
  [[nodiscard]] ProgramResult run(const std::string& uid, Strings options, const std::string& line,
                                  const std::string& groups = "65534") const {
    options.insert(options.begin(), {"env", "-C", at("alice"), "SBX_SOCKET=" + daemon_.socket(),
                                     program_directory() + "/sbxrun", "--quiet"});
    options.insert(options.end(), {"--", "sh", "-c", line});
    return as(uid, options, groups);
  }
  // Its words; and it is the same for who only asks.
  [[nodiscard]] std::string refusal(const std::string& uid, const std::string& bind) const {
    for (const char* flag : {"--explain", "--dry-run"}) {
      const ProgramResult asked =
          run(uid, {flag, "--socket=" + daemon_.socket(), "--bind=" + bind}, "echo ran");
      CHECK(asked.exit_status == 125);
    }
    const ProgramResult ran = run(uid, {"--bind=" + bind}, "echo ran");
    CHECK(ran.exit_status == 125);
    CHECK(ran.out.empty());
    return ran.err;
  }
  [[nodiscard]] struct stat status(const std::string& name) const {
    struct stat found {};
    CHECK(lstat(at(name).c_str(), &found) == 0);
    return found;
  }

 private:
  void own(const std::string& name, uid_t uid, gid_t gid, mode_t mode) const {
    REQUIRE(chown(at(name).c_str(), uid, gid) == 0);
    REQUIRE(chmod(at(name).c_str(), mode) == 0);
  }

  const std::string top_ = "/var/tmp/sbx-granted-test." + std::to_string(getpid());
  const Sandbox place_;
  const OwnPolicies policies_{place_};
  std::string config() const {
    const std::string path = place_.directory() + "/config.yaml";
    write_file(path, "socket_group: nogroup\n");
    return path;
  }
  const bool prepared_ = prepare();
  Daemon daemon_{place_,
                 {"--config", config()},
                 top_ + ".sock",
                 policies_.wrapper("mount -t tmpfs -o mode=0700 none '" + at("holed/a place") + "'")};
};

void check_holds(const std::string& text, const std::string& part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, text);
}

}  // namespace

TEST_CASE("what the policy grants is shown, and no more of it than the client may read") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  const std::string shared = "--bind=" + host.at("shared") + ":/data";
  const ProgramResult read =
      host.run(kAlice, {shared}, "id -u; cat /data/file; cat /data/secret; ls /data/closed");
  CHECK(read.out == "1000\nfor all\n");
  check_holds(read.err, "/data/secret: Permission denied");
  check_holds(read.err, "'/data/closed': Permission denied");
  CHECK(host.run(kAlice, {shared}, "echo x >/data/new || echo x >>/data/file").exit_status != 0);
  // In a copy it may change what it may read.
  const ProgramResult copy =
      host.run(kAlice, {shared + ":cow"}, "mkdir /data/new && ls /data; cat /data/secret");
  check_holds(copy.err, "/data/secret: Permission denied");
  CHECK(copy.out == "closed\nfile\nnew\nsecret\n");
  CHECK_FALSE(fs::exists(host.at("shared/new")));
  // Somebody's own files are hers inside, and others' not his.
  const std::string own = "--bind=" + host.at("alice") + ":/mine";
  const ProgramResult hers =
      host.run(kAlice, {own + ":rw"}, "cat /mine/own; echo new >/mine/new; ls -ld /mine/private");
  CHECK(hers.out.starts_with("alice's\ndrwx------"));
  CHECK(host.status("alice/new").st_uid == 4001);
  CHECK(host.status("alice/new").st_gid == 4001);
  const ProgramResult his = host.run(kBob, {own}, "ls /mine; cat /mine/own");
  CHECK(his.out == "new\nown\nprivate\n");
  check_holds(his.err, "/mine/own: Permission denied");
  CHECK(host.run(kAlice, {"--here=rw"}, "pwd; cat own; rm new").out == "/workspace/project_files\nalice's\n");
  CHECK_FALSE(fs::exists(host.at("alice/new")));
  CHECK(host.run(kAlice, {"--bind=./own:/file"}, "cat /file").out == "alice's\n");
}

TEST_CASE("what the policy does not grant is refused, whatever is there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  for (const std::string& path : {std::string("/etc"), host.at(""), host.at("shared-not"),
                                  std::string("/no/such"), host.at("daemon")}) {
    CAPTURE(path);
    check_holds(host.refusal(kAlice, path + ":/data"), "show nothing of the host there");
  }
  check_holds(host.refusal(kAlice, host.at("shared") + ":/data:rw"), "read-only, or as a copy");
  check_holds(host.refusal(kAlice, host.at("shared/../shared-not") + ":/data"), "'..'");
  // For some alone.
  CHECK(host.run("1", {"--bind=" + host.at("daemon") + ":/data"}, "ls /data").exit_status == 0);
  check_holds(host.refusal(kBob, host.at("daemon") + ":/data"), "may not read it");
  check_holds(host.refusal(kBob, host.at("team") + ":/data"), "show nothing of the host there");
}

TEST_CASE("who is in its group has the group's rights; and its owner alone writes") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  const std::string groups = std::string("65534,") + kTeam;
  const std::string team = "--bind=" + host.at("team") + ":/data";
  CHECK(host.run(kAlice, {team}, "cat /data/plan; stat -c %g /data", groups).out == "the plan\n1000\n");
  const ProgramResult not_hers = host.run(kAlice, {team + ":rw"}, "true", groups);
  CHECK(not_hers.exit_status == 125);
  check_holds(not_hers.err, "only to the user that it belongs to");
  const std::string part = "--bind=" + host.at("team/hers") + ":/data:rw";
  CHECK(host.run(kAlice, {part}, "echo new >/data/new", groups).exit_status == 0);
  CHECK(host.status("team/hers/new").st_uid == 4001);
  CHECK(host.status("team/hers/new").st_gid == 4100);
}

TEST_CASE("a link, a directory put in another's place, and what may not be read or written are refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  fs::create_symlink(host.at("shared/closed"), host.at("alice/link"));
  fs::create_symlink("private", host.at("alice/short"));
  for (const char* link : {"alice/link", "alice/short", "alice/link/x"})
    check_holds(host.refusal(kAlice, host.at(link) + ":/data"), "passes a symbolic link");
  check_holds(host.refusal(kAlice, "/proc/self:/data"), "passes a symbolic link");
  check_holds(host.refusal(kAlice, host.at("shared/secret") + ":/data"), "may not read it");
  check_holds(host.refusal(kAlice, host.at("shared/closed") + ":/data"), "may not read it");
  check_holds(host.refusal(kAlice, host.at("shared/closed/x") + ":/data"), "permission denied");
  check_holds(host.refusal(kBob, host.at("alice") + ":/data:rw"), "may not write to it");
  check_holds(host.refusal(kBob, host.at("alice/private/none") + ":/data"), "permission denied");
  check_holds(host.refusal(kAlice, host.at("alice/none") + ":/data"), "no such file");
  // The granted directory itself.
  fs::rename(host.at("alice"), host.at("away"));
  fs::create_symlink(host.at("shared/closed"), host.at("alice"));
  const std::string line =
      "'" + program_directory() + "/sbxrun' --quiet --bind " + host.at("alice") + ":/data -- true";
  const ProgramResult moved =
      Host::as(kAlice, {"env", "SBX_SOCKET=" + host.daemon().socket(), "sh", "-c", line});
  CHECK(moved.exit_status == 125);
  check_holds(moved.err, "passes a symbolic link");
}

TEST_CASE("a place in another bind is looked for with the client's rights") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  host.make("shared/closed/there", 0, 0, 0755);
  const std::string outer = "--bind=" + host.at("shared") + ":/data";
  for (const char* name : {"there", "missing"}) {
    const ProgramResult refused =
        host.run(kAlice, {outer, "--bind=" + host.at("alice") + ":/data/closed/" + name}, "true");
    CHECK(refused.exit_status == 125);
    check_holds(refused.err, "permission denied");
  }
}

TEST_CASE("where something is mounted below, what that covers is not shown") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  for (const char* rest : {":/data", ":/data:cow", "/:/data"})
    check_holds(host.refusal(kAlice, host.at("holed") + rest), "/holed/a place' is mounted in it");
}

TEST_CASE("a sandbox with binds is its maker's alone, and so are binds of a configuration") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  const json binds{{{"host", host.at("alice")}, {"inside", "/mine"}}};
  const std::string stored = "/v1/projects/web/configurations/dev";
  CHECK(host.ask(kAlice, stored, {{"binds", binds}}, {"-X", "PUT"})["name"] == "dev");
  const json request{{"project_id", "web"}, {"configuration", "dev"}, {"task_id", "t"}};
  CHECK(host.ask(kAlice, "/v1/sandboxes", request)["binds"][0]["inside"] == "/mine");
  const HttpAnswer roots =
      host.daemon().post("/v1/sandboxes", {{"project_id", "web"}, {"configuration", "dev"}});
  CHECK(roots.status == 422);
  check_holds(roots.body["detail"], "for who stored it");
  CHECK(host.ask(kBob, "/v1/sandboxes/task:t/exec?wait", {{"shell", "cat /mine/own"}})["status"] == 404);
}

TEST_CASE("a bind in a project is looked for with ours: the project is nobody's outside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  CHECK(host.run(kAlice, {"--project=p"}, "mkdir -m 700 d d/e").exit_status == 0);
  const std::string inside = ":/workspace/agent_workspace/d/e";
  CHECK(host.run(kAlice, {"--project=p", "--bind=" + host.at("shared") + inside}, "cat d/e/file").out ==
        "for all\n");
  const ProgramResult missing =
      host.run(kAlice, {"--project=p", "--bind=" + host.at("shared") + inside + "/f"}, "true");
  CHECK(missing.exit_status == 125);
  check_holds(missing.err, "'agent_workspace/d/e/f' is missing");
}

TEST_CASE("sandboxes and runs of the API have binds, and of root's only what is granted, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Host host;
  const json binds{{{"host", host.at("shared")}, {"inside", "/data"}},
                   {{"host", host.at("alice")}, {"inside", "/mine"}, {"mode", "rw"}}};
  const json made = host.ask(kAlice, "/v1/sandboxes", {{"binds", binds}});
  INFO(made.dump());
  REQUIRE(made["state"] == "ready");
  CHECK(made["binds"] == json{{{"host", host.at("shared")}, {"inside", "/data"}, {"mode", "ro"}},
                              {{"host", host.at("alice")}, {"inside", "/mine"}, {"mode", "rw"}}});
  const std::string path = "/v1/sandboxes/" + made["id"].get<std::string>();
  const auto look = [&] {
    const json seen =
        host.ask(kAlice, path + "/exec?wait", {{"shell", "cat /data/file /mine/own; cat /data/secret"}});
    CHECK(seen["stdout"]["text"] == "for all\nalice's\n");
  };
  look();
  CHECK(host.ask(kAlice, path + "/reset", json::object())["state"] == "ready");
  look();
  const json run = host.ask(kAlice, "/v1/runs?wait", {{"shell", "cat /data/file"}, {"binds", binds}});
  CHECK(run["stdout"]["text"] == "for all\n");
  // Bob's rights are not Alice's; and what the API says of root it may have made up.
  const json bobs = host.ask(kBob, "/v1/runs?wait", {{"shell", "true"}, {"binds", binds}});
  CHECK(bobs["outcome"] == "setup_failed");
  check_holds(bobs["message"], "may not write to it");
  const json etc{{{"host", "/etc"}, {"inside", "/data"}}};
  const json roots = host.daemon().post("/v1/runs?wait", {{"shell", "true"}, {"binds", etc}}).body;
  check_holds(roots["message"], "show nothing of the host there");
  const HttpAnswer refused = host.daemon().post("/v1/sandboxes", {{"binds", etc}});
  CHECK(refused.status == 422);
  check_holds(refused.body["detail"], "show nothing of the host there");
  for (const json& bad :
       {json{{"host", "etc"}, {"inside", "/x"}}, json{{"host", "/etc"}},
        json{{"host", "/etc"}, {"inside", "/x"}, {"mode", "write"}},
        json{{"host", "/etc"}, {"inside", "/proc"}}, json{{"host", "/a/../b"}, {"inside", "/x"}}})
    CHECK(host.daemon().post("/v1/runs", {{"shell", "true"}, {"binds", json{bad}}}).status == 400);
}

}  // namespace sbx::test
