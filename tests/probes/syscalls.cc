// Tries system calls that reach for more than a sandbox gives: syscalls mounts|refused|debugging. All but
// `refused` are harmless outside, too.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "attempt.h"

namespace {

using sbx::probe::attempt;
using sbx::probe::say;

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of an int

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

void mounts() {
  attempt("open_by_handle_at", open_by_handle);
  attempt("fsopen", [] { return syscall(SYS_fsopen, "tmpfs", 0); });
  attempt("open_tree", [] { return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */); });
  attempt("fspick", [] { return syscall(SYS_fspick, AT_FDCWD, "/proc", 0); });
  attempt("chroot", [] { return chroot("/"); });
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
  }
  (void)kill(child, SIGKILL);
  (void)waitpid(child, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string group = argc > 1 ? argv[1] : "";
  if (group == "mounts") mounts();
  if (group == "refused") refused();
  if (group == "debugging") debugging();
  return 0;
}
