// Each of the seven namespaces is the sandbox's own, and works. What they hide is in tests/security/attacks.
#include <filesystem>

#include "isolation.h"

namespace sbx::test {
namespace {

std::string own_namespace(const std::string& kind) {
  return std::filesystem::read_symlink("/proc/self/ns/" + kind).string();
}

}  // namespace

TEST_CASE("all seven namespaces are the sandbox's own") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers inside = parse_answers(said_inside(
      sandbox, "for n in user mnt pid net ipc uts cgroup; do echo $n=$(readlink /proc/self/ns/$n); done"));
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    CHECK(answer(inside, kind).starts_with(std::string(kind) + ":["));
    CHECK(answer(inside, kind) != own_namespace(kind));
  }
}

TEST_CASE("there is one interface, lo, and servers on it are reached") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers inside = probe_inside(sandbox, {"loopback"});
  CHECK(answer(inside, "up") == " lo");
  check_answers(inside, {"tcp_127.0.0.1", "udp_127.0.0.1"}, "ok");
  SKIP_UNLESS(std::filesystem::exists("/proc/net/if_inet6"), "this kernel has no IPv6");
  check_answers(inside, {"tcp_::1", "udp_::1"}, "ok");
}

TEST_CASE("the host's name is hidden and cannot be changed") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string script =
      "uname -n; cat /proc/sys/kernel/domainname; hostname other 2>/dev/null || echo refused";
  const auto lines = lines_of(said_inside(sandbox, script));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "sandbox");
  CHECK(lines[1] == "(none)");
  CHECK(lines[2] == "refused");
}

TEST_CASE("the NIS domain name of the caller's namespace is hidden, too") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  std::vector<std::string> command{
      "unshare", "--uts", "/bin/sh", "-c", "echo secret.example >/proc/sys/kernel/domainname && exec \"$@\"",
      "sh"};
  const auto run = sbxrun_command(sandbox, {"--", "cat", "/proc/sys/kernel/domainname"});
  command.insert(command.end(), run.begin(), run.end());
  CHECK(run_program(command).out == "(none)\n");
}

TEST_CASE("a program's cgroups look like roots") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const auto lines = lines_of(said_inside(sandbox, "cat /proc/self/cgroup"));
  CHECK(!lines.empty());
  for (const std::string& line : lines) CHECK_MESSAGE(line.ends_with(":/"), line);
  CHECK(said_inside(sandbox, "cat /proc/self/mountinfo").find(" - cgroup") == std::string::npos);
}

}  // namespace sbx::test
