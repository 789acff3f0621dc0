// Why a run failed: what the result, the monitor log and standard error say of it.
#include "integration/daemon.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {

TEST_SUITE_BEGIN("v2");

namespace {

using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

json failure_of(const Sandbox& sandbox, Strings options, const std::string& script) {
  options.insert(options.end(), {"--", "/bin/sh", "-c", script});
  return sandbox.run_json(options)["failure"];
}

}  // namespace

TEST_CASE("a failure is told from the signal, the status, the limit or the output, and a success has none") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(failure_of(sandbox, {}, "echo 'main.sh: 1: x: not found' >&2").is_null());
  json failure = failure_of(sandbox, {}, "kill -SEGV $$");
  CHECK(failure["class"] == "segmentation_fault");
  CHECK(failure["from"] == "kernel");
  failure = failure_of(sandbox, {}, "echo 'Segmentation fault' >&2; nosuchtool --version");
  CHECK(failure["class"] == "missing_command");
  CHECK(failure["from"] == "output");
  CHECK(failure["subject"] == "nosuchtool");
  CHECK(failure["evidence"]["stream"] == "stderr");
  CHECK(holds(failure["hint"].get<std::string>(), "'nosuchtool'"));
  failure = failure_of(sandbox, {}, "exit 3");
  CHECK(failure["class"] == "unknown");
  CHECK(failure["from"] == "exit_code");
  failure =
      failure_of(sandbox, {"--tmp", "1M"}, "echo 'x: Permission denied' >&2; head -c 3M /dev/zero >/tmp/x");
  CHECK(failure["class"] == "disk_full");
  CHECK(failure["from"] == "kernel");
  CHECK(holds(failure["hint"].get<std::string>(), "--tmp"));
}

TEST_CASE("output that is passed on is not read; the hint of a limit is on standard error, unless --quiet") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string file = sandbox.directory() + "/result.json";
  const Strings command{"--", "/bin/sh", "-c", "nosuchtool"};
  Strings words{"--direct", "--result", file};
  words.insert(words.end(), command.begin(), command.end());
  CHECK(!holds(sandbox.sbxrun(words).err, "PATH"));
  const json failure = json::parse(read_file(file))["failure"];
  CHECK(failure["output_read"] == false);
  CHECK(failure["class"] == "missing_command");
  CHECK(failure["from"] == "exit_code");
  const Strings slow{"--direct", "--wall-time", "200ms", "--", "/bin/sleep", "600"};
  const std::string said = sandbox.sbxrun(slow).err;
  CHECK(holds(said, "sbxrun: the limit of wall time is 200ms; --wall-time gives more"));
  Strings quiet{"--quiet"};
  quiet.insert(quiet.end(), slow.begin(), slow.end());
  CHECK(sandbox.sbxrun(quiet).err.empty());
}

TEST_CASE("the monitor log has the class of a failure and no word of the program") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const json failure = failure_of(sandbox, {}, "x=secret; ${x}word");
  CHECK(failure["subject"] == "secretword");
  const std::string log = read_file(sandbox.log());
  CHECK(holds(log, "\"class\":\"missing_command\""));
  CHECK(!holds(log, "secretword"));
}

TEST_CASE("a supervisor that stays tells failures, too, of runs and commands whose output it does not hold") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox place;
  const Daemon daemon(place);
  const std::string sandbox = daemon.create();
  for (const std::string& path : {std::string("/v1/runs"), "/v1/sandboxes/" + sandbox + "/exec"}) {
    CAPTURE(path);
    const std::string long_output =
        "i=0; while [ $i -lt 3000 ]; do echo a line of words that fill the pipe >&2; i=$((i+1)); done; ";
    const HttpAnswer answer =
        daemon.post(path + "?wait", {{"command", json{"/bin/sh", "-c", long_output + "nosuchtool"}}});
    INFO(answer.text);
    REQUIRE(answer.status == 200);
    CHECK(answer.body["failure"]["class"] == "missing_command");
    CHECK(answer.body["failure"]["subject"] == "nosuchtool");
    const HttpAnswer good = daemon.post(path + "?wait", {{"command", json{"/bin/true"}}});
    CHECK(good.body["failure"].is_null());
  }
}

TEST_SUITE_END();

}  // namespace sbx::test
