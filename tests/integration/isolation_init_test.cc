// PID 1 of a sandbox: no workload can end it or hold it up, and it leaves no zombie. That it cannot be
// inspected, signalled or limited is in tests/security/attacks/init.cc and init_signals.cc.
#include <filesystem>

#include "isolation.h"
#include "support/process_tree.h"

namespace sbx::test {
namespace {

namespace fs = std::filesystem;

std::string foreign_descriptors(pid_t pid) {
  std::string list;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    const bool harmless = gone || target == "/dev/null" || target == "/null" ||
                          target.starts_with("socket:") || target.starts_with("anon_inode:");
    if (!harmless) list += entry.path().filename().string() + " is " + target + "\n";
  }
  return list;
}

}  // namespace

TEST_CASE("a run under attack ends with its true verdict") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const nlohmann::json result =
      sandbox.run_json({bind_probes(), "--", "/bin/sh", "-c",
                        kProbes + "/attacks run victim=1 >/dev/null; kill -9 1 2>/dev/null; exit 7"});
  CHECK(result["outcome"] == "exited");
  CHECK(result["exit_code"] == 7);
}

// A program that calls PTRACE_TRACEME, as some do to see whether somebody debugs them, and then `rest`.
nlohmann::json run_traced(const Sandbox& sandbox, const std::string& rest) {
  const std::string head =
      "import ctypes, os, signal, threading\ntrace_me = lambda: ctypes.CDLL(None).ptrace(0, 0, 0, 0)\n"
      "print(trace_me(), flush=True)\n";
  return sandbox.run_json({"--timeout=5s", "--", "/usr/bin/python3", "-c", head + rest});
}

TEST_CASE("a program that makes init its tracer does not choose its verdict") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // Init hears of every signal of a child that asked to be traced, as of one that stopped (ptrace(2)).
  const auto stopped = run_traced(sandbox, "os.kill(os.getpid(), signal.SIGSTOP)\nos._exit(7)\n");
  CHECK(stopped["stdout"]["text"] == "0\n");
  CHECK(stopped["outcome"] == "timed_out");
  const auto killed = run_traced(sandbox, "os.kill(os.getpid(), signal.SIGSEGV)\nos._exit(7)\n");
  CHECK(killed["outcome"] == "signaled");
  CHECK(killed["signal"] == "SIGSEGV");
}

TEST_CASE("a program that makes init its tracer goes on") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const std::string rest :
       {"os.kill(os.getpid(), signal.SIGWINCH)\nos._exit(7)\n",
        "signal.signal(signal.SIGUSR1, lambda *_: os._exit(7))\nos.kill(os.getpid(), signal.SIGUSR1)\n",
        // exec stops a traced process by a SIGTRAP that is meant for its tracer.
        "os.execv('/bin/sh', ['sh', '-c', 'exit 7'])\n",
        "trace = threading.Thread(target=trace_me)\ntrace.start()\ntrace.join()\n"
        "os.kill(os.getpid(), signal.SIGWINCH)\nos._exit(7)\n"}) {
    CAPTURE(rest);
    const auto result = run_traced(sandbox, rest);
    CHECK(result["stdout"]["text"] == "0\n");
    CHECK(result["outcome"] == "exited");
    CHECK(result["exit_code"] == 7);
  }
}

TEST_CASE("a signal to everybody does not reach init") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // The command itself sends it: there is nobody else but init.
  const nlohmann::json alone = sandbox.run_json({"--", "/bin/sh", "-c", "kill -KILL -1; exit 7"});
  CHECK(alone["outcome"] == "exited");
  CHECK(alone["exit_code"] == 7);
  CHECK(std::string(alone["stderr"]["text"]).find("No such process") != std::string::npos);
  // A child sends it: the command dies of it, and that is the verdict.
  const nlohmann::json killed =
      sandbox.run_json({"--", "/bin/sh", "-c", "(kill -KILL -1); while :; do sleep 1; done"});
  CHECK(killed["outcome"] == "signaled");
  CHECK(killed["signal"] == "SIGKILL");
}

TEST_CASE("init's descriptors are the sandbox's own and its socket") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  Background run(sbxrun_command(sandbox, {"--", "/bin/sh", "-c", "echo ready; read line"}));
  REQUIRE(run.wait_for("ready"));
  const pid_t init = find_program(run.pid(), Program::init);
  // It closes the command's descriptors a moment after the command started.
  std::string foreign;
  (void)wait_until(milliseconds(5000), [&] {
    foreign = foreign_descriptors(init);
    return foreign.empty();
  });
  CHECK(foreign == "");
}

TEST_CASE("orphans are reaped and die with the run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result = sandbox.run({bind_probes(), "--", kProbes + "/orphans", "50", "5"});
  CHECK(result.out == "zombies=0\n");
  CHECK(result.exit_status == 7);
}

TEST_CASE("a daemon in a session of its own dies with the run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string mark = unique_duration();
  const ProgramResult result = sandbox.shell("(setsid sleep " + mark + " >/dev/null 2>&1 &) ; exit 5");
  CHECK(result.exit_status == 5);
  CHECK(wait_until(milliseconds(2000), [&] { return processes_with("sleep\0" + mark).empty(); }));
  CHECK(processes_with(mark).empty());
}

TEST_CASE("a daemon that holds the output open does not hold up the run") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const auto start = std::chrono::steady_clock::now();
  const ProgramResult result = sandbox.shell("echo said; (setsid sleep 300 &) ; exit 5");
  CHECK(result.exit_status == 5);
  CHECK(result.out == "said\n");
  CHECK(std::chrono::steady_clock::now() - start < scaled(milliseconds(20'000)));
}

TEST_CASE("a storm of orphans does not hide the end of the command") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string storm =
      "for i in 1 2 3 4 5 6 7 8; do (while :; do (true &) ; done) & done; sleep 1; exit 7";
  const nlohmann::json result = sandbox.run_json({"--wall-time=120", "--", "/bin/sh", "-c", storm});
  CHECK(result["outcome"] == "exited");
  CHECK(result["exit_code"] == 7);
}

TEST_CASE("init's program cannot be reached from inside") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(said_inside(sandbox, "test -e /proc/1 || echo hidden") == "hidden");
  CHECK(said_inside(sandbox, "ls -l /proc/[0-9]*/exe").find("memfd") == std::string::npos);
}

}  // namespace sbx::test
