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

// Both start a child on a stack of its own, as CLONE_VM needs: it calls function(argument), which must not
// return. They give the parent the pid, or -errno. `first` and `second` are the first two arguments of the
// call.
[[gnu::noinline]] inline long clone_and_call(long number, long first, long second, void (*function)(void*),
                                             void* argument) {
  register void (*child_function)(void*) __asm__("r12") = function;
  register void* child_argument __asm__("r13") = argument;
  register long parent_tid __asm__("rdx") = 0;  // the further arguments of clone(2); clone3 has none
  register long child_tid __asm__("r10") = 0;
  register long tls __asm__("r8") = 0;
  long result = number;
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
      : "D"(first), "S"(second), "r"(child_function), "r"(child_argument), "r"(parent_tid), "r"(child_tid),
        "r"(tls)
      : "rcx", "r11", "memory");
  return result;
}

// clone3(2); `arguments` is a struct clone_args that names the stack, with a top aligned to 16.
inline long clone_call(const void* arguments, size_t size, void (*function)(void*), void* argument) {
  return clone_and_call(SYS_clone3, pointer(arguments), static_cast<long>(size), function, argument);
}

// clone(2), where a seccomp filter forbids clone3; `stack_top` is aligned to 16.
inline long old_clone_call(unsigned long flags, void* stack_top, void (*function)(void*), void* argument) {
  return clone_and_call(SYS_clone, static_cast<long>(flags), pointer(stack_top), function, argument);
}

}  // namespace sbx::raw
