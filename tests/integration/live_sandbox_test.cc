// A sandbox of many commands.
#include "integration/nursery.h"

namespace sbx::test {

using nlohmann::json;

TEST_SUITE_BEGIN("v2");

TEST_CASE("many commands run in one sandbox, and files stay between them") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  LiveSandboxClient sandbox = nursery.create();
  CHECK(sandbox.output("echo hello; echo kept >/tmp/file; pwd") == "hello\n/workspace/agent_workspace\n");
  CHECK(sandbox.output("cat /tmp/file; id -u") == "kept\n1000\n");
  const json failed = sandbox.shell("echo no >&2; exit 3");
  CHECK(failed["exit_code"] == 3);
  CHECK(failed["stderr"]["text"] == "no\n");
  CHECK(sandbox.shell("kill -9 $$")["signal"] == "SIGKILL");
  CHECK(sandbox.start({"/no/such/program"}).result()["outcome"] == "setup_failed");
  CHECK(sandbox.output("cat /tmp/file") == "kept\n");
  // The sandbox's filter is there, and init's leave for clone3 is init's alone.
  CHECK(sandbox.shell("touch /tmp/set; chmod u+s /tmp/set")["exit_code"] == 1);
  CHECK(sandbox.output("python3 -c 'import ctypes; c = ctypes.CDLL(None, use_errno=True); "
                       "c.syscall(435, 0, 0); print(ctypes.get_errno())'") == "38\n");  // ENOSYS
  sandbox.destroy();
  CHECK(place.log_lines().size() == 8);
}

TEST_CASE("commands run at once") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  LiveSandboxClient sandbox = nursery.create();
  std::vector<Command> commands;
  for (int i = 0; i < 20; ++i)
    commands.push_back(sandbox.start_shell("echo " + std::to_string(i) + "; touch /tmp/at." +
                                           std::to_string(i) +
                                           "; until [ -e /tmp/go ]; do sleep 0.01; done"));
  CHECK(sandbox.output(
            "until [ $(ls /tmp/at.* | wc -l) = 20 ]; do sleep 0.01; done; touch /tmp/go; echo all") ==
        "all\n");
  for (int i = 0; i < 20; ++i)
    CHECK(commands[static_cast<std::size_t>(i)].result()["stdout"]["text"] == std::to_string(i) + "\n");
  sandbox.destroy();
}

TEST_CASE("a command that has to be killed is killed with all it started, and alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  LiveSandboxClient sandbox = nursery.create();
  Command other = sandbox.start_shell("until [ -e /tmp/go ]; do sleep 0.01; done; echo fine");
  RunRequest slow;
  slow.command = {"sh", "-c", "(setsid sh -c 'sleep 1000' &) ; sleep 1000"};
  slow.limits.wall_ms = 300;
  CHECK(sandbox.start(slow).result()["outcome"] == "timed_out");
  RunRequest loud = slow;
  loud.limits = {};
  loud.limits.output_bytes = 1000;
  loud.streams = {StreamMode::null, StreamMode::capture, StreamMode::capture};
  loud.command = {"sh", "-c", "yes"};
  CHECK(sandbox.start(loud).result()["outcome"] == "output_limit");
  RunRequest busy = slow;
  busy.limits = {};
  busy.limits.cpu_ms = 200;
  busy.command = {"sh", "-c", "while :; do :; done"};
  CHECK(sandbox.start(busy).result()["outcome"] == "cpu_time_exceeded");
  Command left = sandbox.start_shell("sleep 1000");
  left.go_away();
  // Nobody's but `other`'s shell and its sleep, and this one's.
  CHECK(sandbox.output(
            "until [ $(cat /proc/[0-9]*/comm | grep -c sleep) -le 1 ]; do sleep 0.02; done; echo alone") ==
        "alone\n");
  CHECK(sandbox.output("touch /tmp/go; echo still here") == "still here\n");
  CHECK(other.result()["stdout"]["text"] == "fine\n");
  sandbox.destroy();
}

TEST_CASE("a command that runs out of the sandbox's memory is killed alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  RunRequest request;
  request.limits.memory_bytes = 64U << 20U;
  LiveSandboxClient sandbox = nursery.create(request);
  // One that needs no memory meanwhile: where there is none, it would fail by itself.
  Command other = sandbox.start_shell("mkfifo /tmp/go; touch /tmp/up; read line </tmp/go; echo $line");
  (void)sandbox.output("until [ -e /tmp/up ]; do sleep 0.01; done");
  for (int i = 0; i < 2; ++i) {
    const json result = sandbox.start({"/usr/bin/python3", "-c", "x = bytearray(200 << 20)"}).result();
    CHECK(result["outcome"] == "out_of_memory");
    CHECK(result["limits_hit"].dump().find("memory_bytes") != std::string::npos);
  }
  // With all it started: its shell would go on.
  RunRequest child;
  child.command = {"sh", "-c", "/usr/bin/python3 -c 'x = bytearray(200 << 20)'; sleep 600"};
  child.limits.wall_ms = 30'000;
  CHECK(sandbox.start(child).result()["outcome"] == "out_of_memory");
  CHECK(sandbox.output("echo fine >/tmp/go; echo still here") == "still here\n");
  const json still = other.result();
  INFO(still.dump());
  CHECK(still["stdout"]["text"] == "fine\n");
  sandbox.destroy();
}

TEST_CASE("what a command leaves running goes on where the policy says so, and else is killed with it") {
  SKIP_UNLESS(is_root(), "needs root");
  for (const bool stays : {true, false}) {
    CAPTURE(stays);
    const Sandbox place;
    const Nursery nursery(place);
    RunRequest request;
    request.policy = stays ? "default" : "strict";
    LiveSandboxClient sandbox = nursery.create(request);
    const std::string script =
        "setsid sh -c 'touch /tmp/up; while :; do sleep 0.05; done' >/dev/null 2>&1 & "
        "until [ -e /tmp/up ]; do sleep 0.01; done; echo $!";
    const std::string pid = sandbox.output(script);
    const json seen = sandbox.shell("kill -0 " + pid.substr(0, pid.size() - 1));
    CHECK((seen["exit_code"] == 0) == stays);
    sandbox.destroy();
  }
}

TEST_CASE("a sandbox is paused, and goes on") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  LiveSandboxClient sandbox = nursery.create();
  sandbox.say(KeeperMessageType::pause);
  CHECK(sandbox.answer(KeeperMessageType::done).value == 0);
  Command command = sandbox.start_shell("echo on");
  CHECK_FALSE(command.ended(300));
  sandbox.say(KeeperMessageType::resume);
  CHECK(sandbox.answer(KeeperMessageType::done).value == 0);
  CHECK(command.result()["stdout"]["text"] == "on\n");
  // And also while it is paused it can be destroyed.
  sandbox.say(KeeperMessageType::pause);
  CHECK(sandbox.answer(KeeperMessageType::done).value == 0);
  sandbox.destroy();
}

TEST_CASE("a sandbox that is stopped has its grace, and no longer") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  for (const bool obeys : {true, false}) {
    CAPTURE(obeys);
    LiveSandboxClient sandbox = nursery.create();
    Command command = sandbox.start_shell(std::string("trap '") + (obeys ? "echo bye; exit 4" : "") +
                                          "' TERM; touch /tmp/up; while :; do sleep 0.02; done");
    (void)sandbox.output("until [ -e /tmp/up ]; do sleep 0.01; done");
    sandbox.say(KeeperMessageType::stop, obeys ? 30'000 : 200);
    const json result = command.result();
    CHECK(result["outcome"] == (obeys ? "exited" : "cancelled"));
    CHECK(result["exit_code"] == (obeys ? json(4) : json()));
    CHECK(sandbox.answer(KeeperMessageType::ended).value == 0);
  }
}

TEST_CASE("a sandbox whose supervisor goes away is gone, and its command recorded") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  {
    const Nursery nursery(place);
    LiveSandboxClient sandbox = nursery.create();
    Command command = sandbox.start_shell("touch /tmp/up; sleep 1000");
    (void)sandbox.output("until [ -e /tmp/up ]; do sleep 0.01; done");
    sandbox.go_away();
    const json result = command.result();
    CHECK(result["outcome"] == "cancelled");
    CHECK(result["message"] == "the run was cancelled: its supervisor went away");
  }
  CHECK(place.leftovers() == "");
}

TEST_CASE("what cannot be made is told") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  RunRequest request;
  request.image = "no-such-image";
  const KeeperAnswer failed = nursery.ask(request).answer();
  CHECK(failed.type == KeeperMessageType::failed);
  CHECK(failed.text.find("no-such-image") != std::string::npos);
}

TEST_SUITE_END();

}  // namespace sbx::test
