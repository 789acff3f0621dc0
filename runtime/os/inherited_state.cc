#include "os/inherited_state.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "os/file.h"

namespace sbx::os {

Result<void> reset_inherited_state() {
  (void)personality(PER_LINUX);
  const sched_param ordinary{};
  (void)sched_setscheduler(0, SCHED_OTHER, &ordinary);
  if (getpriority(PRIO_PROCESS, 0) < 0) (void)setpriority(PRIO_PROCESS, 0, 0);
  (void)syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0);
  (void)prctl(PR_SET_TIMERSLACK, 0);
  const std::string score = TRY(read_file(AT_FDCWD, "/proc/self/oom_score_adj"));
  if (score.starts_with('-')) TRY(write_existing(AT_FDCWD, "/proc/self/oom_score_adj", "0"));
  (void)umask(022);
  // By system call: the C library keeps two numbers to itself, and posix_spawn left them ignored in us.
  struct {
    void (*handler)(int) = nullptr;  // SIG_DFL
    unsigned long flags = 0;
    void (*restorer)() = nullptr;
    std::uint64_t mask = 0;
  } by_default;
  for (int number = 1; number <= 64; ++number) {
    (void)syscall(SYS_rt_sigaction, number, &by_default, nullptr, sizeof by_default.mask);
  }
  sigset_t none;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  return {};
}

}  // namespace sbx::os
