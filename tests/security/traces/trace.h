// What one sandbox could leave for another to find: things that outlive a call, each left by one process and
// looked for by another. Tables of the kinds are in the files beside this one.
#pragma once

#include <cerrno>
#include <span>
#include <string>
#include <string_view>

namespace sbx::trace {

// Outcomes are texts as those of attacks (../attacks/attack.h): "ok" means found.
struct Trace {
  std::string_view name;     // KIND.WHAT
  std::string_view aim;      // what is left and found, to follow "to find"
  std::string_view control;  // what keeps it from others
  // What another sandbox gets while the one that left it lives, under every shipped policy.
  std::string_view other;
  // What the next one gets.
  std::string_view next = other;
  // Both, where the system call filter lets everything pass.
  std::string_view unfiltered = other;
  std::string_view unfiltered_next = unfiltered == other ? next : unfiltered;
  // What the sandbox that left it gets itself, under `default`.
  std::string_view alone = "ok";
  // What two processes get outside, in the same namespaces: "ok", or "not tried: WHY".
  std::string_view outside = "ok";
  // In a process of its own, which stays until all have looked. Negative, with errno, where it failed.
  long (*leave)();
  // In a process of its own. Negative, with errno, where it found nothing.
  long (*find)();
  // Takes away what neither the process nor its namespaces take with them.
  void (*forget)() = nullptr;
};

std::span<const Trace> file_traces();
std::span<const Trace> shared_file_traces();
std::span<const Trace> page_cache_traces();
std::span<const Trace> ipc_traces();
std::span<const Trace> key_traces();
std::span<const Trace> process_traces();
std::span<const Trace> network_traces();

// In the names and numbers of what is left: the same for those who leave and those who find.
long key();
std::string name_with_key();

inline long fail(int error) {
  errno = error;
  return -1;
}

}  // namespace sbx::trace
