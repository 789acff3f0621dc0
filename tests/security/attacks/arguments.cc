// Arguments with bits that the kernel does not read, and calls that change after the filter has seen them.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>

#include "attempts.h"

namespace sbx::attack {
namespace {

long raw_socket(unsigned long family_bit, unsigned long type_bit, unsigned long protocol_bit) {
  return syscall(SYS_socket, AF_INET | family_bit, SOCK_RAW | type_bit, 1 /* ICMP */ | protocol_bit);
}

long attach_filter() {
  sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
  const sock_fprog program{1, &all};
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  return syscall(SYS_setsockopt, fd, SOL_SOCKET | kHighBit, SO_ATTACH_FILTER | kHighBit, &program,
                 sizeof program);
}

long map_huge() {
  const long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB;
  const long address = syscall(SYS_mmap, nullptr, 2U << 20U, PROT_READ, kHighBit | flags, -1, 0);
  return address == -1 ? -1 : 0;
}

long share_huge() {
  const long flags = IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE | 0600;
  const long id = syscall(SYS_shmget, IPC_PRIVATE, 2U << 20U, kHighBit | flags);
  return id < 0 ? id : shmctl(static_cast<int>(id), IPC_RMID, nullptr);
}

// Has no name, and goes with its descriptor.
template <unsigned long flag_bit, unsigned long mode_bit>
long make_set_id_file() {
  const long fd =
      syscall(SYS_openat, AT_FDCWD, "/tmp", flag_bit | O_TMPFILE | O_RDWR, mode_bit | S_ISUID | 0700);
  struct stat made {};
  if (fd < 0 || fstat(static_cast<int>(fd), &made) != 0) return -1;
  return only_if((made.st_mode & S_ISUID) != 0);
}

// Says `answer` to `number` and allows all other calls.
long add_filter(unsigned flags, int number, unsigned answer) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, code};
  (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

long unshare_host_name() { return syscall(SYS_unshare, CLONE_NEWUTS); }

long allow_it_oneself() {
  if (add_filter(0, SYS_unshare, SECCOMP_RET_ALLOW) < 0) return -1;
  return unshare_host_name();
}

// A listener says "go on" to a call that its own filter hands it.
long answer_as_listener() {
  int told[2];
  if (pipe(told) != 0) return -1;
  const long child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const long made = add_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_unshare, SECCOMP_RET_USER_NOTIF);
    (void)!write(told[1], &made, sizeof made);
    _exit(made < 0 || unshare_host_name() < 0 ? errno : 0);
  }
  long listener = -1;
  (void)!read(told[0], &listener, sizeof listener);
  // Whichever comes first, the call or the child's end.
  pollfd waiting[] = {{static_cast<int>(listener), POLLIN, 0},
                      {static_cast<int>(open_pidfd(static_cast<pid_t>(child))), POLLIN, 0}};
  if (poll(waiting, 2, -1) > 0 && (waiting[0].revents & POLLIN) != 0) {
    seccomp_notif call{};
    (void)ioctl(waiting[0].fd, SECCOMP_IOCTL_NOTIF_RECV, &call);
    seccomp_notif_resp answer{};
    answer.id = call.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)ioctl(waiting[0].fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  return end_as(static_cast<pid_t>(child));
}

// A child that says getpid for ever, stopped; with a filter that stops it there, or without.
pid_t stopped_child(bool with_filter) {
  const pid_t child = start_child();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(errno);
    (void)raise(SIGSTOP);
    if (with_filter && add_filter(0, SYS_getpid, SECCOMP_RET_TRACE) < 0) _exit(errno);
    while (true) (void)syscall(SYS_getpid);
  }
  return child;
}

// What the child's call, which was a getpid, says once it is an unshare.
template <bool with_filter>
long rewrite_call() {
  const pid_t child = stopped_child(with_filter);
  int status = 0;
  (void)waitpid(child, &status, __WALL);
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  if (!WIFSTOPPED(status)) return -1;
  (void)ptrace(PTRACE_SETOPTIONS, child, nullptr, with_filter ? PTRACE_O_TRACESECCOMP : 0);
  user_regs_struct registers{};
  do {
    (void)ptrace(with_filter ? PTRACE_CONT : PTRACE_SYSCALL, child, nullptr, nullptr);
    (void)waitpid(child, &status, __WALL);
    (void)ptrace(PTRACE_GETREGS, child, nullptr, &registers);
  } while (WIFSTOPPED(status) && registers.orig_rax != SYS_getpid);
  registers.orig_rax = SYS_unshare;
  registers.rdi = CLONE_NEWUTS;
  (void)ptrace(PTRACE_SETREGS, child, nullptr, &registers);
  (void)ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);  // to the end of the call
  (void)waitpid(child, &status, __WALL);
  (void)ptrace(PTRACE_GETREGS, child, nullptr, &registers);
  (void)kill(child, SIGKILL);
  (void)waitpid(child, nullptr, __WALL);
  const auto result = static_cast<long>(registers.rax);
  errno = static_cast<int>(-result);
  return result < 0 ? -1 : 0;
}

constexpr const char* kNarrow = "filter: it compares the bits that the kernel reads";
constexpr const char* kStrongest = "filter: of several filters the strictest answer counts; no capability";
constexpr const char* kAgain = "filter: it is asked again after a tracer; no capability";

// `strict` knows no such sockets.
constexpr Attack raw(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "filter: it compares the bits that the kernel reads; no capability",
          .inside = "EPERM",
          .strict = "EAFNOSUPPORT",
          .unfiltered = "EPERM",
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    refused("abi.number_high", "make a call whose number has a bit set that nobody reads",
            "filter: unshare; no capability",
            [] { return syscall(static_cast<long>(kHighBit) | SYS_unshare, CLONE_NEWUTS); }),
    raw("abi.socket_family", "make a raw socket with a bit set in its family",
        [] { return raw_socket(kHighBit, 0, 0); }),
    raw("abi.socket_type", "make a raw socket with a bit set in its type",
        [] { return raw_socket(0, kHighBit, 0); }),
    raw("abi.socket_protocol", "make a raw socket with a bit set in its protocol",
        [] { return raw_socket(0, 0, kHighBit); }),
    raw("abi.socket_flags", "make a raw socket with the flags of a type",
        [] { return raw_socket(0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }),
    filtered("abi.socket_option", "put a filter on a socket, with a bit set that nobody reads", kNarrow,
             attach_filter),
    filtered("abi.mmap_flags", "map huge pages with a bit set that nobody reads", kNarrow, map_huge),
    filtered("abi.memfd_flags", "make a file of huge pages with a bit set that nobody reads", kNarrow,
             [] { return syscall(SYS_memfd_create, "attack", kHighBit | MFD_HUGETLB); }),
    filtered("abi.shmget_flags", "share huge pages with a bit set that nobody reads", kNarrow, share_huge,
             "ok", "EPERM"),
    filtered("abi.open_mode", "make a set-id file with a bit set in its mode", kNarrow,
             make_set_id_file<0, kHighBit>),
    filtered("abi.open_flags", "make a set-id file with a bit set in the flags", kNarrow,
             make_set_id_file<kHighBit, 0>),
    refused("abi.own_filter", "allow a call by a filter of its own", kStrongest, allow_it_oneself),
    refused("abi.own_listener", "have a call allowed by a listener of its own", kStrongest,
            answer_as_listener),
    refused("abi.rewritten", "turn an allowed call into a refused one as a tracer", kAgain,
            rewrite_call<false>),
    refused("abi.rewritten_late", "turn a call that its own filter stopped into a refused one", kAgain,
            rewrite_call<true>),
};

}  // namespace

std::span<const Attack> argument_attacks() { return kAttacks; }

}  // namespace sbx::attack
