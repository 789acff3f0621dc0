#include "os/process_end.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <cerrno>

namespace sbx::os {

std::string how_it_ended(pid_t child) {
  siginfo_t info{};
  int result = -1;
  do result = waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  while (result != 0 && errno == EINTR);
  if (result != 0) return {};
  if (info.si_code == CLD_EXITED) return "exited with status " + std::to_string(info.si_status);
  const char* name = sigabbrev_np(info.si_status);
  return "was killed by " +
         (name == nullptr ? "signal " + std::to_string(info.si_status) : "SIG" + std::string(name));
}

}  // namespace sbx::os
