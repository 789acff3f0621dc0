// 32-bit code, for those who leave 64-bit mode: to the processor, and so to the kernel, it is another ABI
// whoever it came from.
#pragma once

// Of two calls of i386: unshare(CLONE_NEWUTS), and exit with its error.
extern "C" const char attack_code_32[];
extern "C" const char attack_code_32_end[];

namespace sbx::attack {

// Runs it by a far return, and never comes back.
[[noreturn]] void leave_by_far_return();
// Runs its like, with the instructions that the 32-bit vdso uses; each processor knows one of them in 32-bit
// mode. The vdso has to be the 32-bit one, since the kernel returns there: false where that could not be had.
bool have_32_bit_vdso();
[[noreturn]] void leave_by_sysenter();
[[noreturn]] void leave_by_syscall();

}  // namespace sbx::attack
