#include <doctest/doctest.h>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {

TEST_CASE("a program's exit status is sbxrun's") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const ProgramResult result = sandbox.shell("echo out; echo err >&2; exit 3");
  CHECK(result.exit_status == 3);
  CHECK(result.out == "out\n");
  CHECK(result.err == "err\n");
}

TEST_CASE("a result object tells how the program ended") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const nlohmann::json result = sandbox.run_json({"--", "/bin/sh", "-c", "echo hi; exit 0"});
  CHECK(result["outcome"] == "exited");
  CHECK(result["stdout"]["text"] == "hi\n");
  CHECK(sandbox.log_lines().size() == 1);
}

}  // namespace sbx::test
