#include "tracer.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace sbx::faults {
namespace {

constexpr int kCallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
constexpr int kAfterwards = 20;            // tenths of a second that what is left may take to end
constexpr long kOptions = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                          PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;

[[noreturn]] void die(const char* what) {
  perror(what);
  exit(3);
}

volatile sig_atomic_t ticks = 0;  // tenths of a second, counted by the timer

void start_clock() {
  struct sigaction action {};
  action.sa_handler = [](int) { ticks = ticks + 1; };  // without SA_RESTART: waitpid ends, too
  (void)sigaction(SIGALRM, &action, nullptr);
  const itimerval tenth{{0, 100'000}, {0, 100'000}};
  (void)setitimer(ITIMER_REAL, &tenth, nullptr);
}

unsigned long first_word_of(pid_t pid, unsigned long address) {
  unsigned long word = 0;
  const iovec here{&word, sizeof word};
  const iovec there{reinterpret_cast<void*>(address), sizeof word};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof word ? word : 0;
}

// Whether the descriptor is a file of a control group that limits or moves: all but what kills.
bool is_cgroup_file(pid_t pid, std::uint64_t descriptor) {
  const std::string link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(descriptor);
  struct statfs status {};
  if (statfs(link.c_str(), &status) != 0) return false;
  if (status.f_type != CGROUP_SUPER_MAGIC && status.f_type != CGROUP2_SUPER_MAGIC) return false;
  std::array<char, 4096> path{};
  const ssize_t size = readlink(link.c_str(), path.data(), path.size());
  return size > 0 && !std::string_view(path.data(), static_cast<std::size_t>(size)).ends_with("/cgroup.kill");
}

}  // namespace

std::string call_name(long number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number));
  std::string text = name == nullptr ? std::to_string(number) : name;
  free(name);
  return text;
}

int Tracer::run(const std::vector<char*>& command, int seconds) {
  start_clock();
  start(command);
  if (!follow(seconds * 10)) {
    tell_survivors("hang");
    return 3;
  }
  if (!follow(kAfterwards)) tell_survivors("survivor");
  return WIFEXITED(root_status_) ? WEXITSTATUS(root_status_) : 128 + WTERMSIG(root_status_);
}

void Tracer::start(const std::vector<char*>& command) {
  int gate[2];
  if (pipe(gate) != 0) die("pipe");
  root_ = fork();
  if (root_ < 0) die("fork");
  if (root_ == 0) {
    char byte = 0;
    (void)close(gate[1]);
    (void)!read(gate[0], &byte, 1);  // until we are traced
    (void)close(gate[0]);
    (void)execvp(command[0], command.data());
    perror(command[0]);
    _exit(127);
  }
  if (ptrace(PTRACE_SEIZE, root_, nullptr, kOptions) != 0) die("PTRACE_SEIZE");
  processes_[root_] = {};
  (void)close(gate[0]);
  (void)close(gate[1]);
}

// Until the command has ended, or once it has, until everything has. False when that takes too long.
bool Tracer::follow(int tenths) {
  const int until = ticks + tenths;
  const bool root_only = root_status_ < 0;
  while (root_only ? root_status_ < 0 : !processes_.empty()) {
    if (ticks >= until) return false;
    int status = 0;
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return true;  // nobody is left
    if (WIFSTOPPED(status)) {
      stopped(pid, status);
      continue;
    }
    processes_.erase(pid);
    early_.erase(pid);
    if (pid == root_) root_status_ = status;
  }
  return true;
}

void Tracer::tell_survivors(const char* word) {
  for (const auto& [pid, process] : processes_) {
    (void)fprintf(report_, "%s %s %s\n", word, std::string(role_name(process.role)).c_str(),
                  program_of(pid).c_str());
    (void)kill(pid, SIGKILL);
  }
}

void Tracer::stopped(pid_t pid, int status) {
  const int signal = WSTOPSIG(status);
  const auto known = processes_.find(pid);
  if (known == processes_.end()) {
    early_.insert(pid);
    return;
  }
  const int event_number = status >> 16;
  if (event_number != 0) return event(pid, known->second, event_number, signal);
  if (signal == kCallStop) return at_call(pid, known->second);
  resume(pid, signal);
}

void Tracer::event(pid_t pid, Process& process, int event, int signal) {
  unsigned long message = 0;
  switch (event) {
  case PTRACE_EVENT_CLONE:
  case PTRACE_EVENT_FORK:
  case PTRACE_EVENT_VFORK:
    if (ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &message) == 0) adopt(static_cast<pid_t>(message), process);
    break;
  case PTRACE_EVENT_EXEC:
    if (pid != root_ || process.role != Role::sbxrun)
      process.role = after_exec(process.role, program_of(pid));
    break;
  case PTRACE_EVENT_STOP:
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
      (void)ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);  // stopped by a signal: it stays so
      return;
    }
    break;
  default: break;
  }
  resume(pid);
}

void Tracer::adopt(pid_t child, const Process& parent) {
  processes_[child].role = cloned_by(parent.role, parent.clone_flags);
  if (early_.erase(child) != 0) resume(child);
}

void Tracer::at_call(pid_t pid, Process& process) {
  __ptrace_syscall_info info{};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) return;  // killed meanwhile
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    enter(pid, process, info.entry.nr, info.entry.args);
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
    leave(pid, process);
  }
  resume(pid);
}

void Tracer::enter(pid_t pid, Process& process, unsigned long number, const std::uint64_t* arguments) {
  process.clone_flags = number == SYS_clone3  ? first_word_of(pid, arguments[0])
                        : number == SYS_clone ? arguments[0]
                                              : 0;
  const std::string role(role_name(process.role));
  // Of fcntl only what makes a descriptor can fail for want of one.
  const bool duplicates = number == SYS_fcntl && (arguments[1] == F_DUPFD || arguments[1] == F_DUPFD_CLOEXEC);
  // And of writes those that set a limit are no others.
  const bool limits = number == SYS_write && is_cgroup_file(pid, arguments[0]);
  const std::string name = duplicates ? "fcntl_dupfd"
                           : limits   ? "write_cgroup"
                                      : call_name(static_cast<long>(number));
  const unsigned index = calls_[{process.role, name}]++;
  if (list_) (void)fprintf(report_, "call %s %s %u\n", role.c_str(), name.c_str(), index);
  if (fault_.what == Fault::What::none || fault_.role != role || fault_.call != name || fault_.index != index)
    return;
  if (fault_.what == Fault::What::kill) {
    (void)fprintf(report_, "injected %s %s %u SIGKILL\n", role.c_str(), name.c_str(), index);
    (void)kill(pid, SIGKILL);
    return;
  }
  // A call that does nothing and that no filter refuses is made in its place.
  if (ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, orig_rax), SYS_getpid) != 0) return;
  process.failing = true;
  (void)fprintf(report_, "injected %s %s %u %s\n", role.c_str(), name.c_str(), index,
                strerrorname_np(fault_.error_number));
}

void Tracer::leave(pid_t pid, Process& process) {
  if (!process.failing) return;
  process.failing = false;
  (void)ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, rax),
               -static_cast<long>(fault_.error_number));
}

void Tracer::resume(pid_t pid, int signal) {
  const bool calls = processes_[pid].role != Role::program;
  (void)ptrace(calls ? PTRACE_SYSCALL : PTRACE_CONT, pid, nullptr, static_cast<long>(signal));
}

}  // namespace sbx::faults
