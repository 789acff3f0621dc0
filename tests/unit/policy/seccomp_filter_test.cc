// The shipped filters in the kernel: numbers, ABIs, processes. Attacks have their control: that the same call
// does something else without the filter.
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "filter_simulator.h"
#include "kernel_filter.h"

namespace sbx {
namespace {

using namespace testing;

TEST_CASE("ordinary calls work under every shipped filter") {
  FOR_EACH_FILTER {
    CHECK(loaded_.run(SYS_getpid) > 0);
    CHECK(loaded_.run(SYS_openat, AT_FDCWD, pointer("/"), O_RDONLY | O_DIRECTORY) >= 0);
    CHECK(loaded_.run(SYS_memfd_create, pointer("x"), 0) >= 0);
    CHECK(loaded_.run(SYS_sched_getaffinity, 0, 0, 0) == -EINVAL);
    CHECK(loaded_.run(SYS_prctl, PR_GET_DUMPABLE) >= 0);
    CHECK(loaded_.run(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 0) == -EFAULT);
    CHECK(loaded_.run(SYS_landlock_create_ruleset, 0, 0, 1 /* version */) != -EPERM);
    CHECK(loaded_.run(SYS_inotify_init1, 0) >= 0);
    CHECK(loaded_.run(SYS_io_setup, 0, 0) == -ENOSYS);
    CHECK(loaded_.run(SYS_shmget, 0, 0, 0) == -EINVAL);
  }
}

TEST_CASE("every refused number gets its error from the kernel, too") {
  FOR_EACH_FILTER {
    const Filter simulated(loaded_.filter);
    // Only calls that the simulator says are refused are made: a broken filter must not reboot the machine.
    std::vector<std::uint32_t> refused;
    for (std::uint32_t number = 0; number < 1100; ++number) {
      // uretprobe and uprobe: since Linux 6.14 no filter sees them, and outside the kernel's own trampoline
      // they end in SIGILL.
      if (number == 335 || number == 336) continue;
      if ((simulated.answer(number) & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
        refused.push_back(number);
    }
    CHECK(refused.size() > 600);
    const long mismatch = loaded_.run([&] {
      for (const std::uint32_t number : refused) {
        const auto expected = -static_cast<long>(simulated.answer(number) & SECCOMP_RET_DATA);
        if (call(static_cast<long>(number)) != expected) return static_cast<long>(number);
      }
      return -1L;
    });
    CHECK(mismatch == -1);
  }
}

TEST_CASE("unknown numbers give ENOSYS") {
  FOR_EACH_FILTER {
    for (const long number : {471L, 1000L, 0x3fffffffL, -1L}) CHECK(loaded_.run(number) == -ENOSYS);
  }
}

TEST_CASE("no process makes a namespace") {
  static constexpr long kFlags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                    CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET, CLONE_NEWTIME};
  FOR_EACH_FILTER {
    for (const long flag : kFlags) {
      CAPTURE(flag);
      CHECK(loaded_.run(SYS_clone, flag | SIGCHLD) == -EPERM);
      CHECK(loaded_.run(SYS_clone, flag | SIGCHLD | kHighBits) == -EPERM);
      CHECK(loaded_.run(SYS_unshare, flag) == -EPERM);
      CHECK(loaded_.run(SYS_setns, 0, flag) == -EPERM);
    }
    CHECK(loaded_.run(SYS_clone3, 0, 0) == -ENOSYS);
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    CHECK(loaded_.run(SYS_clone3, pointer(&arguments), sizeof arguments) == -ENOSYS);
  }
}

long wait_for(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kKilled - WTERMSIG(status);
}

TEST_CASE("processes and threads start in every way that C libraries use") {
  FOR_EACH_FILTER {
    CHECK(loaded_.run([] {
      const long child = call(SYS_clone, SIGCHLD);
      if (child == 0) (void)call(SYS_exit_group, 7);
      return child < 0 ? child : wait_for(static_cast<pid_t>(child));
    }) == 7);
    CHECK(loaded_.run([] {
      const long child = call(SYS_fork);
      if (child == 0) (void)call(SYS_exit_group, 8);
      return child < 0 ? child : wait_for(static_cast<pid_t>(child));
    }) == 8);
    // glibc: clone3 with CLONE_VM and CLONE_VFORK, then clone with the same.
    CHECK(loaded_.run([] {
      char program[] = "/bin/sh";
      char option[] = "-c";
      char script[] = "exit 9";
      char* const arguments[] = {program, option, script, nullptr};
      char* const environment[] = {nullptr};
      pid_t child = 0;
      const int error = posix_spawn(&child, program, nullptr, nullptr, arguments, environment);
      return error != 0 ? -static_cast<long>(error) : wait_for(child);
    }) == 9);
    CHECK(loaded_.run([] {
      pthread_t thread{};
      const int error = pthread_create(
          &thread, nullptr, [](void* value) { return value; }, reinterpret_cast<void*>(10));
      if (error != 0) return -static_cast<long>(error);
      void* result = nullptr;
      if (pthread_join(thread, &result) != 0) return -1L;
      return reinterpret_cast<long>(result);
    }) == 10);
  }
}

TEST_CASE("personality and prctl keep to the harmless") {
  FOR_EACH_FILTER {
    for (const long value : {0L, 8L, 0x20000L, 0x20008L, 0xffffffffL})
      CHECK(loaded_.run(SYS_personality, value) >= 0);
    for (const long value : {4L, 0x400000L, 0x100000L}) CHECK(loaded_.run(SYS_personality, value) == -EPERM);
    const long no_randomisation = loaded_.run(SYS_personality, 0x40000);
    CHECK((no_randomisation == -EPERM) == !loaded_.is("permissive"));
    CHECK(loaded_.run(SYS_prctl, PR_SET_MM, 0, 0, 0, 0) == -EPERM);
    CHECK(loaded_.run(SYS_prctl, PR_SET_MM | kHighBits, 0, 0, 0, 0) == -EPERM);
    CHECK(loaded_.run(SYS_prctl, 62 /* PR_SCHED_CORE */, 0, 0, 0, 0) == -EPERM);
    CHECK(loaded_.run(SYS_prctl, PR_SET_NAME, pointer("x")) == 0);
  }
}

TEST_CASE("tracing works for an agent and not for a grader") {
  FOR_EACH_FILTER {
    CHECK(loaded_.run(SYS_ptrace, PTRACE_TRACEME) == (loaded_.is("strict") ? -EPERM : 0));
    const long read = loaded_.run([] {
      char from[4] = "abc";
      char to[4] = {};
      const iovec local{to, 4};
      const iovec remote{from, 4};
      return call(SYS_process_vm_readv, call(SYS_getpid), pointer(&local), 1, pointer(&remote), 1, 0);
    });
    CHECK(read == (loaded_.is("strict") ? -EPERM : 4));
  }
}

#ifdef __x86_64__
constexpr long kX32Bit = 0x40000000;

TEST_CASE("x32 calls kill") {
  CHECK(in_child("", [] { return call(SYS_getpid | kX32Bit); }) > kKilled);
  FOR_EACH_FILTER {
    for (const long number : {SYS_getpid | kX32Bit, 512L | kX32Bit, kX32Bit, 0x7fffffffL, -2L}) {
      CAPTURE(number);
      CHECK(loaded_.run(number) == kKilled - SIGSYS);
    }
  }
}

long call_i386(long number) {
  long result = number;
  __asm__ volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0) : "r8", "r9", "r10", "r11", "memory");
  return result;
}

TEST_CASE("i386 calls kill") {
  constexpr long kGetpid = 20;
  const long without = in_child("", [] { return call_i386(kGetpid); });
  if (without < 0) {
    MESSAGE("this kernel has no i386 calls: nothing to refuse");
    return;
  }
  FOR_EACH_FILTER {
    CHECK(loaded_.run([] { return call_i386(kGetpid); }) == kKilled - SIGSYS);
    CHECK(loaded_.run([] { return call_i386(1000); }) == kKilled - SIGSYS);
  }
}
#endif

TEST_CASE("a second filter cannot widen the first") {
  FOR_EACH_FILTER {
    const long result = loaded_.run([&] {
      const std::string all_allowed = [] {
        const sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
        return std::string(reinterpret_cast<const char*>(&allow), sizeof allow);
      }();
      if (!load_filter(all_allowed)) return -1000L;
      return call(SYS_unshare, CLONE_NEWUTS);
    });
    CHECK(result == -EPERM);
  }
}

}  // namespace
}  // namespace sbx
