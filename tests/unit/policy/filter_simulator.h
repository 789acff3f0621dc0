// Runs a seccomp filter without the kernel, and says what a profile means without a filter: the compiler is
// right where the two agree.
#pragma once

#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "policy/seccomp_profile.h"
#include "policy/syscall_names.h"

namespace sbx::testing {

using Arguments = std::array<std::uint64_t, 6>;

#ifdef __x86_64__
inline constexpr std::uint32_t kNativeArch = AUDIT_ARCH_X86_64;
#else
inline constexpr std::uint32_t kNativeArch = AUDIT_ARCH_AARCH64;
#endif

class Filter {
 public:
  explicit Filter(const std::string& bytes) : code_(bytes.size() / sizeof(sock_filter)) {
    REQUIRE(bytes.size() % sizeof(sock_filter) == 0);
    REQUIRE(!bytes.empty());
    std::memcpy(code_.data(), bytes.data(), bytes.size());
  }

  [[nodiscard]] std::size_t size() const { return code_.size(); }

  // The kernel's answer (SECCOMP_RET_*) to a call. A program that the kernel would refuse fails the test.
  [[nodiscard]] std::uint32_t answer(std::uint32_t number, const Arguments& arguments = {},
                                     std::uint32_t arch = kNativeArch) const {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = arch;
    std::copy(arguments.begin(), arguments.end(), data.args);
    std::uint32_t accumulator = 0;
    for (std::size_t at = 0; at < code_.size(); ++at) {
      const sock_filter& instruction = code_[at];
      switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (instruction.k % 4 != 0 || instruction.k + 4 > sizeof data) FAIL("a load that the kernel refuses");
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k, 4);
        break;
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= instruction.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += accumulator == instruction.k ? instruction.jt : instruction.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += accumulator >= instruction.k ? instruction.jt : instruction.jf;
        break;
      case BPF_JMP | BPF_JA: at += instruction.k; break;
      case BPF_RET | BPF_K: return instruction.k;
      default: FAIL("an instruction that we do not use: " << instruction.code);
      }
    }
    FAIL("ran off the end of the program");
    return 0;
  }

 private:
  std::vector<sock_filter> code_;
};

inline std::uint32_t refusal(int error_number) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error_number);
}

inline std::uint32_t number_of(std::string_view name) {
  const ResolvedSyscall call = resolve_syscall(name);
  REQUIRE_MESSAGE(call.kind == SyscallKind::native, std::string(name));
  return call.number;
}

inline bool holds(const SeccompCondition& condition, const Arguments& arguments) {
  const std::uint64_t seen = arguments[condition.argument] & condition.mask;
  return (std::ranges::find(condition.values, seen) != condition.values.end()) == condition.equal;
}

// What seccomp_profile.h promises for a call under a profile, which must outlive this.
class Meaning {
 public:
  explicit Meaning(const SeccompProfile& profile) : default_error_(profile.default_error) {
    for (const SeccompGroup& group : profile.groups) {
      for (const SeccompRule& rule : group.rules) {
        const ResolvedSyscall call = resolve_syscall(rule.syscall);
        if (call.kind == SyscallKind::native) rules_[call.number].push_back(&rule);
      }
    }
  }

  [[nodiscard]] std::uint32_t of(std::uint32_t number, const Arguments& arguments = {}) const {
#ifdef __x86_64__
    if (number >= 0x40000000 && number != 0xffffffff) return SECCOMP_RET_KILL_PROCESS;
#endif
    if (const auto found = rules_.find(number); found != rules_.end()) {
      for (const SeccompRule* rule : found->second) {
        const auto applies = [&](const SeccompCondition& condition) { return holds(condition, arguments); };
        if (!std::ranges::all_of(rule->conditions, applies)) continue;
        return rule->action == SeccompAction::allow ? SECCOMP_RET_ALLOW : refusal(rule->error_number);
      }
    }
    const bool known = number < table_.size() && !table_[number].empty();
    return refusal(known ? default_error_ : ENOSYS);
  }

 private:
  int default_error_;
  std::map<std::uint32_t, std::vector<const SeccompRule*>> rules_;
  std::vector<std::string> table_ = syscall_table();
};

}  // namespace sbx::testing
