// The filter of a sandbox of many commands lets clone3 through, of this machine's own system calls, and else
// is the filter that it was.
#include "policy/exec_filter.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

namespace sbx {
namespace {

// A filter that refuses clone3, getppid and, of i386, getpid (20), and nothing else.
std::string some_filter() {
  static constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO | EXDEV;
  const std::vector<sock_filter> program{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xC000003E, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, kRefuse),
  };
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter)};
}

// errno of each call under the filter, in a child.
struct Answers {
  int clone3 = -1;
  int getppid = -1;
  int getpid = -1;
};

Answers try_under(const std::string& filter) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const sock_fprog program{static_cast<unsigned short>(filter.size() / sizeof(sock_filter)),
                             reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()))};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
      _exit(1);
    const auto error_of = [](long result) { return result < 0 ? errno : 0; };
    Answers answers;
    answers.clone3 = error_of(syscall(SYS_clone3, nullptr, 0));  // EINVAL where it is let through
    answers.getppid = error_of(syscall(SYS_getppid));
    answers.getpid = error_of(syscall(SYS_getpid));
    _exit(write(ends[1], &answers, sizeof answers) == sizeof answers ? 0 : 1);
  }
  (void)close(ends[1]);
  Answers answers;
  CHECK(read(ends[0], &answers, sizeof answers) == sizeof answers);
  (void)close(ends[0]);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  return answers;
}

}  // namespace

TEST_CASE("clone3 is let through, and nothing else that was not") {
  const Answers before = try_under(some_filter());
  CHECK(before.clone3 == EXDEV);
  CHECK(before.getppid == EXDEV);
  CHECK(before.getpid == 0);
  const Answers after = try_under(with_clone3(some_filter()));
  CHECK(after.clone3 == EINVAL);
  CHECK(after.getppid == EXDEV);
  CHECK(after.getpid == 0);
}

}  // namespace sbx
