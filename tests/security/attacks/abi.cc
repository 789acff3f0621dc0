// System calls of another kind than those that the filter knows by number.
#include <cpuid.h>
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "attempts.h"
#include "compat_mode.h"

namespace sbx::attack {
namespace {

constexpr unsigned short kSegment32 = 0x23;  // __USER32_CS

long enter_by_sysenter() {
  if (!have_32_bit_vdso()) return only_if(false);
  leave_by_sysenter();
}

// Not tried, and so in vain, on Intel's processors: they do not know it there, and some emulators of them let
// it through to a kernel that does not expect it.
long enter_by_syscall() {
  unsigned a = 0;
  unsigned vendor[3] = {};
  (void)__get_cpuid(0, &a, &vendor[0], &vendor[2], &vendor[1]);
  if (std::memcmp(vendor, "AuthenticAMD", sizeof vendor) != 0) return only_if(false);
  if (!have_32_bit_vdso()) return only_if(false);
  leave_by_syscall();
}

// The kernel goes on where the frame says, in the mode that its segment says.
void into_32_bits(int, siginfo_t*, void* frame) {
  auto& registers = static_cast<ucontext_t*>(frame)->uc_mcontext.gregs;
  auto segments = static_cast<std::uint64_t>(registers[REG_CSGSFS]);
  segments = (segments & ~std::uint64_t{0xffff}) | kSegment32;
  registers[REG_CSGSFS] = static_cast<greg_t>(segments);
  registers[REG_RIP] = reinterpret_cast<greg_t>(attack_code_32);
}

long return_from_signal() {
  struct sigaction action {};
  action.sa_sigaction = into_32_bits;
  action.sa_flags = SA_SIGINFO;
  (void)sigaction(SIGUSR1, &action, nullptr);
  (void)raise(SIGUSR1);
  return only_if(false);
}

long put_into_32_bits_by_tracer() {
  const pid_t child = start_child();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(errno);
    (void)raise(SIGSTOP);
    _exit(EINVAL);
  }
  int status = 0;
  (void)waitpid(child, &status, __WALL);
  if (WIFSTOPPED(status)) {
    user_regs_struct registers{};
    (void)ptrace(PTRACE_GETREGS, child, nullptr, &registers);
    registers.cs = kSegment32;
    registers.rip = reinterpret_cast<unsigned long>(attack_code_32);
    registers.orig_rax = ~0UL;  // no call to restart
    (void)ptrace(PTRACE_SETREGS, child, nullptr, &registers);
    (void)ptrace(PTRACE_DETACH, child, nullptr, nullptr);
    return end_as(child);
  }
  errno = WEXITSTATUS(status);
  return -1;
}

// A 32-bit program of one page.
long run_32_bit_program() {
  constexpr std::uint32_t kBase = 0x10000000;
  struct Program {
    Elf32_Ehdr header;
    Elf32_Phdr segment;
    char code[64];
  } program{};
  std::memcpy(program.header.e_ident, ELFMAG, SELFMAG);
  program.header.e_ident[EI_CLASS] = ELFCLASS32;
  program.header.e_ident[EI_DATA] = ELFDATA2LSB;
  program.header.e_ident[EI_VERSION] = EV_CURRENT;
  program.header.e_type = ET_EXEC;
  program.header.e_machine = EM_386;
  program.header.e_version = EV_CURRENT;
  program.header.e_entry = kBase + offsetof(Program, code);
  program.header.e_phoff = offsetof(Program, segment);
  program.header.e_ehsize = sizeof program.header;
  program.header.e_phentsize = sizeof program.segment;
  program.header.e_phnum = 1;
  program.segment.p_type = PT_LOAD;
  program.segment.p_vaddr = program.segment.p_paddr = kBase;
  program.segment.p_filesz = program.segment.p_memsz = sizeof program;
  program.segment.p_flags = PF_R | PF_X;
  program.segment.p_align = 4096;
  std::copy(attack_code_32, attack_code_32_end, program.code);
  const int fd = memfd_create("attack", 0);
  if (write(fd, &program, sizeof program) != static_cast<ssize_t>(sizeof program)) return -1;
  char name[] = "attack";
  char* arguments[] = {name, nullptr};
  return syscall(SYS_execveat, fd, "", arguments, arguments + 1, AT_EMPTY_PATH);
}

// Each processor has one of the two instructions in 32-bit mode.
constexpr Attack by_instruction(std::string_view name, std::string_view aim, long (*attempt)(),
                                std::string_view inside, std::string_view outside) {
  return {.name = name,
          .aim = aim,
          .control = "filter: another numbering of system calls kills",
          .inside = inside,
          .outside = outside,
          .attempt = attempt};
}

constexpr const char* kMaybeX32 = "ok|ENOSYS";  // few kernels have its numbers

constexpr Attack kAttacks[] = {
    killed("abi.i386_getpid", "make a call in the numbering of i386", [] { return i386_call(20); }),
    // Under it one number is sixteen calls on sockets, with arguments behind a pointer.
    killed("abi.i386_socketcall", "make a socket of any family by the socketcall of i386",
           [] {
             static std::uint32_t arguments[3] = {16 /* AF_NETLINK */, 3 /* SOCK_RAW */, 0};
             return i386_call(102, 1, reinterpret_cast<long>(arguments));
           }),
    killed("abi.i386_keyctl", "have a keyring by the keyctl of i386",
           [] { return i386_call(288, 0, -2 /* the process's */, 1); }),
    killed("abi.i386_personality", "make memory executable by the personality of i386",
           [] { return i386_call(136, 0x400000 /* READ_IMPLIES_EXEC */); }),
    killed(
        "abi.i386_unknown", "make a call that even i386 has not", [] { return i386_call(10'000); }, "ENOSYS"),
    killed("abi.far_return", "run 32-bit code by a far return", []() -> long { leave_by_far_return(); }),
    by_instruction("abi.sysenter", "call from 32-bit code as Intel's processors do", enter_by_sysenter,
                   "SIGSYS|SIGILL", "ok|SIGILL"),
    by_instruction("abi.syscall_32", "call from 32-bit code as AMD's processors do", enter_by_syscall,
                   "SIGSYS|in vain", "ok|in vain"),
    killed("abi.signal_frame", "run 32-bit code by a forged signal frame", return_from_signal),
    {.name = "abi.tracer",
     .aim = "have a tracer put a child into 32-bit code",
     .control = "filter: another numbering of system calls kills",
     .inside = "SIGSYS",
     .strict = "EPERM",
     .attempt = put_into_32_bits_by_tracer},
    killed("abi.program_32", "run a program of 32-bit code", run_32_bit_program),
    killed(
        "abi.x32_getpid", "make a call in the numbering of x32", [] { return syscall(kX32 + SYS_getpid); },
        kMaybeX32),
    killed(
        "abi.x32_execve", "run a program by the execve of x32",
        [] {
          char name[] = "/bin/true";
          // x32 has 32-bit pointers, so nothing is passed
          return syscall(kX32 + 520, name, nullptr, nullptr);
        },
        "ok|ENOSYS|EFAULT"),
    killed(
        "abi.x32_ptrace", "be traced by the ptrace of x32",
        [] { return syscall(kX32 + 521, PTRACE_TRACEME, 0, 0, 0); }, kMaybeX32),
    killed(
        "abi.x32_ioctl", "type into a terminal by the ioctl of x32",
        [] { return syscall(kX32 + 514, 0, 0x5412 /* TIOCSTI */, ""); },
        "not tried: it would type for whoever runs the tests"),
    killed(
        "abi.x32_unknown", "make a call that even x32 has not", [] { return syscall(kX32 + 1000); },
        "ENOSYS"),
};

}  // namespace

std::span<const Attack> abi_attacks() { return kAttacks; }

}  // namespace sbx::attack
