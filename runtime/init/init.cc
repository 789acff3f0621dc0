// sbx-init: PID 1 of every sandbox. It runs the commands, reaps what is left behind, passes signals on and
// tells the supervisor how each command ended (wire/init_protocol.h).
//
// It has no C library, so that its exec costs next to nothing and there is little to read; it holds three
// capabilities of the sandbox's own user namespace (give ids, signal), an inside uid of its own, and is not
// dumpable, so that the command can neither trace, signal, nor limit it. It runs under the same seccomp
// filter as the command.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "init/denials.h"
#include "os/raw.h"
#include "wire/init_protocol.h"
#include "wire/steps.h"

extern "C" {

// The compiler may call these even where we do not.
void* memset(void* target, int value, size_t size) {
  auto* bytes = static_cast<unsigned char*>(target);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(value);
  return target;
}
void* memcpy(void* target, const void* source, size_t size) {
  auto* to = static_cast<unsigned char*>(target);
  const auto* from = static_cast<const unsigned char*>(source);
  for (size_t i = 0; i < size; ++i) to[i] = from[i];
  return target;
}
}

namespace sbx::init {
namespace {

using raw::call;
using raw::pointer;

constexpr int kNoEntry = 2;
constexpr int kTryAgain = 11;
constexpr int kAccess = 13;
constexpr int kNotDirectory = 20;
constexpr int kInvalid = 22;
constexpr unsigned kNoSystemCall = 38;
constexpr int kNoInterpreter = 79;  // ELIBACC

[[noreturn]] void end(int status) {
  while (true) (void)call(SYS_exit_group, status);
}

int64_t now_ns() {
  timespec now{};
  (void)call(SYS_clock_gettime, CLOCK_MONOTONIC, pointer(&now));
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Sends a message, with one descriptor when `fd` is not -1. A failure means that the supervisor is gone, then
// we end at the next read, or that the kernel has no memory for it.
long send(const Message& message, int fd = -1) {
  iovec part{const_cast<Message*>(&message), sizeof message};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  return call(SYS_sendmsg, kControlFd, pointer(&header), MSG_NOSIGNAL);
}

void send_failure(uint32_t exec, LaunchStep step, long error) {
  Message message;
  message.type = MessageType::exec_failed;
  message.exec = exec;
  message.step = static_cast<uint32_t>(step);
  message.value = static_cast<int32_t>(error);
  (void)send(message);
}

// Of ours: `result` is -errno.
[[noreturn]] void fail_to_start(long result) {
  send_failure(0, LaunchStep::init_start, -result);
  end(1);
}

struct Received {
  Message message;
  int fds[kExecMaxDescriptors] = {};
  unsigned fd_count = 0;
};

// 0 at end-of-file or when it is not a message of ours: the supervisor is gone. Else its size, or -errno.
long receive(Received& received) {
  iovec part{&received.message, sizeof received.message};
  alignas(cmsghdr) char control[CMSG_SPACE(kExecMaxDescriptors * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const long size = call(SYS_recvmsg, kControlFd, pointer(&header), MSG_CMSG_CLOEXEC);
  if (size < 0) return size;
  if (size != sizeof received.message || received.message.version != kVersion) return 0;
  received.fd_count = 0;
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    received.fd_count = static_cast<unsigned>((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(received.fds, CMSG_DATA(rights), received.fd_count * sizeof(int));
  }
  return size;
}

// The payload of an exec, mapped privately, its offsets made into pointers.
struct Command {
  long address = 0;
  long size = 0;
  const ExecPayload* header = nullptr;
  const char* const* arguments = nullptr;
  const char* const* environment = nullptr;
  const char* const* candidates = nullptr;
  const char* directory = nullptr;
};

long map_command(int fd, Command& command) {
  struct stat status {};
  if (const long result = call(SYS_fstat, fd, pointer(&status)); result < 0) return result;
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < sizeof(ExecPayload)) return -kInvalid;
  const long address = call(SYS_mmap, 0, status.st_size, 1 | 2 /* read, write */, MAP_PRIVATE, fd, 0);
  if (address < 0 && address > -4096) return address;
  command.address = address;
  command.size = status.st_size;
  auto* base = reinterpret_cast<char*>(address);  // NOLINT(performance-no-int-to-ptr): a raw system call
  const auto* header = reinterpret_cast<const ExecPayload*>(base);
  const uint64_t lists = uint64_t{header->argc} + header->envc + header->candidates + 3;
  if (header->version != kVersion || header->argc == 0 ||
      lists > (size - sizeof *header) / sizeof(uint64_t) || header->cwd_offset >= size ||
      base[size - 1] != '\0') {
    return -kInvalid;
  }
  auto* slots = reinterpret_cast<uint64_t*>(base + sizeof *header);
  for (uint64_t i = 0; i < lists; ++i) {
    if (slots[i] >= size) return -kInvalid;
    if (slots[i] != 0) slots[i] += static_cast<uint64_t>(address);
  }
  auto* list = reinterpret_cast<const char* const*>(slots);
  command.header = header;
  command.arguments = list;
  command.environment = list + header->argc + 1;
  command.candidates = command.environment + header->envc + 1;
  command.directory = base + header->cwd_offset;
  return 0;
}

// From an Exec to its program.
struct ExecContext {
  uint32_t id = 0;
  uint32_t flags = 0;
  Command command;
  const int* streams = nullptr;     // three, without a terminal
  const int* denials = nullptr;     // table and filter, with kExecDenials
  int group = -1;                   // with kExecGroup
  int program = -1;                 // with kExecProgram
  const int* task_files = nullptr;  // its v1 groups
  uint32_t task_count = 0;
  // Written by the child, which shares our memory until its exec.
  LaunchStep failed_step = LaunchStep::none;
  long error = 0;
};

// A pty of the sandbox's own devpts, made with the command's own ids so that it may reopen it; the master
// goes to the supervisor. Gives the slave.
long open_terminal(uint32_t exec, const ExecPayload& header) {
  const long master = call(SYS_openat, AT_FDCWD, pointer("/dev/ptmx"), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return master;
  const int unlocked = 0;
  long result = call(SYS_ioctl, master, TIOCSPTLCK, pointer(&unlocked));
  if (result < 0) return result;
  const winsize size{static_cast<unsigned short>(header.tty_rows),
                     static_cast<unsigned short>(header.tty_columns), 0, 0};
  result = call(SYS_ioctl, master, TIOCSWINSZ, pointer(&size));
  if (result < 0) return result;
  const long slave = call(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return slave;
  Message message;
  message.type = MessageType::started;
  message.exec = exec;
  message.when_ns = now_ns();
  result = send(message, static_cast<int>(master));
  if (result < 0) return result;
  (void)call(SYS_close, master);
  result = call(SYS_ioctl, slave, TIOCSCTTY, 0);
  return result < 0 ? result : slave;
}

constexpr int kProgramFd = 3;  // behind the streams, until the exec

// `program`: -1: none.
long connect_streams(const int* streams, int program) {
  const int wanted[4] = {streams[0], streams[1], streams[2], program};
  const int count = program < 0 ? 3 : 4;
  // Above the targets first: a stream may sit on the number of another one's place.
  int moved[4];
  for (int i = 0; i < count; ++i) {
    const long fd = call(SYS_fcntl, wanted[i], F_DUPFD_CLOEXEC, 5);
    if (fd < 0) return fd;
    moved[i] = static_cast<int>(fd);
  }
  for (int i = 0; i < count; ++i) {
    const long result = call(SYS_dup3, moved[i], i, i == kProgramFd ? O_CLOEXEC : 0);
    if (result < 0) return result;
  }
  return call(SYS_close_range, count, ~0U, 0);
}

// v1: writing 0 waits for nobody (launch/child.cc); whoever opened the file had the right to (cgroups(7)).
long join_groups(const ExecContext& context) {
  for (uint32_t i = 0; i < context.task_count; ++i) {
    const long written = call(SYS_write, context.task_files[i], pointer("0"), 1);
    if (written < 0) return written;
  }
  return 0;
}

// From here on clone3 is refused again, as the sandbox's profile says. Needs no_new_privs, which we have.
long refuse_clone3() {
  static const sock_filter instructions[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* seccomp_data.nr */),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | kNoSystemCall),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof instructions / sizeof *instructions, const_cast<sock_filter*>(instructions)};
  return call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, pointer(&filter));
}

long set_workload_ids(const ExecPayload& header) {
  const long result = call(SYS_setresgid, header.gid, header.gid, header.gid);
  return result < 0 ? result : call(SYS_setresuid, header.uid, header.uid, header.uid);
}

// Ambient capabilities go with the permitted ones (capabilities(7)).
long drop_capabilities() {
  const __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return call(SYS_capset, pointer(&header), pointer(none));
}

// What a supervisor gave, and no file of the sandbox's.
long execute_program(const Command& command) {
  return call(SYS_execveat, kProgramFd, pointer(""), pointer(command.arguments), pointer(command.environment),
              AT_EMPTY_PATH);
}

// As execvp(3) looks a command up, over the paths that the supervisor made from PATH: a file that is there
// but may not be executed is remembered, since it says more than "not found".
long execute(const Command& command) {
  long error = -kNoEntry;
  for (const char* const* path = command.candidates; *path != nullptr; ++path) {
    const long result =
        call(SYS_execve, pointer(*path), pointer(command.arguments), pointer(command.environment));
    if (result == -kAccess) error = result;
    // It is there, but the interpreter or loader that it names is not.
    if (result == -kNoEntry && call(SYS_faccessat, AT_FDCWD, pointer(*path), 0 /* F_OK */) == 0)
      return -kNoInterpreter;
    if (result != -kNoEntry && result != -kNotDirectory && result != -kAccess) return result;
  }
  return error;
}

[[noreturn]] void run_command(void* argument) {
  auto& context = *static_cast<ExecContext*>(argument);
  const ExecPayload& header = *context.command.header;
  const auto check = [&context](LaunchStep step, long result) {
    if (result >= 0) return;
    context.failed_step = step;
    context.error = -result;
    end(127);
  };
  check(LaunchStep::join_cgroups, join_groups(context));
  if (context.group >= 0) check(LaunchStep::seccomp, refuse_clone3());
  check(LaunchStep::new_session, call(SYS_setsid));
  const uint64_t no_signals = 0;
  check(LaunchStep::new_session,
        call(SYS_rt_sigprocmask, SIG_SETMASK, pointer(&no_signals), 0, sizeof no_signals));
  check(LaunchStep::workload_ids, set_workload_ids(header));
  check(LaunchStep::workload_capabilities, drop_capabilities());
  // The change of ids set it to fs.suid_dumpable, in memory that is still init's, too (proc(5)).
  check(LaunchStep::workload_capabilities, call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
  int terminal[3] = {};
  if (context.streams == nullptr) {
    const long slave = open_terminal(context.id, header);
    check(LaunchStep::terminal, slave);
    for (int& stream : terminal) stream = static_cast<int>(slave);
  }
  // A mask that names no CPU of ours (all were taken offline) is no reason to fail.
  const long affinity = call(SYS_sched_setaffinity, 0, sizeof header.cpu_mask, pointer(header.cpu_mask));
  check(LaunchStep::cpu_affinity, affinity == -kInvalid ? 0 : affinity);
  check(LaunchStep::working_directory, call(SYS_chdir, pointer(context.command.directory)));
  check(LaunchStep::standard_streams,
        connect_streams(context.streams == nullptr ? terminal : context.streams, context.program));
  check(LaunchStep::execve,
        context.program < 0 ? execute(context.command) : execute_program(context.command));
  end(127);
}

// vfork with a stack of its own for the child. The profiles let no clone3 pass, whose flags a filter cannot
// see, but that of a group's exec (policy/exec_filter.h): nothing else starts a process in another group
// without a wait for a grace period.
long start_command(ExecContext& context) {
  alignas(16) static char stack[16384];
  if (context.group < 0)
    return raw::old_clone_call(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + sizeof stack, run_command, &context);
  clone_args arguments{};
  arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = static_cast<uint64_t>(pointer(stack));
  arguments.stack_size = sizeof stack;
  arguments.cgroup = static_cast<uint64_t>(context.group);
  return raw::clone_call(&arguments, sizeof arguments, run_command, &context);
}

void close_all(const Received& received) {
  for (unsigned i = 0; i < received.fd_count; ++i) (void)call(SYS_close, received.fds[i]);
}

// The descriptors by what they are for; 0 or -errno.
long take_apart(const Received& received, ExecContext& context) {
  context.id = received.message.exec;
  context.flags = static_cast<uint32_t>(received.message.value);
  context.task_count = received.message.step;
  unsigned next = 1;
  const auto take = [&](bool wanted, unsigned count) {
    const int* taken = wanted ? received.fds + next : nullptr;
    if (wanted) next += count;
    return taken;
  };
  if (context.task_count > kExecMostTaskFiles) return -kInvalid;
  context.streams = take((context.flags & kExecTty) == 0, 3);
  context.denials = take((context.flags & kExecDenials) != 0, 2);
  const int* group = take((context.flags & kExecGroup) != 0, 1);
  context.group = group == nullptr ? -1 : *group;
  const int* program = take((context.flags & kExecProgram) != 0, 1);
  context.program = program == nullptr ? -1 : *program;
  context.task_files = take(context.task_count != 0, context.task_count);
  return received.fd_count == next ? map_command(received.fds[0], context.command) : -kInvalid;
}

// The pid of the command; else 0, with the step and the error in `context`.
long try_exec(const Received& received, ExecContext& context) {
  context.failed_step = LaunchStep::init_start;
  context.error = -take_apart(received, context);
  if (context.error == 0 && context.denials != nullptr)
    context.error = -start_denial_counter(context.denials[0], context.denials[1]);
  if (context.error > 0) return 0;
  context.failed_step = LaunchStep::none;
  const long pid = start_command(context);
  if (pid < 0) {
    context.failed_step = LaunchStep::new_session;
    context.error = -pid;
  }
  return context.failed_step == LaunchStep::none ? pid : 0;
}

// The commands that run.
struct Running {
  long pid = 0;  // 0: a free place
  uint32_t exec = 0;
  bool stays = false;
};
Running running[kMostExecs];

Running* find(long pid) {
  for (Running& place : running) {
    if (place.pid == pid) return &place;
  }
  return nullptr;
}

// Runs a command of this sandbox. One that cannot be started ends the sandbox, unless more may come.
void exec_command(const Received& received) {
  static ExecContext context;
  context = {};
  Running* place = find(0);
  long pid = 0;
  if (place != nullptr) {
    pid = try_exec(received, context);
  } else {
    context.failed_step = LaunchStep::init_start;
    context.error = kTryAgain;
  }
  close_all(received);
  if (context.command.address != 0) (void)call(SYS_munmap, context.command.address, context.command.size);
  const auto flags = static_cast<uint32_t>(received.message.value);
  const bool stays = (flags & kExecStays) != 0;
  if (pid == 0) {
    send_failure(received.message.exec, context.failed_step, context.error);
    if (!stays) end(1);
    return;
  }
  *place = {pid, context.id, stays};
  if ((flags & kExecTty) != 0) return;
  Message started;
  started.type = MessageType::started;
  started.exec = context.id;
  started.when_ns = now_ns();
  // Without it the supervisor would wait for a start, and not for the wall time.
  if (send(started) < 0) end(1);
}

// A child that asked to be traced by its parent (PTRACE_TRACEME) stops at its next signal, and we are told.
// It gets the signal and goes on, traced by nobody. SIGTRAP is what an exec tells its tracer, and nothing
// more.
void let_go(long pid, int signal) {
  (void)call(SYS_ptrace, PTRACE_DETACH, pid, 0, signal == SIGTRAP ? 0 : signal);
}

void tell_exited(Running& place, int status) {
  Message exited;
  exited.type = MessageType::exited;
  exited.exec = place.exec;
  exited.value = status;
  exited.when_ns = now_ns();
  place.pid = 0;
  const bool told = send(exited) >= 0;
  if (!place.stays) end(told ? 0 : 1);  // and with PID 1 everything that is left in the sandbox
}

// Reaps what ended. A storm of orphans must not keep us from all else: true when there may be more.
bool reap() {
  constexpr int kMostAtOnce = 256;
  for (int i = 0; i < kMostAtOnce; ++i) {
    int status = 0;
    const long pid = call(SYS_wait4, -1, pointer(&status), 1 /* WNOHANG */, 0);
    if (pid <= 0) return false;
    if ((status & 0xff) == 0x7f) {  // WIFSTOPPED, which is no end
      let_go(pid, (status >> 8) & 0xff);
    } else if (Running* place = find(pid); place != nullptr) {
      tell_exited(*place, status);
    }
  }
  return true;
}

// The command leads a process group of its own (setsid): a terminal would signal all of it, too.
void signal_command(uint32_t exec, int number) {
  for (const Running& place : running) {
    if (place.pid != 0 && place.exec == exec) (void)call(SYS_kill, -place.pid, number);
  }
}

// All signals are blocked: those that matter to a PID 1 arrive by the signalfd or the socket.
int open_child_signal() {
  const uint64_t all = ~0ULL;
  const uint64_t child = 1ULL << (SIGCHLD - 1);
  (void)call(SYS_rt_sigprocmask, SIG_SETMASK, pointer(&all), 0, sizeof all);
  return static_cast<int>(
      call(SYS_signalfd4, -1, pointer(&child), sizeof child, 02000000 | 04000 /* CLOEXEC, NONBLOCK */));
}

// False at the supervisor's end.
bool obey() {
  Received received;
  const long size = receive(received);
  if (size < 0) fail_to_start(size);
  if (size == 0) return false;
  if (received.message.type == MessageType::exec) {
    exec_command(received);
  } else {
    close_all(received);
  }
  if (received.message.type == MessageType::signal)
    signal_command(received.message.exec, received.message.value);
  return true;
}

[[noreturn]] void run() {
  // Before anything is read: nobody may trace us or open our /proc files.
  if (const long result = call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0); result < 0) fail_to_start(result);
  const int child_signal = open_child_signal();
  if (child_signal < 0) fail_to_start(child_signal);
  bool more_to_reap = false;
  while (true) {
    pollfd polled[2] = {{kControlFd, POLLIN, 0}, {child_signal, POLLIN, 0}};
    const timespec at_once{0, 0};
    const long ready = call(SYS_ppoll, pointer(polled), 2, more_to_reap ? pointer(&at_once) : 0, 0, 0);
    if (ready < 0) continue;  // EINTR
    if (polled[1].revents != 0) {
      char info[128 * 4];  // struct signalfd_siginfo
      while (call(SYS_read, child_signal, pointer(info), sizeof info) > 0) {
      }
    }
    if (polled[1].revents != 0 || more_to_reap) more_to_reap = reap();
    if (polled[0].revents != 0 && !obey()) end(0);
  }
}

}  // namespace
}  // namespace sbx::init

// The kernel enters here with an aligned stack and no return address (System V AMD64 ABI, 3.4.1).
extern "C" [[noreturn, gnu::force_align_arg_pointer]] void _start() { sbx::init::run(); }
