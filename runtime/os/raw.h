// System calls as the code between clone3 and exec may use them, and our init, which has no C library:
// no errno, no locks, no allocation. Each returns the kernel's value, or -errno.
// x86-64 only: the syscall instruction clobbers rcx and r11 (System V AMD64 ABI, appendix A.2.1).
#pragma once

#include <stddef.h>
#include <sys/syscall.h>

#ifndef __x86_64__
#error "sbx supports x86-64 only so far"
#endif

namespace sbx::raw {

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result = number;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

inline long pointer(const void* address) { return reinterpret_cast<long>(address); }

// clone3(2) with a stack of its own for the child, as CLONE_VM needs: the child calls function(argument)
// there, and function must not return. `arguments` is a struct clone_args that names the stack, with a top
// aligned to 16. Gives the parent the pid, or -errno.
[[gnu::noinline]] inline long clone_call(const void* arguments, size_t size, void (*function)(void*),
                                         void* argument) {
  register void (*child_function)(void*) __asm__("r12") = function;
  register void* child_argument __asm__("r13") = argument;
  long result = SYS_clone3;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"  // the end of the child's call chain
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n\t"
      "1:"
      : "+a"(result)
      : "D"(arguments), "S"(size), "r"(child_function), "r"(child_argument)
      : "rcx", "r11", "memory");
  return result;
}

}  // namespace sbx::raw
