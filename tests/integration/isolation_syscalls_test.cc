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
