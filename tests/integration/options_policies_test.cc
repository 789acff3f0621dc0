// Where a policy's name is looked up: /etc/sbx/policies, /usr/share/sbx/policies, then what came with the
// program. Seen with file systems that only the program under test has over /etc and /usr/share.
#include <doctest/doctest.h>
#include <sys/mount.h>

#include <filesystem>

#include "support/private_mounts.h"
#include "support/sandbox.h"
#include "support/skip.h"

namespace sbx::test {
namespace {

using Strings = std::vector<std::string>;

// A layer with sbx/policies/default.yaml, which says `pids`.
std::string make_layer(const Sandbox& sandbox, const std::string& name, int pids) {
  const std::string layer = sandbox.directory() + "/" + name;
  std::filesystem::create_directories(layer + "/sbx/policies");
  const std::string text =
      "name: default\ndescription: For a test.\n"
      "limits: {memory: 100M, cpus: 1, pids: " +
      std::to_string(pids) +
      ", wall-time: 30s, cpu-time: none, nofile: 128, fsize: none,\n"
      "  tmp: 16M, disk: 16M, inodes: 1000, output-limit: 1M}\n"
      "ceilings: {}\nseccomp: default\nwritable_root: false\nworkspace: {layout: split}\n"
      "wall_time_with_tty: limited\nallow_degraded: []\n";
  write_file(layer + "/sbx/policies/default.yaml", text);
  return layer;
}

void lay_over(const std::string& directory, const std::string& layer) {
  const std::string layers = "lowerdir=" + layer + ":" + directory;
  require_call(mount("overlay", directory.c_str(), "overlay", MS_RDONLY, layers.c_str()) == 0);
}

void check_policy(const Sandbox& sandbox, const std::function<void()>& prepare, int pids,
                  const std::string& file) {
  ProgramOptions program;
  program.before_exec = prepare;
  const nlohmann::json result = sandbox.run_json({"--", "/bin/true"}, program);
  CHECK(result["outcome"] == "exited");
  CHECK(result["limits"]["pids"] == pids);
  const ProgramResult plan = sandbox.sbxrun({"--dry-run", "--", "true"}, program);
  CHECK_MESSAGE(plan.out.starts_with("policy default (" + file + ")\n"), plan.out << plan.err);
}

}  // namespace

TEST_CASE("a policy in /etc/sbx/policies goes before an installed one, and that before the program's own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string etc = make_layer(sandbox, "etc", 31);
  const std::string share = make_layer(sandbox, "share", 32);
  check_policy(
      sandbox,
      [&] {
        enter_private_mounts();
        lay_over("/etc", etc);
        lay_over("/usr/share", share);
      },
      31, "/etc/sbx/policies/default.yaml");
  SKIP_UNLESS(!std::filesystem::exists("/etc/sbx/policies/default.yaml"),
              "this host has a policy of its own");
  check_policy(
      sandbox,
      [&] {
        enter_private_mounts();
        lay_over("/usr/share", share);
      },
      32, "/usr/share/sbx/policies/default.yaml");
  // And one that only the program has is still found.
  ProgramOptions program;
  program.before_exec = [&] {
    enter_private_mounts();
    lay_over("/etc", etc);
    lay_over("/usr/share", share);
  };
  const ProgramResult strict = sandbox.sbxrun({"--dry-run", "--policy", "strict", "--", "true"}, program);
  CHECK_MESSAGE(strict.out.starts_with("policy strict ("), strict.err);
}

}  // namespace sbx::test
