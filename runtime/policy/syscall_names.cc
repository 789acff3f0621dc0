#include "policy/syscall_names.h"

#include <seccomp.h>

#include <algorithm>
#include <cstdlib>

namespace sbx {
namespace {

// Above every number that libseccomp can know: x86-64 had 470 calls in 2025.
constexpr std::uint32_t kScanEnd = 1024;

}  // namespace

ResolvedSyscall resolve_syscall(std::string_view name) {
  const auto* newer = std::ranges::find(kNewerSyscalls, name, &SyscallName::name);
  if (newer != kNewerSyscalls.end()) return {SyscallKind::native, newer->number};
  const int number = seccomp_syscall_resolve_name(std::string(name).c_str());
  if (number >= 0) return {SyscallKind::native, static_cast<std::uint32_t>(number)};
  // Below -1 are the pseudo numbers that stand for calls of other architectures.
  return {number == __NR_SCMP_ERROR ? SyscallKind::unknown : SyscallKind::foreign, 0};
}

std::vector<std::string> syscall_table() {
  std::vector<std::string> table(kScanEnd);
  for (std::uint32_t number = 0; number < kScanEnd; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number));
    if (name != nullptr) table[number] = name;
    std::free(name);
  }
  for (const SyscallName& newer : kNewerSyscalls) table[newer.number] = newer.name;
  while (table.back().empty()) table.pop_back();
  return table;
}

}  // namespace sbx
