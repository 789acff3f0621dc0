// sbxrun --check: what is wrong with the other options first, as a run would say it; then the doctor, for the
// policy and the places that they name.
#include <doctest/doctest.h>

#include <filesystem>

#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The options before and after --check, without and with a command; the same refusal as that of a run.
void check_refused(const Sandbox& sandbox, const Strings& options, int status, const std::string& words) {
  Strings before{"--check"};
  before.insert(before.end(), options.begin(), options.end());
  Strings after = options;
  for (const char* argument : {"--check", "--", "/bin/true"}) after.emplace_back(argument);
  for (const Strings& arguments : {before, after}) {
    const ProgramResult result = sandbox.sbxrun(arguments);
    INFO("said: " << result.err);
    CHECK(result.exit_status == status);
    CHECK(result.out.empty());
    CHECK(holds(result.err, words));
  }
}

}  // namespace

TEST_CASE("--check refuses what a run with the same options would refuse") {
  const Sandbox sandbox;
  check_refused(sandbox, {"-m", "0"}, 2, "--memory: '0'");
  check_refused(sandbox, {"-m", "9G"}, 125, "--memory 9G: above the ceiling of policy 'default' (8G)");
  check_refused(sandbox, {"--policy", "no-such"}, 2, "'no-such'");
  check_refused(sandbox, {"--policy", "/no/such.yaml"}, 2, "/no/such.yaml");
  check_refused(sandbox, {"--config", "/no/such.yaml"}, 2, "/no/such.yaml");
  check_refused(sandbox, {"--run-dir", "/tmp/a:b"}, 2, "run directory '/tmp/a:b'");
  check_refused(sandbox, {"--image", "no-such"}, 125, "no image 'no-such'");
  check_refused(sandbox, {"--bind", "/no/such:/data"}, 125, "/no/such");
  check_refused(sandbox, {"--bind", "/usr:/proc"}, 2, "/proc");
  check_refused(sandbox, {"--workspace-mode", "ephemeral"}, 2, "--project");
  check_refused(sandbox, {"--json", "--tty"}, 2, "--tty");
  check_refused(sandbox, {"--result", "/no/such/result.json"}, 2, "/no/such/result.json");
  check_refused(sandbox, {"--result", "fd:77"}, 2, "fd:77");
  check_refused(sandbox, {"--socket", sandbox.directory() + "/none"}, 125, "/none");
  check_refused(sandbox, {"--no-such"}, 2, "--no-such");
}

TEST_CASE("a seccomp profile with a mistake is an unreadable policy for every use of it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string policy = sandbox.directory() + "/mine.yaml";
  const std::string profile = sandbox.directory() + "/seccomp/mine.yaml";
  const std::string text = read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/default.yaml");
  write_file(policy, replaced(text, "\nseccomp: default", "\nseccomp: mine"));
  std::filesystem::create_directory(sandbox.directory() + "/seccomp");
  write_file(profile, "name: mine\ndescription: a mistake\ngroups: []\n");
  for (const Strings& action : {Strings{}, Strings{"--explain"}, Strings{"--dry-run"}, Strings{"--check"}}) {
    Strings arguments{"--policy", policy};
    arguments.insert(arguments.end(), action.begin(), action.end());
    arguments.insert(arguments.end(), {"--", "/bin/true"});
    const ProgramResult result = sandbox.run(arguments);
    INFO("said: " << result.out << result.err);
    CHECK(result.exit_status == 2);
    CHECK(result.out.empty());
    CHECK(holds(result.err, "policy 'default': " + profile + ":3:"));
  }
  CHECK(sandbox.log_lines().empty());
}

TEST_CASE("--check is the doctor for the policy and the places of the other options, and makes nothing") {
  const Sandbox sandbox;
  const std::string policy = sandbox.directory() + "/mine.yaml";
  const std::string text = read_file(std::string(std::getenv("SBX_TEST_DATA")) + "/policies/strict.yaml");
  write_file(policy, replaced(text, "name: strict", "name: mine"));
  const std::string result = sandbox.directory() + "/result.json";
  const std::string state = sandbox.directory() + "/elsewhere";
  const ProgramResult checked = sandbox.sbxrun({"--check", "--json", "--policy", policy, "--state-dir", state,
                                                "--project", "alpha", "--result", result, "-m", "64M"});
  const ProgramResult doctor = run_program(
      {program_directory() + "/sbxctl", "--state-dir", state, "doctor", "--json", "--policy", policy});
  CHECK(checked.exit_status == doctor.exit_status);
  const auto report = nlohmann::json::parse(checked.out, nullptr, false);
  REQUIRE_MESSAGE(report.is_object(), checked.out << checked.err);
  CHECK(report["policy"] == policy);
  CHECK(report["checks"][0]["found"] == policy);
  CHECK_FALSE(std::filesystem::exists(result));
  CHECK_FALSE(std::filesystem::exists(state));
}

TEST_CASE("--check with --explain says both") {
  const Sandbox sandbox;
  const ProgramResult result = sandbox.sbxrun({"--check", "--explain", "--", "/bin/true"});
  CHECK_MESSAGE(holds(result.out, "Under policy 'default' the program"), result.err);
  CHECK(holds(result.out, "enforce the policy 'default'"));
}

}  // namespace sbx::test
