#include "os/confined_child.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/unique_fd.h"
#include "os/file.h"
#include "os/process_end.h"

namespace sbx::os {
namespace {

constexpr int kNotConfined = 99;
constexpr int kTickMs = 100;

[[noreturn]] void be_child(const ConfinedChild& child, int answer, pid_t parent) {
  if (!child.confine(answer, parent)) _exit(kNotConfined);
  _exit(child.work() ? 0 : 1);
}

// Until there is something to be read.
void wait_for(int fd, const std::function<void()>& tick) {
  pollfd waiting{fd, POLLIN, 0};
  while (poll(&waiting, 1, kTickMs) <= 0) tick();
}

bool allow_mapping(scmp_filter_ctx filter, int call) {
  const scmp_arg_cmp not_executable{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &not_executable) == 0;
}

// A library that makes something once wakes whoever waits for that (pthread_once(3)): nobody, and glibc ends
// the process where it may not.
bool allow_to_wake(scmp_filter_ctx filter) {
#if defined(__SANITIZE_ADDRESS__)
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(futex), 0) == 0;
#else
  const scmp_arg_cmp wake{1, SCMP_CMP_MASKED_EQ, static_cast<std::uint32_t>(FUTEX_CMD_MASK), FUTEX_WAKE};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(futex), 1, &wake) == 0;
#endif
}

bool maps_memory(int call) { return call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect); }

}  // namespace

Result<std::string> answer_of(const ConfinedChild& child) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe2", "answer", errno));
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return fail(system_error("fork", child.name, errno));
  if (pid == 0) be_child(child, writing.get(), parent);
  writing.reset();
  if (child.tick) wait_for(reading.get(), child.tick);
  Result<std::string> answer = read_all(reading.get(), "answer", child.most_answer);
  // One that says more than it may would wait for ever to be heard.
  if (!answer) (void)kill(pid, SIGKILL);
  const std::string how = how_it_ended(pid);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail(system_error("waitpid", child.name, errno));
  }
  if (status == 0 || !answer) return answer;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotConfined)
    return fail("its " + child.name + " could not be confined");
  return fail("its " + child.name + " " + how);
}

bool limit_resource(__rlimit_resource_t resource, rlim_t value) {
  const rlimit both{value, value};
  return setrlimit(resource, &both) == 0;
}

bool end_with(pid_t parent) {
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && prctl(PR_SET_DUMPABLE, 0) == 0 &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool allow_calls(std::span<const int> calls, std::span<const unsigned> ioctls) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool done = std::ranges::all_of(calls, [&](int call) {
    if (maps_memory(call)) return allow_mapping(filter, call);
    if (call == SCMP_SYS(futex)) return allow_to_wake(filter);
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  });
  for (const unsigned request : ioctls) {
    const scmp_arg_cmp same{1, SCMP_CMP_EQ, request, 0};
    done = done && seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &same) == 0;
  }
  return done && seccomp_load(filter) == 0;
}

}  // namespace sbx::os
