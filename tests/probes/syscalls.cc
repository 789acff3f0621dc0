// Tries system calls that reach for more than a sandbox gives: syscalls
// namespaces|kernel|refused|debugging|abi. All but `refused` are harmless outside, too.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "attempt.h"

namespace {

using sbx::probe::attempt;
using sbx::probe::say;

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of an int

// The child of a clone that worked ends at once.
long clone_with(unsigned long flags) {
  const long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid;
}

long clone3_with(std::uint64_t flags) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  const long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  return pid;
}

long join(const char* name) {
  const int fd = open((std::string("/proc/self/ns/") + name).c_str(), O_RDONLY);
  return fd < 0 ? fd : syscall(SYS_setns, fd, 0);
}

void namespaces() {
  struct Kind {
    const char* name;
    unsigned long flag;
  };
  for (const Kind& kind : {Kind{"user", CLONE_NEWUSER}, Kind{"mnt", CLONE_NEWNS}, Kind{"pid", CLONE_NEWPID},
                           Kind{"net", CLONE_NEWNET}, Kind{"ipc", CLONE_NEWIPC}, Kind{"uts", CLONE_NEWUTS},
                           Kind{"cgroup", CLONE_NEWCGROUP}}) {
    const std::string name = kind.name;
    attempt("clone_" + name, [&] { return clone_with(kind.flag); });
    attempt("clone_high_" + name, [&] { return clone_with(kind.flag | kHighBit); });
    attempt("clone3_" + name, [&] { return clone3_with(kind.flag); });
    attempt("unshare_" + name, [&] { return syscall(SYS_unshare, kind.flag); });
    attempt("unshare_high_" + name, [&] { return syscall(SYS_unshare, kind.flag | kHighBit); });
  }
  attempt("unshare_time", [] { return syscall(SYS_unshare, CLONE_NEWTIME); });
  for (const char* name : {"mnt", "net", "ipc", "uts", "cgroup"}) {
    attempt(std::string("setns_") + name, [name] { return join(name); });
  }
  attempt("setns_pidfd", [] {
    return syscall(SYS_setns, syscall(SYS_pidfd_open, getpid(), 0), CLONE_NEWNET | CLONE_NEWIPC);
  });
  attempt("clone_plain", [] { return clone_with(0); });
  attempt("clone3_plain", [] { return clone3_with(0); });
}

struct Handle {
  file_handle header;
  unsigned char bytes[MAX_HANDLE_SZ];
};

long open_by_handle() {
  Handle handle{};
  handle.header.handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount_id, 0) < 0) return -1;
  const int mount = open("/", O_RDONLY | O_DIRECTORY);
  return syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY);
}

long make_bpf_map() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

long open_perf_event() {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

long splice_memory() {
  int ends[2];
  char byte = 'x';
  const iovec part{&byte, 1};
  return pipe(ends) != 0 ? -1 : syscall(SYS_vmsplice, ends[1], &part, 1, 0);
}

void kernel() {
  attempt("keyctl", [] { return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -1, 1); });
  attempt("add_key",
          [] { return syscall(SYS_add_key, "user", "sbx-probe", "x", 1, -1 /* of this thread */); });
  attempt("bpf", make_bpf_map);
  attempt("perf_event_open", open_perf_event);
  attempt("userfaultfd", [] { return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */); });
  attempt("io_uring_setup", [] {
    io_uring_params parameters{};
    return syscall(SYS_io_uring_setup, 1, &parameters);
  });
  attempt("open_by_handle_at", open_by_handle);
  attempt("fsopen", [] { return syscall(SYS_fsopen, "tmpfs", 0); });
  attempt("open_tree", [] { return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */); });
  attempt("fspick", [] { return syscall(SYS_fspick, AT_FDCWD, "/proc", 0); });
  attempt("chroot", [] { return chroot("/"); });
  attempt("syslog", [] { return syscall(SYS_syslog, 10 /* SYSLOG_ACTION_SIZE_BUFFER */, nullptr, 0); });
  attempt("fanotify_init", [] { return syscall(SYS_fanotify_init, 0, O_RDONLY); });
  attempt("adjtimex", [] {
    timex clock{};
    return syscall(SYS_adjtimex, &clock);
  });
  attempt("iopl", [] { return syscall(SYS_iopl, 0); });
  attempt("move_pages", [] { return syscall(SYS_move_pages, 0, 0, nullptr, nullptr, nullptr, 0); });
  attempt("vmsplice", splice_memory);
  attempt("modify_ldt", [] {
    char table[16];
    return syscall(SYS_modify_ldt, 0 /* read */, table, sizeof table);
  });
  attempt("personality_no_aslr", [] { return personality(ADDR_NO_RANDOMIZE); });
  attempt("personality_executable", [] { return personality(READ_IMPLIES_EXEC); });
  attempt("personality_high", [] { return syscall(SYS_personality, kHighBit | ADDR_NO_RANDOMIZE); });
}

// Nonsense arguments, so that the kernel would say something else than a filter does.
void refused() {
  attempt("mount", [] { return mount("none", "/tmp", "tmpfs", 0, nullptr); });
  attempt("remount", [] { return mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND, nullptr); });
  attempt("umount2", [] { return umount2("/proc", MNT_DETACH); });
  attempt("pivot_root", [] { return syscall(SYS_pivot_root, "/none", "/none"); });
  attempt("move_mount", [] { return syscall(SYS_move_mount, -1, "", -1, "", 0); });
  attempt("mount_setattr", [] { return syscall(SYS_mount_setattr, -1, "", 0, nullptr, 0); });
  attempt("fsconfig", [] { return syscall(SYS_fsconfig, -1, 0, nullptr, nullptr, 0); });
  attempt("fsmount", [] { return syscall(SYS_fsmount, -1, 0, 0); });
  attempt("init_module", [] { return syscall(SYS_init_module, nullptr, 0, ""); });
  attempt("finit_module", [] { return syscall(SYS_finit_module, -1, "", 0); });
  attempt("delete_module", [] { return syscall(SYS_delete_module, "none", 0); });
  attempt("kexec_load", [] { return syscall(SYS_kexec_load, 0, 0, nullptr, ~0UL); });
  attempt("reboot", [] { return syscall(SYS_reboot, 0, 0, 0, nullptr); });
  attempt("swapon", [] { return syscall(SYS_swapon, "/none", 0); });
  attempt("acct", [] { return syscall(SYS_acct, "/none"); });
  attempt("quotactl", [] { return syscall(SYS_quotactl, ~0, "/none", 0, nullptr); });
  attempt("clock_settime", [] { return syscall(SYS_clock_settime, ~0, nullptr); });
  attempt("sethostname", [] { return syscall(SYS_sethostname, "x", ~0UL); });
  attempt("setgroups", [] { return syscall(SYS_setgroups, ~0, nullptr); });
  attempt("request_key", [] { return syscall(SYS_request_key, nullptr, nullptr, nullptr, 0); });
  attempt("process_madvise", [] { return syscall(SYS_process_madvise, -1, nullptr, 0, 0, 0); });
  attempt("prctl_set_mm", [] { return syscall(SYS_prctl, PR_SET_MM, ~0, 0, 0, 0); });
  attempt("prctl_set_mm_high", [] { return syscall(SYS_prctl, kHighBit | PR_SET_MM, ~0, 0, 0, 0); });
  attempt("unknown_number", [] { return syscall(10'000); });
  attempt("no_number", [] { return syscall(-1); });
}

void rewritten_call();

// A stopped child and what a debugger does with it.
void debugging() {
  static volatile long word = 42;
  const pid_t child = fork();
  if (child == 0) {
    word = 43;
    while (true) pause();
  }
  usleep(200'000);
  long seen = 0;
  const iovec local{&seen, sizeof seen};
  const iovec remote{const_cast<long*>(&word), sizeof word};
  sbx::probe::report("process_vm_readv_own", process_vm_readv(child, &local, 1, &remote, 1, 0));
  sbx::probe::report("kcmp_own", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0));
  const long attached = ptrace(PTRACE_ATTACH, child, nullptr, nullptr);
  sbx::probe::report("ptrace_own", attached);
  if (attached == 0) {
    (void)waitpid(child, nullptr, 0);
    errno = 0;
    say("ptrace_own_peek",
        ptrace(PTRACE_PEEKDATA, child, const_cast<long*>(&word), nullptr) == 43 ? "ok" : "wrong");
    rewritten_call();
  }
  (void)kill(child, SIGKILL);
  (void)waitpid(child, nullptr, 0);
}

// A tracer turns its child's getpid into an unshare at the entry of the call, behind the back of a filter
// that looked before it.
void rewritten_call() {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    (void)raise(SIGSTOP);
    while (true) (void)syscall(SYS_getpid);
  }
  user_regs_struct registers{};
  (void)waitpid(child, nullptr, 0);
  const auto to_next_stop = [&] {
    (void)ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    (void)waitpid(child, nullptr, 0);
    (void)ptrace(PTRACE_GETREGS, child, nullptr, &registers);
  };
  do to_next_stop();
  while (registers.orig_rax != SYS_getpid && kill(child, 0) == 0);
  registers.orig_rax = SYS_unshare;
  registers.rdi = CLONE_NEWUSER;
  (void)ptrace(PTRACE_SETREGS, child, nullptr, &registers);
  to_next_stop();
  const auto result = static_cast<long>(registers.rax);
  say("ptrace_rewritten_unshare", result < 0 ? sbx::probe::error_name(static_cast<int>(-result)) : "ok");
  (void)kill(child, SIGKILL);
  (void)waitpid(child, nullptr, 0);
}

// getpid in the numbering of i386 and of x32.
void other_abis() {
  attempt("i386", [] {
    long result = 20;
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? 0L : -1L;
  });
  attempt("x32", [] { return syscall(0x40000000 + SYS_getpid); });
  attempt("native", [] { return syscall(SYS_getpid); });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string group = argc > 1 ? argv[1] : "";
  if (group == "namespaces") namespaces();
  if (group == "kernel") kernel();
  if (group == "refused") refused();
  if (group == "debugging") debugging();
  if (group == "abi") other_abis();
  return 0;
}
