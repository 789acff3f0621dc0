// PID 1 of the sandbox: looking into it, and limiting it. Its files in /proc and signals are in other tables.
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <ctime>

#include "attempts.h"

namespace sbx::attack {
namespace {

pid_t victim() { return static_cast<pid_t>(target_number("victim")); }
long pidfd() { return syscall(SYS_pidfd_open, victim(), 0); }

// This program is linked statically, at a fixed address: the variable of the victim is where ours is.
long read_mark() {
  long seen = 0;
  const iovec here{&seen, sizeof seen};
  const iovec there{const_cast<long*>(&victim_mark), sizeof seen};
  if (process_vm_readv(victim(), &here, 1, &there, 1, 0) < 0) return -1;
  return only_if(seen == victim());
}

long write_mark() {
  long same = victim();
  const iovec here{&same, sizeof same};
  const iovec there{const_cast<long*>(&victim_mark), sizeof same};
  return process_vm_writev(victim(), &here, 1, &there, 1, 0);
}

long trace_by_attach() {
  if (ptrace(PTRACE_ATTACH, victim(), nullptr, nullptr) < 0) return -1;
  (void)waitpid(victim(), nullptr, __WALL);
  const long seen = ptrace(PTRACE_PEEKDATA, victim(), const_cast<long*>(&victim_mark), nullptr);
  (void)ptrace(PTRACE_DETACH, victim(), nullptr, nullptr);
  return only_if(seen == victim());
}

long get_robust_list() {
  void* head = nullptr;
  std::size_t size = 0;
  return syscall(SYS_get_robust_list, victim(), &head, &size);
}

// Lowers the limit that is in force, at most to what a waiting process does not notice. Set and read back:
// one that is ignored was not changed.
template <int resource>
long limit() {
  constexpr rlim_t kLow = 3'600;
  const auto which = static_cast<__rlimit_resource>(resource);
  rlimit old{};
  (void)prlimit(victim(), which, nullptr, &old);
  const rlimit low{old.rlim_max < kLow ? old.rlim_max : kLow, old.rlim_max};
  if (prlimit(victim(), which, &low, nullptr) < 0) return -1;
  if (prlimit(victim(), which, nullptr, &old) < 0) return -1;
  return only_if(old.rlim_cur == low.rlim_cur);
}

long read_limit() {
  rlimit limit{};
  return prlimit(victim(), RLIMIT_NOFILE, nullptr, &limit);
}

long pin_to_cpu() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(0, &mask);
  return sched_setaffinity(victim(), sizeof mask, &mask);
}

long set_idle() {
  const sched_param parameter{};
  return sched_setscheduler(victim(), SCHED_IDLE, &parameter);
}

long set_attributes() {
  struct {
    std::uint32_t size = 48;
    std::uint32_t policy = SCHED_BATCH;
    std::uint64_t rest[5] = {};
  } attributes;
  return syscall(SYS_sched_setattr, victim(), &attributes, 0);
}

long choose_for_oom() {
  const int fd = open(("/proc/" + target("victim") + "/oom_score_adj").c_str(), O_WRONLY);
  return fd < 0 ? -1 : write(fd, "1000", 4);
}

long advise_memory() {
  const iovec part{const_cast<long*>(&victim_mark), sizeof victim_mark};
  // MADV_COLD works on whole pages.
  const auto page = reinterpret_cast<std::uintptr_t>(part.iov_base) & ~std::uintptr_t{4095};
  const iovec pages{reinterpret_cast<void*>(page), 4096};
  return syscall(SYS_process_madvise, pidfd(), &pages, 1, 20 /* MADV_COLD */, 0);
}

// A lock that says it is held by another task lends that task the priority of whoever waits for it.
long lend_priority() {
  static std::uint32_t word;
  word = static_cast<std::uint32_t>(victim());
  timespec until{};
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 100'000'000;
  until.tv_sec += until.tv_nsec / 1'000'000'000;
  until.tv_nsec %= 1'000'000'000;
  const long result = syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, &until, nullptr, 0);
  return result < 0 && errno == ETIMEDOUT ? 0 : result;
}

constexpr const char* kOther = "another user id inside, and not dumpable";
constexpr const char* kTracing = "another user id inside, and not dumpable; filter under strict";

constexpr Attack by_id(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kOther, .inside = "EPERM", .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    {.name = "init.ptrace_attach",
     .aim = "attach to init as a debugger and read its memory",
     .control = kTracing,
     .inside = "EPERM",
     .attempt = trace_by_attach},
    {.name = "init.ptrace_seize",
     .aim = "seize init as a debugger",
     .control = kTracing,
     .inside = "EPERM",
     .attempt = [] { return ptrace(PTRACE_SEIZE, victim(), nullptr, nullptr); }},
    {.name = "init.process_vm_readv",
     .aim = "read init's memory",
     .control = kTracing,
     .inside = "EPERM",
     .attempt = read_mark},
    {.name = "init.process_vm_writev",
     .aim = "write init's memory",
     .control = kTracing,
     .inside = "EPERM",
     .attempt = write_mark},
    // Where the kernel has no kcmp (CONFIG_KCMP), pidfd_getfd goes with it.
    {.name = "init.pidfd_getfd",
     .aim = "take a descriptor of init",
     .control = kTracing,
     .inside = "EPERM",
     .outside = "ok|ENOSYS",
     .attempt = [] { return syscall(SYS_pidfd_getfd, pidfd(), 0, 0); }},
    {.name = "init.kcmp",
     .aim = "compare kernel pointers with init's",
     .control = kTracing,
     .inside = "EPERM",
     .unfiltered = "EPERM|ENOSYS",
     .outside = "ok|ENOSYS",
     .attempt = [] { return syscall(SYS_kcmp, getpid(), victim(), 1 /* KCMP_VM */, 0, 0); }},
    by_id("init.robust_list", "learn where init's list of locks is", get_robust_list),
    by_id("init.read_limit", "read init's limits", read_limit),
    by_id("init.limit_cpu", "limit init's CPU time", limit<RLIMIT_CPU>),
    by_id("init.limit_fsize", "limit the size of init's files", limit<RLIMIT_FSIZE>),
    by_id("init.limit_data", "limit init's data", limit<RLIMIT_DATA>),
    by_id("init.limit_stack", "limit init's stack", limit<RLIMIT_STACK>),
    {.name = "init.limit_core",
     .aim = "change the size of init's core file",
     .control = "filter: prlimit64 of RLIMIT_CORE is ignored; another user id inside",
     .inside = "EPERM",
     .attempt = limit<RLIMIT_CORE>},
    by_id("init.limit_rss", "limit init's resident memory", limit<RLIMIT_RSS>),
    by_id("init.limit_nproc", "limit init's processes", limit<RLIMIT_NPROC>),
    by_id("init.limit_nofile", "limit init's descriptors", limit<RLIMIT_NOFILE>),
    by_id("init.limit_memlock", "limit init's locked memory", limit<RLIMIT_MEMLOCK>),
    by_id("init.limit_as", "limit init's address space", limit<RLIMIT_AS>),
    by_id("init.limit_locks", "limit init's file locks", limit<RLIMIT_LOCKS>),
    by_id("init.limit_sigpending", "limit the signals that wait for init", limit<RLIMIT_SIGPENDING>),
    by_id("init.limit_msgqueue", "limit init's message queues", limit<RLIMIT_MSGQUEUE>),
    by_id("init.limit_nice", "limit init's priority", limit<RLIMIT_NICE>),
    by_id("init.limit_rtprio", "limit init's real-time priority", limit<RLIMIT_RTPRIO>),
    by_id("init.limit_rttime", "limit init's real-time CPU time", limit<RLIMIT_RTTIME>),
    by_id("init.affinity", "pin init to one CPU", pin_to_cpu),
    by_id("init.scheduler", "have init run when nothing else does", set_idle),
    by_id("init.scheduler_attributes", "change how init is scheduled", set_attributes),
    by_id("init.priority", "give init the lowest priority",
          [] { return static_cast<long>(setpriority(PRIO_PROCESS, static_cast<id_t>(victim()), 19)); }),
    {.name = "init.priority_of_user",
     .aim = "give all of init's user the lowest priority",
     .control = "another user id inside",
     .inside = "EPERM",
     .outside = "not tried: it would slow down all of root's processes",
     .attempt = [] { return static_cast<long>(setpriority(PRIO_USER, 65533, 19)); }},
    by_id("init.io_priority", "have init's files wait for everybody else's",
          [] {
            return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, victim(),
                           IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
          }),
    {.name = "init.oom_score",
     .aim = "have init killed first when memory runs out",
     .control = "/proc shows one's own processes only (hidepid); another user id inside",
     .inside = "ENOENT",
     .attempt = choose_for_oom},
    {.name = "init.process_madvise",
     .aim = "push init's memory out",
     .control = "filter: process_madvise; another user id inside, and not dumpable",
     .inside = "EPERM",
     .unfiltered = "EACCES|EPERM",  // by the kernel's version
     .attempt = advise_memory},
    // Outside, too, the kernel wants a process that is just dying.
    {.name = "init.process_mrelease",
     .aim = "take init's memory away",
     .control = "filter: process_mrelease; init is not dying",
     .inside = "EPERM",
     .unfiltered = "EINVAL",
     .outside = "EINVAL",
     .attempt = [] { return syscall(SYS_process_mrelease, pidfd(), 0); }},
    // The kernel asks for no right here. What init gets is the priority of the one who waits, not less than
    // its own.
    {.name = "init.lend_priority",
     .aim = "make init the owner of a lock that it never took",
     .control = "none: it changes nothing for init",
     .inside = "ok",
     .attempt = lend_priority},
    {.name = "init.see_affinity",
     .aim = "learn on which CPUs init runs",
     .control = "none: they are the sandbox's own",
     .inside = "ok",
     .attempt =
         [] {
           cpu_set_t mask;
           return static_cast<long>(sched_getaffinity(victim(), sizeof mask, &mask));
         }},
};

}  // namespace

std::span<const Attack> init_attacks() { return kAttacks; }

}  // namespace sbx::attack
