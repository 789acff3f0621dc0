// A keeper of a sandbox that was made ahead believes neither the API nor the client.
#include "integration/nursery.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

TEST_CASE("a sandbox that was made for nobody is adopted once, with another name and environment") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  LiveSandboxClient sandbox = nursery.ask_warm();
  (void)sandbox.answer(KeeperMessageType::ready);
  RunRequest request;
  request.task_id = "t";
  request.sandbox_name = "sbx-t";
  request.environment = {{"A", "b"}};
  sandbox.adopt(request);
  const auto about = nlohmann::json::parse(sandbox.answer(KeeperMessageType::ready).text);
  CHECK(about["hostname"] == "sbx-t");
  CHECK(sandbox.output("hostname; echo $A") == "sbx-t\nb\n");
  request.sandbox_name = "sbx-other";
  sandbox.adopt(request);
  CHECK(sandbox.output("hostname") == "sbx-t\n");
  CHECK(sandbox.shell("true")["task_id"] == "t");
  CHECK(run_program({"hostname"}).out != "sbx-t\n");
  sandbox.destroy();
}

TEST_CASE("a sandbox that is nobody's runs nothing") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  LiveSandboxClient sandbox = nursery.ask_warm();
  (void)sandbox.answer(KeeperMessageType::ready);
  const Connection connection;
  sandbox.say(KeeperMessageType::command, 0, {connection.servers()});
  CHECK(sandbox.answer(KeeperMessageType::failed).text == "the sandbox is nobody's");
  CHECK(sandbox.answer(KeeperMessageType::ended).value == 0);
  CHECK(place.log_lines().empty());
}

TEST_CASE("who needs a sandbox that is made in another way does not get one that is there") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Nursery nursery(place);
  const auto with = [](auto change) {
    RunRequest request;
    change(request);
    return request;
  };
  for (const RunRequest& request :
       {with([](RunRequest& asked) { asked.limits.pids = 17; }),
        with([](RunRequest& asked) { asked.limits.memory_bytes = 64U << 20U; }),
        with([](RunRequest& asked) { asked.limits.tmp_bytes = 1U << 20U; }),
        with([](RunRequest& asked) { asked.policy = "strict"; }),
        with([](RunRequest& asked) { asked.image = "other"; }),
        with([](RunRequest& asked) { asked.project = "p"; }),
        with([](RunRequest& asked) { asked.hostname = "no/name"; }),
        with([](RunRequest& asked) { asked.policy = "./policy.yaml"; }),
        with([](RunRequest& asked) { asked.binds = {{.host = "/etc", .inside = "/mnt"}}; })}) {
    LiveSandboxClient sandbox = nursery.ask_warm();
    (void)sandbox.answer(KeeperMessageType::ready);
    sandbox.adopt(request);
    const KeeperAnswer refused = sandbox.answer(KeeperMessageType::failed);
    CHECK(refused.text != "");
    CHECK(sandbox.answer(KeeperMessageType::ended).value == 0);
  }
  // Nobody has no project, and no rights.
  for (const RunRequest& request :
       {with([](RunRequest& asked) { asked.project = "p"; }),
        with([](RunRequest& asked) { asked.policy = "./policy.yaml"; }),
        with([](RunRequest& asked) { asked.binds = {{.host = "/etc", .inside = "/mnt"}}; })}) {
    const LiveSandboxClient sandbox = nursery.ask_warm(request);
    CHECK(sandbox.answer(KeeperMessageType::failed).text != "");
  }
}

TEST_SUITE_END();

}  // namespace sbx::test
