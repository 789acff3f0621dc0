#include "compat_mode.h"

#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

// 0x23 is the code segment of 32-bit programs (__USER32_CS). No stack is used but where sysenter and syscall
// say: three registers that the vdso restores, then where to return.
asm(R"(
.text
attack_far_return:
  pushq $0x23
  pushq $attack_code_32
  lretq
attack_to_sysenter:
  pushq $0x23
  pushq $attack_sysenter_32
  lretq
attack_to_syscall:
  pushq $0x23
  pushq $attack_syscall_32
  lretq

.code32
.globl attack_code_32
attack_code_32:
  movl $310, %eax
  movl $0x04000000, %ebx
  int $0x80
attack_exit_32:
  negl %eax
  movl %eax, %ebx
  movl $1, %eax
  int $0x80
.globl attack_code_32_end
attack_code_32_end:

attack_sysenter_32:
  movl $attack_stack_32, %esp
  movl %esp, %ebp
  movl $310, %eax
  movl $0x04000000, %ebx
  sysenter
attack_syscall_32:
  movl $attack_stack_32, %esp
  xorl %ebp, %ebp
  movl $310, %eax
  movl $0x04000000, %ebx
  syscall
.code64

.data
.balign 16
attack_stack_32:
  .long 0, 0, 0, attack_exit_32
.text
)");

extern "C" [[noreturn]] void attack_far_return();
extern "C" [[noreturn]] void attack_to_sysenter();
extern "C" [[noreturn]] void attack_to_syscall();

namespace sbx::attack {

void leave_by_far_return() { attack_far_return(); }
void leave_by_sysenter() { attack_to_sysenter(); }
void leave_by_syscall() { attack_to_syscall(); }

// The kernel maps one only where there is none (arch_prctl(2), ARCH_MAP_VDSO_32).
bool have_32_bit_vdso() {
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return false;
  struct {
    unsigned long from, to;
  } found[8] = {};
  int count = 0;
  char line[512];
  while (count < 8 && std::fgets(line, sizeof line, maps) != nullptr) {
    if (std::strstr(line, "[vdso]") == nullptr && std::strstr(line, "[vvar") == nullptr) continue;
    if (std::sscanf(line, "%lx-%lx", &found[count].from, &found[count].to) == 2) ++count;
  }
  (void)std::fclose(maps);
  for (int i = 0; i < count; ++i) {
    (void)munmap(reinterpret_cast<void*>(found[i].from), found[i].to - found[i].from);
  }
  return syscall(SYS_arch_prctl, ARCH_MAP_VDSO_32, 0x50000000) > 0;
}

}  // namespace sbx::attack
