#include "os/confined.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"
#include "os/file.h"
#include "os/process_end.h"

namespace sbx::os {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kAnswer = 0;  // the descriptor that it is written to, the only one
constexpr int kNotConfined = 99;

bool limit(__rlimit_resource_t resource, rlim_t value) {
  const rlimit both{value, value};
  return setrlimit(resource, &both) == 0;
}

bool limit_resources() {
  constexpr rlim_t kCpuSeconds = 2;
  bool done = limit(RLIMIT_CPU, kCpuSeconds) && limit(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__)
  constexpr rlim_t kMemory = 512U << 20U;
  done = done && limit(RLIMIT_AS, kMemory);
#endif
  return done;
}

bool drop_ids() {
  if (geteuid() != 0) return true;
  return setgroups(0, nullptr) == 0 && setresgid(kNobody, kNobody, kNobody) == 0 &&
         setresuid(kNobody, kNobody, kNobody) == 0;
}

// What memory, the answer and the end take.
constexpr int kAllowed[] = {
    SCMP_SYS(write),
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
#if defined(__SANITIZE_ADDRESS__)
    // Before a function that does not return, and to see whether memory is there.
    SCMP_SYS(sigaltstack),
    SCMP_SYS(gettid),
    SCMP_SYS(futex),
    SCMP_SYS(pipe2),
    SCMP_SYS(close),
#endif
};

// A library that makes something once wakes whoever waits for that (pthread_once(3)): nobody, and glibc ends
// the process where it may not.
bool allow_to_wake(scmp_filter_ctx filter) {
#if defined(__SANITIZE_ADDRESS__)
  return filter != nullptr;
#else
  const scmp_arg_cmp wake{1, SCMP_CMP_MASKED_EQ, static_cast<std::uint32_t>(FUTEX_CMD_MASK), FUTEX_WAKE};
  return filter != nullptr && seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(futex), 1, &wake) == 0;
#endif
}

// An error and not the end for all other calls: a reader may try and do without.
bool allow_memory_only() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  bool done = allow_to_wake(filter);
  for (const int call : kAllowed) done = done && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  return done && seccomp_load(filter) == 0;
}

bool confine(int answer, pid_t parent) {
  return dup2(answer, kAnswer) == kAnswer && close_range(kAnswer + 1, ~0U, 0) == 0 && limit_resources() &&
         drop_ids() &&
         // Behind the change of ids, which clears it; then: is the parent still there?
         prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && prctl(PR_SET_DUMPABLE, 0) == 0 &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && allow_memory_only();
}

[[noreturn]] void answer_and_end(int answer, pid_t parent, const std::function<std::string()>& reader) {
  if (!confine(answer, parent)) _exit(kNotConfined);
  const std::string text = reader().substr(0, kMostAnswer);
  const bool written = write(kAnswer, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  _exit(written ? 0 : 1);
}

}  // namespace

Result<std::string> call_confined(const std::function<std::string()>& reader) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "answer", errno));
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return fail(system_error("fork", "reader", errno));
  if (child == 0) answer_and_end(writing.get(), parent, reader);
  writing.reset();
  // As much as the pipe holds without being read: the child waits for nobody.
  Result<std::string> answer = read_all(reading.get(), "answer", kMostAnswer);
  const std::string how = how_it_ended(child);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail(system_error("waitpid", "reader", errno));
  }
  if (status == 0) return answer;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotConfined)
    return fail("its reader could not be confined");
  return fail("its reader " + how);
}

}  // namespace sbx::os
