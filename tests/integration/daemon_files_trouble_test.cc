// Files of a living sandbox through sbxd's API: what goes wrong on the way, and those inside who want it to.
#include <algorithm>

#include "integration/daemon_files.h"

namespace sbx::test {
namespace {

// The helper as its neighbours in the sandbox find it, by trying every number.
constexpr const char* kFind =
    "p=0; for n in $(seq 2 4000); do [ $n != $$ ] && kill -0 $n 2>/dev/null && p=$n; done; ";

// A download of the file `big` that nobody takes, while `meanwhile` is called; then all of it is taken.
ProgramResult download(const Sandbox& place, const Files& files, const std::function<void()>& meanwhile) {
  const std::string begun = place.directory() + "/begun";
  const std::string go = place.directory() + "/go";
  (void)unlink(begun.c_str());
  (void)unlink(go.c_str());
  ProgramOptions how;
  how.after_start = [&](pid_t) {
    CHECK(comes_true([&] { return access(begun.c_str(), F_OK) == 0; }));
    meanwhile();
    write_file(go, "");
  };
  // "-N": what is there is there.
  return run_program(
      {"bash", "-c",
       "set -o pipefail; " + files.curl("?path=big") + " -N -o - | { head -c 1 >" + begun + ".x; mv " +
           begun + ".x " + begun + "; until [ -e " + go + " ]; do sleep 0.02; done; wc -c; }"},
      how);
}

constexpr int kPartialFile = 18;  // curl(1), EXIT CODES
// Runs a client that is killed when it has begun.
std::string killed() { return "timeout -s KILL " + std::to_string(2 * time_scale()) + " "; }

}  // namespace

TEST_SUITE_BEGIN("v2");

TEST_CASE("a file system that is full, a file that is too long, and memory that runs out are told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string big = place.directory() + "/big";
  REQUIRE(run_program({"sh", "-c", "head -c 40000000 /dev/zero >" + big}).exit_status == 0);
  struct Case {
    const char* limit;
    std::uint64_t bytes;
    const char* path;
    int status;
    const char* says;
  };
  for (const Case& one : {Case{"disk_bytes", 8U << 20U, "/workspace/outputs/", 507, "ENOSPC"},
                          Case{"tmp_bytes", 8U << 20U, "/tmp/", 507, "ENOSPC"},
                          Case{"fsize_bytes", 8U << 20U, "/tmp/", 413, "EFBIG"},
                          Case{"memory_bytes", 24U << 20U, "/tmp/", 507, "ran out of memory"}}) {
    CAPTURE(std::string(one.limit));
    const Files files(daemon, {{"limits", {{one.limit, one.bytes}}}});
    CHECK(files.put(std::string(one.path) + "old", "old").status == 201);
    for (const char* name : {"new", "old"}) {
      const HttpAnswer answer = files.ask("PUT", "?path=" + std::string(one.path) + name, {"-T", big});
      CHECK(answer.status == one.status);
      CHECK(answer.text.find(one.says) != std::string::npos);
    }
    // Nothing is left of it, and the sandbox lives on.
    CHECK(files.names(one.path) == std::vector<std::string>{"old"});
    CHECK(files.get(std::string(one.path) + "old").text == "old");
  }
}

TEST_CASE("a project's quota holds for what is uploaded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(
      daemon, {{"project_id", "p"}, {"policy", "permissive"}, {"limits", {{"disk_bytes", 20U << 20U}}}});
  const std::string big = place.directory() + "/big";
  REQUIRE(run_program({"sh", "-c", "head -c 40000000 /dev/urandom >" + big}).exit_status == 0);
  CHECK(files.ask("PUT", "?path=big", {"-T", big}).status == 507);
  CHECK(files.names("/workspace/agent_workspace").empty());
  CHECK(files.put("small", "small").status == 201);
}

TEST_CASE("an upload that is cut off leaves the file as it was") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  CHECK(files.put("f", "old").status == 201);
  // By a client that is killed: one that gives up may still say that this was all (curl -m).
  const ProgramResult result = files.upload(
      "f", [&] { CHECK(comes_true([&] { return daemon.processes("sbx-files").empty(); })); }, killed());
  CHECK(result.exit_status == 137);
  CHECK(files.names("/workspace/agent_workspace") == std::vector<std::string>{"f"});
  CHECK(files.get("f").text == "old");
  CHECK(files.upload("f", [] {}).exit_status == 0);
  CHECK(files.get("f").text == "onetwo");
}

TEST_CASE("a file that grows or shrinks while it is read has its length, or is cut off") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  (void)files.shell("head -c 16000000 /dev/zero >big");
  const auto ask = [&](const std::string& script) {
    return download(place, files, [&] { (void)files.shell(script); });
  };
  const ProgramResult grown = ask("head -c 1000000 /dev/zero >>big");
  CHECK(grown.exit_status == 0);
  CHECK(grown.out.starts_with("16000002"));  // but for the first one, and with the status "200"
  CHECK(ask(": >big").exit_status == kPartialFile);
}

TEST_CASE("a sandbox that ends cuts a download off, and is not there for the next one") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  (void)files.shell("head -c 16000000 /dev/zero >big");
  const ProgramResult result = download(
      place, files, [&] { CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + files.id()).status == 200); });
  CHECK(result.exit_status == kPartialFile);
  CHECK(files.get("big").status == 409);
}

TEST_CASE("a sandbox that is paused says so, and one whose files are used is not idle") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, {{"idle_ms", 2000 * time_scale()}});
  // Longer than that, and shorter than the server waits for a client.
  const std::chrono::seconds longer(std::min(4 * time_scale(), 25));
  const ProgramResult kept = files.upload("f", [&] { std::this_thread::sleep_for(longer); });
  CHECK(kept.out.ends_with("201"));
  CHECK(files.get("f").text == "onetwo");
  CHECK(daemon.ask("POST", "/v1/sandboxes/" + files.id() + "/pause").status == 200);
  for (const char* method : {"GET", "DELETE"}) {
    const HttpAnswer answer = files.ask(method, "?path=f");
    CHECK(answer.status == 409);
    CHECK(answer.body["detail"] == "the sandbox is paused");
  }
  CHECK(daemon.ask("POST", "/v1/sandboxes/" + files.id() + "/resume").status == 200);
  CHECK(files.get("f").text == "onetwo");
  // And what was on its way waits for the resume.
  const ProgramResult paused = files.upload("g", [&] {
    CHECK(daemon.ask("POST", "/v1/sandboxes/" + files.id() + "/pause").status == 200);
    CHECK(daemon.ask("POST", "/v1/sandboxes/" + files.id() + "/resume").status == 200);
  });
  CHECK(paused.out.ends_with("201"));
  // Idle at last.
  CHECK(comes_true([&] { return daemon.get("/v1/sandboxes/" + files.id()).body["state"] == "destroyed"; }));
}

TEST_CASE("so many at once, and no more") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  const std::string go = place.directory() + "/go";
  ProgramOptions how;
  HttpAnswer refused;
  how.after_start = [&](pid_t) {
    CHECK(comes_true([&] { return daemon.processes("sbx-files").size() == 16; }));
    refused = files.get("f1");
    write_file(go, "");
  };
  const ProgramResult result = run_program(
      {"sh", "-c",
       "for i in $(seq 16); do { until [ -e " + go + " ]; do sleep 0.02; done; echo $i; } | " +
           replaced(files.curl("?path=fNUMBER"), "fNUMBER'", "f'$i") + " -o /dev/null -T - & done; wait"},
      how);
  CHECK(refused.status == 429);
  CHECK(result.out.size() == 48);
  CHECK(files.shell("cat f* | sort -n | tail -1") == "16\n");
}

TEST_CASE("the sandbox's own processes can end the helper, and not look into it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, {{"policy", "permissive"}});
  // Each word: what could be done to process $p.
  const std::string attack =
      "(exec 3</proc/$p/mem) 2>/dev/null && echo memory; ls /proc/$p/fd >/dev/null 2>&1 && echo descriptors; "
      "(exec 3>/proc/$p/fd/1) 2>/dev/null && echo output; "
      "python3 - $p <<'END'\n"
      "import ctypes, os, sys\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "pid = int(sys.argv[1])\n"
      "if libc.ptrace(16, pid, 0, 0) == 0: print('ptrace'); os.waitpid(pid, 0x40000000); libc.ptrace(17, "
      "pid, 0, 0)\n"
      "fd = libc.syscall(434, pid, 0)\n"
      "if libc.syscall(438, fd, 1, 0) >= 0: print('pidfd_getfd')\n"
      "END\n";
  // The control: a child of one's own.
  const std::string own = files.shell("sleep 100 >/tmp/own & p=$!; until [ -r /proc/$p/exe ]; do :; done; " +
                                      attack + "kill -9 $p");
  CHECK(own.starts_with("memory\ndescriptors\noutput\n"));
  std::string done = "not tried";
  const ProgramResult result = files.upload("f", [&] {
    done = files.shell(kFind + std::string("echo $p >/tmp/pid; ") + attack + "true");
    CHECK(files.shell("[ $(cat /tmp/pid) -gt 0 ] && kill -0 $(cat /tmp/pid) && echo there") == "there\n");
  });
  CHECK(done == "");
  CHECK(result.out.ends_with("201"));
  CHECK(files.get("f").text == "onetwo");
  // What they may: its end is told, and of the file nothing is there.
  const ProgramResult shot = files.upload("g", [&] { (void)files.shell(kFind + std::string("kill -9 $p")); });
  CHECK(shot.out.find("was killed by signal 9") != std::string::npos);
  CHECK(shot.out.ends_with("500"));
  CHECK(files.names("/workspace/agent_workspace") == std::vector<std::string>{"f"});
  // Stopped, it ends with its client.
  const ProgramResult stopped = files.upload(
      "h", [&] { (void)files.shell(kFind + std::string("kill -STOP $p")); }, killed());
  CHECK(stopped.exit_status == 137);
  CHECK(comes_true([&] { return daemon.processes("sbx-files").empty(); }));
}

TEST_CASE("directories that move under a write take it along, and lead it nowhere") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const Files files(daemon, json::object());
  (void)files.shell("mkdir -p a/b /tmp/trap/b");
  const ProgramResult result = files.upload("a/b/f", [&] { (void)files.shell("mv a c; ln -s /tmp/trap a"); });
  CHECK(result.out.ends_with("201"));
  CHECK(files.get("c/b/f").text == "onetwo");
  CHECK(files.names("/tmp/trap/b").empty());
  // One that is gone takes nothing.
  const ProgramResult gone = files.upload("c/b/g", [&] { (void)files.shell("rm -r c"); });
  CHECK(gone.out.ends_with("404"));
}

TEST_SUITE_END();

}  // namespace sbx::test
