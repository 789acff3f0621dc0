// Attacks a process that one should have no power over: attack_init PID [all]. What ends it for good comes
// last; `all` adds a signal to everybody, which only a sandbox survives.
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <cstdlib>

#include "attempt.h"

namespace {

using sbx::probe::attempt;

long pidfd_of(pid_t pid) { return syscall(SYS_pidfd_open, pid, 0); }

siginfo_t forged_info() {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return info;
}

void inspect(pid_t pid) {
  static char word[8];
  const iovec local{word, sizeof word};
  const iovec remote{reinterpret_cast<void*>(0x400000), sizeof word};
  attempt("ptrace_attach", [=] {
    const long result = ptrace(PTRACE_ATTACH, pid, nullptr, nullptr);
    if (result == 0) (void)waitpid(pid, nullptr, __WALL);
    return result;
  });
  attempt("ptrace_seize", [=] { return ptrace(PTRACE_SEIZE, pid, nullptr, nullptr); });
  // EFAULT is as far as one gets who may, with an address that is not there.
  attempt("process_vm_readv", [=] {
    const long result = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    return result < 0 && errno == EFAULT ? 0 : result;
  });
  attempt("process_vm_writev", [=] {
    const iovec nowhere{nullptr, sizeof word};
    const long result = process_vm_writev(pid, &local, 1, &nowhere, 1, 0);
    return result < 0 && errno == EFAULT ? 0 : result;
  });
  attempt("pidfd_getfd", [=] { return syscall(SYS_pidfd_getfd, pidfd_of(pid), 0, 0); });
  attempt("kcmp", [=] { return syscall(SYS_kcmp, getpid(), pid, 1 /* KCMP_VM */, 0, 0); });
  attempt("get_robust_list", [=] {
    void* head = nullptr;
    std::size_t size = 0;
    return syscall(SYS_get_robust_list, pid, &head, &size);
  });
}

void constrain(pid_t pid) {
  attempt("prlimit_read", [=] {
    rlimit limit{};
    return prlimit(pid, RLIMIT_NOFILE, nullptr, &limit);
  });
  attempt("prlimit_nofile", [=] {
    const rlimit limit{8, 8};
    return prlimit(pid, RLIMIT_NOFILE, &limit, nullptr);
  });
  attempt("prlimit_cpu", [=] {
    const rlimit limit{3600, 3600};
    return prlimit(pid, RLIMIT_CPU, &limit, nullptr);
  });
  attempt("sched_setaffinity", [=] {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(0, &mask);
    return sched_setaffinity(pid, sizeof mask, &mask);
  });
  attempt("sched_setscheduler", [=] {
    const sched_param parameter{};
    return sched_setscheduler(pid, SCHED_IDLE, &parameter);
  });
  attempt("sched_setattr", [=] {
    struct {
      std::uint32_t size = 48;
      std::uint32_t policy = SCHED_BATCH;
      std::uint64_t rest[5] = {};
    } attributes;
    return syscall(SYS_sched_setattr, pid, &attributes, 0);
  });
  attempt("setpriority", [=] { return setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 19); });
  attempt("ioprio_set", [=] {
    return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
  });
}

void read_files(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/";
  for (const char* name : {"mem", "environ", "maps", "status", "cmdline", "exe"}) {
    attempt(std::string("open_") + name, [&] { return open((directory + name).c_str(), O_RDONLY); });
  }
  for (const char* name : {"fd", "cwd", "root", "task", "ns"}) {
    attempt(std::string("enter_") + name,
            [&] { return open((directory + name).c_str(), O_RDONLY | O_DIRECTORY); });
  }
  attempt("open_mem_for_writing", [&] { return open((directory + "mem").c_str(), O_RDWR); });
  attempt("open_exe_for_writing", [&] { return open((directory + "exe").c_str(), O_RDWR); });
  attempt("write_oom_score_adj", [&] {
    const int fd = open((directory + "oom_score_adj").c_str(), O_WRONLY);
    return fd < 0 ? -1 : write(fd, "1000", 4);
  });
}

void signal_it(pid_t pid) {
  attempt("kill_0", [=] { return kill(pid, 0); });
  attempt("kill_cont", [=] { return kill(pid, SIGCONT); });
  attempt("kill_chld", [=] { return kill(pid, SIGCHLD); });
  attempt("pidfd_send_signal",
          [=] { return syscall(SYS_pidfd_send_signal, pidfd_of(pid), SIGTERM, nullptr, 0); });
  attempt("rt_sigqueueinfo", [=] {
    siginfo_t info = forged_info();
    return syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, &info);
  });
  attempt("rt_tgsigqueueinfo", [=] {
    siginfo_t info = forged_info();
    return syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGTERM, &info);
  });
  attempt("tkill", [=] { return syscall(SYS_tkill, pid, SIGKILL); });
  attempt("tgkill", [=] { return syscall(SYS_tgkill, pid, pid, SIGKILL); });
  attempt("kill_stop", [=] { return kill(pid, SIGSTOP); });
  attempt("kill_kill", [=] { return kill(pid, SIGKILL); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const pid_t pid = std::atoi(argv[1]);
  inspect(pid);
  constrain(pid);
  read_files(pid);
  signal_it(pid);
  if (argc > 2 && getpid() < 100) sbx::probe::report("kill_everybody", kill(-1, SIGKILL));
  return 0;
}
