#include "resource/cgroup_namespace.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>

#include "os/raw.h"

namespace sbx {
namespace {

// Shares our memory and our descriptors: what it opens is open in us.
void open_own_namespace(void* argument) noexcept {
  auto& result = *static_cast<long*>(argument);
  result = raw::call(SYS_unshare, CLONE_NEWCGROUP);
  if (result >= 0)
    result =
        raw::call(SYS_openat, AT_FDCWD, raw::pointer("/proc/thread-self/ns/cgroup"), O_RDONLY | O_CLOEXEC);
  (void)raw::call(SYS_exit, 0);
}

}  // namespace

Result<UniqueFd> cgroup_namespace_of(int group) {
  alignas(16) std::array<char, 4096> stack{};
  long result = -1;
  clone_args arguments{};
  arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack.data());
  arguments.stack_size = stack.size();
  arguments.cgroup = static_cast<std::uint64_t>(group);
  const long pid = raw::clone_call(&arguments, sizeof arguments, open_own_namespace, &result);
  if (pid < 0) return fail(system_error("clone3", "CLONE_INTO_CGROUP", static_cast<int>(-pid)));
  while (waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {
  }
  if (result < 0) return fail(system_error("unshare", "CLONE_NEWCGROUP", static_cast<int>(-result)));
  return UniqueFd(static_cast<int>(result));
}

}  // namespace sbx
