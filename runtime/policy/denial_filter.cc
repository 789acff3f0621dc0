#include "policy/denial_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cerrno>
#include <cstring>

namespace sbx {
namespace {

bool tells(const sock_filter& instruction) {
  if (instruction.code != (BPF_RET | BPF_K)) return false;
  const std::uint32_t error = instruction.k & SECCOMP_RET_DATA;
  return (instruction.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && error != 0 && error != ENOSYS;
}

}  // namespace

std::string with_denials_told(std::string filter) {
  for (std::size_t at = 0; at + sizeof(sock_filter) <= filter.size(); at += sizeof(sock_filter)) {
    sock_filter instruction{};
    std::memcpy(&instruction, filter.data() + at, sizeof instruction);
    if (!tells(instruction)) continue;
    instruction.k = SECCOMP_RET_USER_NOTIF;
    std::memcpy(filter.data() + at, &instruction, sizeof instruction);
  }
  return filter;
}

}  // namespace sbx
