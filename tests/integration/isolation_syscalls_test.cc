// The system call filter, argument by argument: what works outside and must not inside.
#include <sys/stat.h>

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

TEST_CASE("no namespace can be made or entered by clone, clone3, unshare or setns") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = probe_outside({"syscalls", "namespaces"});
  const Answers inside = probe_inside(sandbox, {"syscalls", "namespaces"});
  Answers but{{"clone_plain", "ok"}, {"clone3_plain", "ENOSYS"}};
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    but["clone3_" + std::string(kind)] = "ENOSYS";
    // Above 32 bits the kernel reads nothing of clone's flags: the control of the trick.
    CHECK(answer(outside, "clone_high_" + std::string(kind)) == "ok");
  }
  check_all_refused(outside, inside, "EPERM", but);
}

TEST_CASE("no user namespace can be made inside, even under a filter that allows it") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const std::string shipped = program_directory() + "/../../policies/";
  const std::string directory = sandbox.directory() + "/open";
  REQUIRE(mkdir(directory.c_str(), 0755) == 0);
  REQUIRE(mkdir((directory + "/seccomp").c_str(), 0755) == 0);
  write_file(directory + "/default.yaml", read_file(shipped + "default.yaml"));
  write_file(directory + "/seccomp/default.yaml",
             replaced(read_file(shipped + "seccomp/default.yaml"),
                      "syscalls: [unshare, setns]\n        action: EPERM",
                      "syscalls: [unshare, setns]\n        action: allow"));
  CHECK(run_program({"/usr/bin/unshare", "--user", "true"}).exit_status == 0);
  // Other namespaces need CAP_SYS_ADMIN.
  const ProgramResult inside = sandbox.run({"--policy=" + directory + "/default.yaml", "--", "/bin/sh", "-c",
                                            "unshare --user true; unshare --mount true"});
  CHECK(
      inside.err ==
      "unshare: unshare failed: No space left on device\nunshare: unshare failed: Operation not permitted\n");
}

TEST_CASE("keyrings, bpf, perf, userfaultfd, io_uring, file handles and the mount calls are refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = probe_outside({"syscalls", "kernel"});
  check_all_refused(outside, probe_inside(sandbox, {"syscalls", "kernel"}), "EPERM", {});
  check_all_refused(outside, probe_inside(sandbox, {"syscalls", "kernel"}, {"--policy", "strict"}), "EPERM",
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

TEST_CASE("nothing can be typed into a terminal, and no file gets flags") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = probe_outside({"terminal_ioctls"});
  check_answers(outside, {"open_terminal", "tiocsetd", "tiocsetd_high"}, "ok");
  CHECK(answer(outside, "tiocsti") !=
        "EPERM");  // EIO where dev.tty.legacy_tiocsti is 0 and root lacks rights
  const Answers inside = probe_inside(sandbox, {"terminal_ioctls"});
  check_answers(inside, {"open_terminal", "window_size", "open_file"}, "ok");
  check_answers(
      inside,
      {"tiocsti", "tiocsti_high", "tioclinux", "tiocsetd", "tiocsetd_high", "set_flags", "set_xattr_flags"},
      "EPERM");
}

TEST_CASE("a program may debug its own children, but not under the policy strict") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  check_answers(probe_inside(sandbox, {"syscalls", "debugging"}),
                {"process_vm_readv_own", "kcmp_own", "ptrace_own", "ptrace_own_peek"}, "ok");
  check_answers(probe_inside(sandbox, {"syscalls", "debugging"}, {"--policy", "strict"}),
                {"process_vm_readv_own", "kcmp_own", "ptrace_own"}, "EPERM");
}

TEST_CASE("a tracer cannot turn an allowed call into a refused one behind the filter") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  CHECK(answer(probe_outside({"syscalls", "debugging"}), "ptrace_rewritten_unshare") == "ok");
  CHECK(answer(probe_inside(sandbox, {"syscalls", "debugging"}), "ptrace_rewritten_unshare") == "EPERM");
}

TEST_CASE("calls in the numbering of i386 and x32 kill the process") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  const Answers outside = probe_outside({"syscalls", "abi"});
  CHECK(answer(outside, "x32") != "SIGSYS");
  CHECK(answer(outside, "i386") != "SIGSYS");
  const Answers inside = probe_inside(sandbox, {"syscalls", "abi"});
  check_answers(inside, {"i386", "x32"}, "SIGSYS");
  CHECK(answer(inside, "native") == "ok");
}

TEST_CASE("huge pages of the host, which no memory limit counts, are refused") {
  SKIP_UNLESS(is_root(), "needs root");
  const Sandbox sandbox;
  // Outside it is the pool that says no (ENOMEM) where it is empty.
  const Answers outside = probe_outside({"memory_escapes"});
  SKIP_UNLESS(answer(outside, "memfd_huge") == "ok", "this kernel has no huge pages");
  CHECK(answer(outside, "map_huge") != "EPERM");
  for (const char* policy : {"default", "strict", "permissive"}) {
    const Answers inside = probe_inside(sandbox, {"memory_escapes"}, {"--policy", policy});
    check_answers(inside, {"map_small", "memfd"}, "ok");
    check_answers(inside, {"map_huge", "memfd_huge", "shm_huge"}, "EPERM");
  }
}

}  // namespace sbx::test
