// What the attempts of several families share.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "attack.h"

namespace sbx::attack {

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of an int

inline long fail(int error) {
  errno = error;
  return -1;
}

// The call worked, and there was nothing in it for the attacker.
inline long in_vain() { return fail(0); }
inline long only_if(bool got_it) { return got_it ? 0 : in_vain(); }

// What came of an attempt as the exit status of a process, and back.
inline int status_of(long result) {
  if (result >= 0) return 0;
  return errno != 0 ? errno : kInVain;
}
inline long result_of(int status) { return status == 0 ? 0 : fail(status == kInVain ? 0 : status); }

// Ends the attempt: there is nothing here to try it on.
[[noreturn]] void not_tried();

// In the victim its pid; 0 elsewhere.
extern volatile long victim_mark;

// A network of the attacker's own, where he is allowed to make one: there he harms nobody.
void try_own_network();

// Whether this kernel loads modules (target "modular"), and whether the tests ask to spare it that (target
// "modules" is "spare").
bool is_modular();
bool spares_modules();

// A child that ends with this process; as fork(2).
pid_t start_child();
// Waits for it and ends as it ended: its exit status is an errno, or its signal ends this process, too.
long end_as(pid_t child);
// The child of a clone ends at once.
inline long ends(long pid) {
  if (pid == 0) _exit(0);
  return pid;
}

std::string content_of(const std::string& path);  // empty where it cannot be read
long open_pidfd(pid_t pid);

// A call in the numbering of i386, by the interrupt that every process may use.
long i386_call(long number, long first = 0, long second = 0, long third = 0);
// What native numbers are more by in the numbering of x32 (__X32_SYSCALL_BIT, syscall(2)).
constexpr long kX32 = 0x40000000;

// Rows of the tables.
// Both the filter and the kernel refuse it with EPERM.
constexpr Attack refused(std::string_view name, std::string_view aim, std::string_view control,
                         long (*attempt)(), std::string_view outside = "ok") {
  return {.name = name,
          .aim = aim,
          .control = control,
          .inside = "EPERM",
          .outside = outside,
          .attempt = attempt};
}
// The filter refuses it; `unfiltered` is what the kernel says, and "ok" that the filter is alone.
constexpr Attack filtered(std::string_view name, std::string_view aim, std::string_view control,
                          long (*attempt)(), std::string_view outside = "ok",
                          std::string_view unfiltered = "ok") {
  return {.name = name,
          .aim = aim,
          .control = control,
          .inside = "EPERM",
          .unfiltered = unfiltered,
          .outside = outside,
          .attempt = attempt};
}
// A call in another numbering than the native one, whatever the profile allows.
constexpr Attack killed(std::string_view name, std::string_view aim, long (*attempt)(),
                        std::string_view outside = "ok") {
  return {.name = name,
          .aim = aim,
          .control = "filter: another numbering of system calls kills",
          .inside = "SIGSYS",
          .outside = outside,
          .attempt = attempt};
}

}  // namespace sbx::attack
