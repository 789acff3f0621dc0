#include "sbxd/late_children.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <sstream>
#include <string>

#include "os/clock.h"
#include "os/file.h"

namespace sbx {
namespace {

constexpr long kLook = 10'000'000;  // ns between two looks
constexpr std::size_t kMostChildren = 1U << 20U;

// False: there are none any more.
bool reap_those_that_ended() {
  pid_t child = 0;
  do {
    child = waitpid(-1, nullptr, WNOHANG);
  } while (child > 0);
  return child == 0;
}

// proc_pid_children(5). Nobody else reaps, so a number stays that of the same process.
std::size_t kill_children() {
  const auto list = os::read_file(AT_FDCWD, "/proc/thread-self/children", kMostChildren);
  std::istringstream numbers(list ? *list : "");
  std::size_t killed = 0;
  for (pid_t child = 0; numbers >> child; ++killed) (void)kill(child, SIGKILL);
  return killed;
}

}  // namespace

void adopt_orphans() { (void)prctl(PR_SET_CHILD_SUBREAPER, 1); }

std::size_t end_children(std::int64_t grace) {
  const std::int64_t deadline = os::monotonic_ns() + grace;
  std::size_t killed = 0;
  while (reap_those_that_ended()) {
    if (os::monotonic_ns() >= deadline) {
      // What a killed one leaves becomes ours, too.
      const std::size_t now = kill_children();
      if (now == 0) return killed;
      killed += now;
    }
    const timespec pause{0, kLook};
    (void)nanosleep(&pause, nullptr);
  }
  return killed;
}

}  // namespace sbx
