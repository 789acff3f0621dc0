// The system call filter, argument by argument: what works outside and must not inside.
#include "isolation.h"

namespace sbx::test {
namespace {

// Every name that the probe tried outside gives `expected` inside; `but` are the exceptions. What this kernel
// does not have outside either says nothing, but most must be there.
void check_all_refused(const Answers& outside, const Answers& inside, const std::string& expected,
                       const Answers& but) {
  std::size_t worked_outside = 0;
  for (const auto& [name, result] : outside) {
    if (result == "ok") ++worked_outside;
    const auto exception = but.find(name);
    const std::string& wanted = exception == but.end() ? expected : exception->second;
    CHECK_MESSAGE(answer(inside, name) == wanted,
                  name << ": outside " << result << ", inside " << answer(inside, name));
  }
  CHECK(worked_outside > outside.size() / 2);
}

}  // namespace

TEST_CASE("file handles and the mount calls are refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = probe_outside({"syscalls", "mounts"});
  check_all_refused(outside, probe_inside(sandbox, {"syscalls", "mounts"}), "EPERM", {});
  check_all_refused(outside, probe_inside(sandbox, {"syscalls", "mounts"}, {"--policy", "strict"}), "EPERM",
                    {});
}

TEST_CASE("what changes the machine is refused by the filter, whatever its arguments are") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers but{{"unknown_number", "ENOSYS"}, {"no_number", "ENOSYS"}};
  for (const char* policy : {"default", "strict", "permissive"}) {
    const Answers inside = probe_inside(sandbox, {"syscalls", "refused"}, {"--policy", policy});
    CHECK(inside.size() > 20);
    for (const auto& [name, result] : inside) {
      CHECK_MESSAGE(result == (but.contains(name) ? "ENOSYS" : "EPERM"),
                    policy << ": " << name << " gave " << result);
    }
  }
}

TEST_CASE("sockets are those of the allowlist alone") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = probe_outside({"sockets", "builtin"});
  check_answers(outside,
                {"raw_icmp", "raw_icmp_flags", "raw_icmp_high", "netlink_route", "netlink_uevent",
                 "netlink_uevent_high"},
                "ok");
  for (const std::string policy : {"default", "permissive"}) {
    CAPTURE(policy);
    for (const auto& [name, result] : probe_inside(sandbox, {"sockets", "all"}, {"--policy", policy})) {
      std::string expected = "EAFNOSUPPORT";
      if (name == "unix" || name == "udp" || name == "pair_1") expected = "ok";
      if (name == "tcp" || name == "tcp6") expected = "ok";
      if (name == "netlink_route" && policy == "permissive") expected = "ok";
      if (name.starts_with("raw_icmp") || name.starts_with("tcp_ulp")) expected = "EPERM";
      if (name == "sctp" || name == "mptcp" || name == "dccp" || name == "udplite" || name == "l2tp") {
        expected = "EPROTONOSUPPORT";
      }
      CHECK_MESSAGE(result == expected, name << " gave " << result);
    }
  }
}

TEST_CASE("under the policy strict there are unix sockets only") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  for (const auto& [name, result] : probe_inside(sandbox, {"sockets", "all"}, {"--policy", "strict"})) {
    const bool option = name.starts_with("tcp_ulp");  // on a socket that could not be made
    CHECK_MESSAGE(result == (name == "unix" ? "ok"
                             : option       ? "EPERM"
                                            : "EAFNOSUPPORT"),
                  name << " gave " << result);
  }
}

TEST_CASE("a program has terminals of its own, and no file gets flags") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers inside = probe_inside(sandbox, {"terminal_ioctls"});
  check_answers(inside, {"open_terminal", "window_size", "open_file"}, "ok");
  check_answers(inside, {"set_flags", "set_xattr_flags"}, "EPERM");
}

TEST_CASE("a program may debug its own children, but not under the policy strict") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  check_answers(probe_inside(sandbox, {"syscalls", "debugging"}),
                {"process_vm_readv_own", "kcmp_own", "ptrace_own", "ptrace_own_peek"}, "ok");
  check_answers(probe_inside(sandbox, {"syscalls", "debugging"}, {"--policy", "strict"}),
                {"process_vm_readv_own", "kcmp_own", "ptrace_own"}, "EPERM");
}

}  // namespace sbx::test
