#include "sbxd/child_program.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/scope_exit.h"
#include "os/process_end.h"

namespace sbx {
namespace {

constexpr int kFirst = 3;

// What is started stays where we are at that moment.
class OnCpu {
 public:
  explicit OnCpu(int cpu) {
    CPU_ZERO(&before_);
    if (cpu < 0 || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(cpu), &one);
    moved_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;
  ~OnCpu() {
    if (moved_) (void)sched_setaffinity(0, sizeof before_, &before_);
  }

 private:
  cpu_set_t before_{};
  bool moved_ = false;
};

}  // namespace

Result<ChildProgram> ChildProgram::start(const std::vector<std::string>& command,
                                         const std::vector<int>& descriptors, const Options& options) {
  posix_spawn_file_actions_t actions;
  (void)posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  (void)posix_spawnattr_init(&attributes);
  const ScopeExit destroy([&] {
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
  });
  (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  const int end = kFirst + static_cast<int>(descriptors.size());
  std::vector<UniqueFd> high;  // out of the way of their numbers first
  for (const int fd : descriptors) {
    high.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, end));
    if (!high.back().valid()) return fail(system_error("dup", "for " + command.front(), errno));
  }
  UniqueFd output;
  if (options.output >= 0) {
    output = UniqueFd(fcntl(options.output, F_DUPFD_CLOEXEC, end));
    if (!output.valid()) return fail(system_error("dup", "for " + command.front(), errno));
  }
  for (int i = kFirst; i < end; ++i)
    (void)posix_spawn_file_actions_adddup2(&actions, high[static_cast<std::size_t>(i - kFirst)].get(), i);
  if (output.valid()) {
    (void)posix_spawn_file_actions_adddup2(&actions, output.get(), 1);
  } else {
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  }
  (void)posix_spawn_file_actions_addclosefrom_np(&actions, end);
  sigset_t none;
  (void)sigemptyset(&none);
  sigset_t all;
  (void)sigfillset(&all);
  (void)posix_spawnattr_setsigmask(&attributes, &none);
  (void)posix_spawnattr_setsigdefault(&attributes, &all);
  (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  environment.reserve(options.environment.size() + 1);
  for (const std::string& variable : options.environment)
    environment.push_back(const_cast<char*>(variable.c_str()));
  environment.push_back(nullptr);
  const OnCpu there(options.cpu);
  ChildProgram child;
  const int error = posix_spawn(&child.pid_, command.front().c_str(), &actions, &attributes, arguments.data(),
                                environment.data());
  if (error != 0) return fail(system_error("posix_spawn", command.front(), error));
  child.pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, child.pid_, 0)));
  if (!child.pidfd_.valid()) return fail(system_error("pidfd_open", command.front(), errno));
  return child;
}

void ChildProgram::signal(int number) const {
  if (running()) (void)syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

std::string ChildProgram::reap() {
  if (!running()) return "was not started";
  std::string how = os::how_it_ended(pid_);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pidfd_.reset();
  pid_ = -1;
  return how;
}

}  // namespace sbx
