// A seccomp profile as data (policies/seccomp/*.yaml): groups of rules, each with its reason, compiled to a
// BPF program and cached by content. policies/seccomp.schema.json describes the file. See seccomp(2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx {

// (argument & mask) is one of `values`, or none of them. Masks keep to the low 32 bits where the kernel reads
// 32 bits (CVE-2019-10063: a 64-bit comparison could be dodged with high bits set); in a file that is the
// default.
struct SeccompCondition {
  unsigned argument = 0;  // 0 to 5
  std::uint64_t mask = ~0ULL;
  std::vector<std::uint64_t> values;
  bool equal = true;  // false: the condition holds when (argument & mask) is none of `values`
  bool operator==(const SeccompCondition&) const = default;
};

enum class SeccompAction : std::uint8_t {
  allow,
  refuse,  // with an error
  ignore,  // success is answered and nothing done
};

struct SeccompRule {
  std::string syscall;  // as seccomp_syscall_resolve_name(3) spells it, or one of kNewerSyscalls
  SeccompAction action = SeccompAction::allow;
  int error_number = 0;                      // of refuse: the errno that the call gets
  std::vector<SeccompCondition> conditions;  // all must hold
  bool operator==(const SeccompRule&) const = default;
};

struct SeccompGroup {
  std::string name;
  std::string reason;
  std::vector<SeccompRule> rules;
};

// The first rule of a system call that applies wins. All rules of one call are in one group.
struct SeccompProfile {
  std::string name;
  std::string description;
  int default_error = 1;  // EPERM; of known calls that no rule decides
  std::vector<SeccompGroup> groups;
};

// Errors: as parse_policy's; a name that neither libseccomp nor kNewerSyscalls knows, a rule that can never
// apply. A call that only other architectures have is accepted and left out when compiling.
Result<SeccompProfile> parse_seccomp_profile(std::string_view path, std::string_view text);

// The filter as raw struct sock_filter bytes, ready for seccomp(2). Native ABI alone: any other architecture,
// and x32 on x86-64, kills the process. Numbers that we know no system call for, such as all above the
// highest known, give ENOSYS, so that a newer libc falls back. At most BPF_MAXINSNS instructions.
Result<std::string> compile_seccomp(const SeccompProfile& profile);

// The compiled filter of a profile's text, whose blake2b_hex is `digest`; from `cache_dir` when that was
// compiled before, else compiled and stored there (atomically; a cache that cannot be written is no error).
// `path` is for messages only. Errors: those of parsing and compiling.
Result<std::string> compile_seccomp_cached(std::string_view path, std::string_view text,
                                           std::string_view digest, const std::string& cache_dir);

}  // namespace sbx
