#include "launch/user_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/scope_exit.h"
#include "os/file.h"
#include "os/raw.h"

namespace sbx {
namespace {

std::string map_text(const std::vector<IdMapLine>& lines) {
  std::string text;
  for (const IdMapLine& line : lines) {
    text += std::to_string(line.first_inside) + " " + std::to_string(line.first_outside) + " " +
            std::to_string(line.count) + "\n";
  }
  return text;
}

struct Helper {
  long parent = 0;
};

// Waits to be killed; until then its namespace exists.
void stay(void* argument) noexcept {
  const auto* helper = static_cast<const Helper*>(argument);
  (void)raw::call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  if (raw::call(SYS_getppid) != helper->parent) (void)raw::call(SYS_exit_group, 0);
  while (true) (void)raw::call(SYS_pause);
}

// The helper in a new user namespace that belongs to `owner`: the effective uid of who makes it. Its pid.
Result<pid_t> start_helper(std::uint32_t owner, clone_args& arguments, Helper& helper) {
  constexpr auto kSame = static_cast<uid_t>(-1);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct rights[2] = {};
  if (syscall(SYS_capget, &header, &rights) != 0) return fail(system_error("capget", "", errno));
  int death_signal = 0;
  (void)prctl(PR_GET_PDEATHSIG, &death_signal);
  if (setresuid(kSame, owner, kSame) != 0)
    return fail(system_error("setresuid", std::to_string(owner), errno));
  const ScopeExit back([death_signal] {
    if (setresuid(kSame, getuid(), kSame) != 0) std::abort();  // to the real uid: always allowed
    (void)prctl(PR_SET_PDEATHSIG, death_signal);               // a change of ids clears it
  });
  // The kernel took the effective rights with the uid (capabilities(7)).
  if (syscall(SYS_capset, &header, &rights) != 0) return fail(system_error("capset", "", errno));
  const long pid = raw::clone_call(&arguments, sizeof arguments, stay, &helper);
  if (pid < 0) return fail(system_error("clone3", "CLONE_NEWUSER", static_cast<int>(-pid)));
  return static_cast<pid_t>(pid);
}

}  // namespace

Result<UniqueFd> make_user_namespace(const IdMap& map) {
  if (map.uids.empty()) return fail(system_error("clone3", "CLONE_NEWUSER without a uid map", EINVAL));
  alignas(16) std::array<char, 4096> stack{};
  Helper helper{getpid()};
  clone_args arguments{};
  arguments.flags = CLONE_VM | CLONE_NEWUSER;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack.data());
  arguments.stack_size = stack.size();
  const pid_t pid = TRY(start_helper(map.uids.front().first_outside, arguments, helper));
  // The helper is our child and not yet waited for: its pid cannot be reused.
  const ScopeExit end_helper([pid] {
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, 0);
  });
  const std::string directory = "/proc/" + std::to_string(pid) + "/";
  TRY(os::write_existing(AT_FDCWD, directory + "uid_map", map_text(map.uids)));
  TRY(os::write_existing(AT_FDCWD, directory + "gid_map", map_text(map.gids)));
  return os::open_at(AT_FDCWD, directory + "ns/user", O_RDONLY);
}

}  // namespace sbx
