// sbxrun through sbxd's socket: the same flags, streams, exit statuses and results.
#include "integration/daemon.h"
#include "integration/terminal_run.h"

namespace sbx::test {

TEST_CASE("sbxrun uses the socket when it is there, and is as without") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  ProgramOptions input;
  input.input = "from the caller\n";
  const ProgramResult passed = daemon.sbxrun({"--", "sh", "-c", "cat; echo err >&2; exit 7"}, input);
  CHECK(passed.exit_status == 7);
  CHECK(passed.out == "from the caller\n");
  CHECK(passed.err == "err\n");
  const json result = json::parse(daemon.sbxrun({"--json", "--task", "t", "--", "echo", "hi"}).out);
  CHECK(result["mode"] == "supervisor");
  CHECK(result["task_id"] == "t");
  CHECK(result["stdout"]["text"] == "hi\n");
  CHECK(daemon.sbxrun({"--", "/no/such"}).exit_status == 127);
  CHECK(daemon.sbxrun({"--wall-time", "200ms", "--", "sleep", "100"}).exit_status == 124);
  CHECK(daemon.sbxrun({"--memory", "100000G", "--", "true"}).exit_status == 125);
  CHECK(daemon.sbxrun({"--policy", "nothing", "--", "true"}).exit_status == 2);
  const ProgramResult placed = daemon.sbxrun({"--state-dir", "/tmp/x", "--", "true"});
  CHECK(placed.exit_status == 125);
  CHECK(placed.err.find("--state-dir: a running supervisor has its own") != std::string::npos);
  ProgramOptions ended;
  ended.after_start = [](pid_t pid) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    (void)kill(pid, SIGTERM);
  };
  CHECK(daemon.sbxrun({"--quiet", "--", "sleep", "100"}, ended).exit_status == 143);
}

TEST_CASE("what sbxrun runs takes a place, and its memory") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const std::string config = place.directory() + "/config.yaml";
  write_file(config, "max_sandboxes: 2\nadmission: {memory: 1G}\n");
  const Daemon daemon(place, {"--config", config});
  const auto health = [&] { return daemon.get("/v1/health/ready").body; };
  ProgramOptions how;
  how.environment.emplace_back("SBX_SOCKET", daemon.socket());
  how.after_start = [&](pid_t pid) {
    CHECK(comes_true([&] { return health()["memory_bytes"] == 600U << 20U; }));
    CHECK(health()["sandboxes"] == 1);
    const HttpAnswer full = daemon.post("/v1/sandboxes", json::object());  // 512M
    CHECK(full.status == 429);
    const std::string id = daemon.create({{"limits", {{"memory_bytes", 64U << 20U}}}});
    const ProgramResult second = daemon.sbxrun({"--memory=10M", "--", "true"});
    CHECK(second.exit_status == 125);
    CHECK(second.err.find("max_sandboxes") != std::string::npos);
    CHECK(daemon.ask("DELETE", "/v1/sandboxes/" + id).status == 200);
    (void)kill(pid, SIGKILL);
  };
  (void)run_program({program_directory() + "/sbxrun", "--memory=600M", "--", "sleep", "1000"}, how);
  CHECK(comes_true([&] { return health()["sandboxes"] == 0 && health()["memory_bytes"] == 0; }));
  CHECK(daemon.sbxrun({"--quiet", "--", "echo", "again"}).out == "again\n");
}

TEST_CASE("sbxrun runs a command in a living sandbox") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  (void)daemon.create({{"task_id", "task"}});
  CHECK(daemon.sbxrun({"--sandbox", "task:task", "--", "sh", "-c", "echo kept >/tmp/file; exit 3"})
            .exit_status == 3);
  CHECK(daemon.sbxrun({"--sandbox", "task:task", "--", "cat", "/tmp/file"}).out == "kept\n");
  const ProgramResult tty = run_program(
      {"script", "-qec",
       program_directory() + "/sbxrun --socket " + daemon.socket() + " --sandbox task:task -t -- tty",
       "/dev/null"});
  CHECK(tty.out.find("/dev/pts/") != std::string::npos);
  const ProgramResult missing = daemon.sbxrun({"--sandbox", "nothing", "--", "true"});
  CHECK(missing.exit_status == 125);
  CHECK(missing.err.find("there is no sandbox 'nothing'") != std::string::npos);
  const ProgramResult refused = daemon.sbxrun({"--sandbox", "task:task", "--memory", "1G", "--", "true"});
  CHECK(refused.exit_status == 125);
  CHECK(refused.err.find("--memory: belongs to the sandbox") != std::string::npos);
  for (const char* flag : {"--image=x", "--policy=strict", "--project=p", "--bind=/etc:/mnt", "--direct"})
    CHECK(daemon.sbxrun({"--sandbox", "task:task", flag, "--", "true"}).exit_status == 2);
}

TEST_CASE("the terminal of a command in a living sandbox has the size of the caller's, and follows it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  TerminalRun run({program_directory() + "/sbxrun", "--socket", daemon.socket(), "--sandbox", id, "-t", "--",
                   "/bin/sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done"},
                  {40, 100, 0, 0});
  CHECK(run.shows("40 100"));
  run.resize(50, 132);
  CHECK(run.shows("50 132"));
  run.type("\x03");
  CHECK(run.wait() == 130);
  CHECK(run.restored());
}

// As pipes they are not copied on their way: inside they are the same ones.
TEST_CASE("over the socket a program has its caller's own pipes") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string id = daemon.create();
  ProgramOptions input;
  input.input = "text";
  for (const std::string& where : {std::string(), "--sandbox=" + id}) {
    CAPTURE(where);
    const std::string sbxrun = program_directory() + "/sbxrun --socket=" + daemon.socket() + " " + where;
    const ProgramResult same =
        run_program({"sh", "-c",
                     "seen=$(readlink /proc/$$/fd/0 /proc/$$/fd/1); echo \"$seen\" >&2; " + sbxrun +
                         " -- sh -c 'seen=$(readlink /proc/$$/fd/0 /proc/$$/fd/1); echo \"$seen\"'"},
                    input);
    CHECK_MESSAGE(same.exit_status == 0, same.err);
    CHECK(same.out == same.err);
    CHECK(same.out.find("pipe:[") != std::string::npos);
  }
}

}  // namespace sbx::test
