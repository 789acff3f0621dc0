// Processes of the host: seeing them, by any number, and having power over them. A signal to everybody is in
// tests/integration/isolation_init_test.cc.
#include <dirent.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "attempts.h"

namespace sbx::attack {
namespace {

// Of the host, and inside nobody's number.
pid_t foreign() { return static_cast<pid_t>(target_number("foreign")); }
long pidfd() { return syscall(SYS_pidfd_open, foreign(), 0); }

long read_mark() {
  long seen = 0;
  const iovec here{&seen, sizeof seen};
  const iovec there{const_cast<long*>(&victim_mark), sizeof seen};
  if (process_vm_readv(foreign(), &here, 1, &there, 1, 0) < 0) return -1;
  return only_if(seen == foreign());
}

long trace() {
  if (ptrace(PTRACE_ATTACH, foreign(), nullptr, nullptr) < 0) return -1;
  (void)waitpid(foreign(), nullptr, __WALL);
  return ptrace(PTRACE_DETACH, foreign(), nullptr, nullptr);
}

long stop_group() {
  const long result = kill(-foreign(), SIGSTOP);
  if (result == 0) (void)kill(-foreign(), SIGCONT);
  return result;
}

long limit() {
  const rlimit low{64, 64};
  return prlimit(foreign(), RLIMIT_NOFILE, &low, nullptr);
}

long pin_to_cpu() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(0, &mask);
  return sched_setaffinity(foreign(), sizeof mask, &mask);
}

long own_descriptor_of() {
  int ends[2];
  return pipe(ends) != 0 ? -1 : fcntl(ends[0], F_SETOWN, foreign());
}

bool is_own(pid_t pid) { return pid == 1 || pid == getpid() || pid == getppid(); }

// Every number up to the highest that is in use outside: is there anybody else than init, this and its
// parent?
long try_all_numbers() {
  (void)alarm(120);
  const long highest = target_number("highest_pid");
  for (pid_t pid = 1; pid <= highest; ++pid) {
    if (!is_own(pid) && (kill(pid, 0) == 0 || errno != ESRCH)) return pid;
  }
  return fail(ESRCH);
}

// The numbers around one that is known to exist outside, as descriptors. Of threads the kernel gives none,
// but tells that they are there.
long open_pidfds() {
  constexpr pid_t kAround = 2'000;
  for (pid_t pid = foreign() > kAround ? foreign() - kAround : 1; pid < foreign() + kAround; ++pid) {
    if (is_own(pid)) continue;
    if (syscall(SYS_pidfd_open, pid, 0) >= 0 || errno != ESRCH) return pid;
  }
  return fail(ESRCH);
}

// Does /proc show a process that is neither this one nor its parent?
long list_proc() {
  DIR* list = opendir("/proc");
  if (list == nullptr) return -1;
  while (const dirent* entry = readdir(list)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 0 && pid != getpid() && pid != getppid()) return pid;
  }
  return fail(ENOENT);
}

long open_in_proc(const char* name) {
  return open(("/proc/" + target("foreign") + "/" + name).c_str(), O_RDONLY);
}

// The command's parent is init; that of init must look like nobody.
long see_parents() {
  char line[512] = {};
  const int fd = open("/proc/1/stat", O_RDONLY);
  return fd < 0 ? -1 : read(fd, line, sizeof line - 1);
}

constexpr const char* kNamespace = "own pid namespace";

constexpr Attack unseen(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kNamespace, .inside = "ESRCH", .attempt = attempt};
}

// A call that strict refuses whoever is meant.
constexpr Attack unseen_debugging(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "own pid namespace; filter under strict",
          .inside = "ESRCH",
          .strict = "EPERM",
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    unseen("processes.exists", "ask whether a process of the host exists",
           [] { return static_cast<long>(kill(foreign(), 0)); }),
    unseen("processes.all_numbers", "find any process by trying every number", try_all_numbers),
    unseen("processes.pidfds", "open descriptors of processes around a known number", open_pidfds),
    unseen("processes.pidfd", "open a descriptor of a process of the host", pidfd),
    unseen("processes.group", "ask for the process group of a process of the host",
           [] { return static_cast<long>(getpgid(foreign())); }),
    unseen("processes.session", "ask for the session of a process of the host",
           [] { return static_cast<long>(getsid(foreign())); }),
    unseen("processes.stop_group", "stop a process group of the host", stop_group),
    unseen("processes.signal", "send a signal to a process of the host",
           [] { return static_cast<long>(kill(foreign(), SIGCHLD)); }),
    unseen("processes.signal_thread", "send a signal to a thread of the host",
           [] { return syscall(SYS_tgkill, foreign(), foreign(), SIGCHLD); }),
    unseen("processes.queue_signal", "send a signal that carries data to a process of the host",
           [] { return static_cast<long>(sigqueue(foreign(), SIGCHLD, {})); }),
    unseen("processes.own_descriptor", "name a process of the host as the one to be told of data",
           own_descriptor_of),
    {.name = "processes.join_group",
     .aim = "join a process group of the host",
     .control = "own pid namespace; own session",
     .inside = "EPERM",
     .outside = "ok|EPERM",  // ok where the test's session is the same
     .attempt = [] { return static_cast<long>(setpgid(0, foreign())); }},
    unseen_debugging("processes.ptrace", "attach to a process of the host as a debugger", trace),
    unseen_debugging("processes.read_memory", "read the memory of a process of the host", read_mark),
    unseen_debugging("processes.kcmp", "compare kernel pointers with a process of the host",
                     [] { return syscall(SYS_kcmp, getpid(), foreign(), 1 /* KCMP_VM */, 0, 0); }),
    unseen("processes.limit", "lower a limit of a process of the host", limit),
    unseen("processes.affinity", "pin a process of the host to a CPU", pin_to_cpu),
    unseen("processes.priority", "lower the priority of a process of the host",
           [] { return static_cast<long>(setpriority(PRIO_PROCESS, static_cast<id_t>(foreign()), 19)); }),
    unseen("processes.io_priority", "have the files of a process of the host wait",
           [] {
             return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, foreign(),
                            IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
           }),
    {.name = "processes.proc_listing",
     .aim = "see others' processes in /proc",
     .control = "own pid namespace; /proc of it with hidepid",
     .inside = "ENOENT",
     .attempt = list_proc},
    {.name = "processes.proc_environment",
     .aim = "read the environment of a process of the host",
     .control = "own pid namespace; /proc of it",
     .inside = "ENOENT",
     .attempt = [] { return open_in_proc("environ"); }},
    {.name = "processes.proc_root",
     .aim = "reach files by the root of a process of the host",
     .control = "own pid namespace; /proc of it",
     .inside = "ENOENT",
     .attempt = [] { return open_in_proc("root/etc/shadow"); }},
    {.name = "processes.proc_first",
     .aim = "see the process with number 1",
     .control = "own pid namespace; /proc of it with hidepid",
     .inside = "ENOENT",
     .attempt = see_parents},
};

}  // namespace

std::span<const Attack> process_attacks() { return kAttacks; }

}  // namespace sbx::attack
