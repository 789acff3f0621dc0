// Names and numbers of the system calls of this machine's own ABI.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sbx {

struct SyscallName {
  std::string_view name;
  std::uint32_t number;
};

// Calls newer than the libseccomp we build with (2.5.4 may stop at 450, Linux 5.17), so that a profile can
// name them. Since Linux 5.1 a new call has one number on every architecture but alpha. Source: Linux 6.17,
// arch/x86/entry/syscalls/syscall_64.tbl.
inline constexpr std::array<SyscallName, 19> kNewerSyscalls{{
    {"cachestat", 451},         {"fchmodat2", 452},         {"map_shadow_stack", 453}, {"futex_wake", 454},
    {"futex_wait", 455},        {"futex_requeue", 456},     {"statmount", 457},        {"listmount", 458},
    {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},        {"listxattrat", 465},      {"removexattrat", 466},
    {"open_tree_attr", 467},    {"file_getattr", 468},      {"file_setattr", 469},
}};

enum class SyscallKind : std::uint8_t {
  native,   // has a number here
  foreign,  // a call of other architectures only
  unknown,
};

struct ResolvedSyscall {
  SyscallKind kind = SyscallKind::unknown;
  std::uint32_t number = 0;  // of a native one
};

// `name` as seccomp_syscall_resolve_name(3) and kNewerSyscalls spell it.
ResolvedSyscall resolve_syscall(std::string_view name);

// The name of each number, empty where we know no call of that number; the last one is not empty. Takes about
// a millisecond.
std::vector<std::string> syscall_table();

}  // namespace sbx
