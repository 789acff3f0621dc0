#include "init/denials.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/mman.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "os/raw.h"
#include "wire/denials.h"
#include "wire/init_protocol.h"

namespace sbx::init {
namespace {

using raw::call;
using raw::pointer;

constexpr int kNotPermitted = 1;
constexpr long kRead = 1;
constexpr long kWrite = 2;

bool is_error(long result) { return result < 0 && result > -4096; }

// What a filter returns for a call; only the instructions that libseccomp makes. 0, which kills, for any
// other.
uint32_t evaluate(const sock_filter* program, uint32_t length, const seccomp_data& data) {
  const auto* words = reinterpret_cast<const uint32_t*>(&data);
  uint32_t accumulator = 0;
  for (uint32_t at = 0; at < length; ++at) {
    const sock_filter& instruction = program[at];
    const uint32_t k = instruction.k;
    bool holds = false;
    switch (instruction.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      if (k % sizeof(uint32_t) != 0 || k >= sizeof data) return 0;
      accumulator = words[k / sizeof(uint32_t)];
      continue;
    case BPF_ALU | BPF_AND | BPF_K: accumulator &= k; continue;
    case BPF_JMP | BPF_JA: at += k; continue;
    case BPF_JMP | BPF_JEQ | BPF_K: holds = accumulator == k; break;
    case BPF_JMP | BPF_JGE | BPF_K: holds = accumulator >= k; break;
    case BPF_JMP | BPF_JGT | BPF_K: holds = accumulator > k; break;
    case BPF_JMP | BPF_JSET | BPF_K: holds = (accumulator & k) != 0; break;
    case BPF_RET | BPF_K: return k;
    default: return 0;
    }
    at += holds ? instruction.jt : instruction.jf;
  }
  return 0;
}

void count(DenialTable& table, const seccomp_data& data) {
  const auto number = static_cast<uint32_t>(data.nr);
  if (number >= kDenialCalls) return;
  ++table.calls[number];
  if (number != SYS_socket && number != SYS_socketpair) return;
  const auto asked = static_cast<uint32_t>(data.args[0]);
  const uint32_t family = asked < kDenialFamilies ? asked : kDenialFamilies - 1;
  ++(number == SYS_socket ? table.socket : table.socketpair)[family];
}

[[noreturn]] void run(DenialTable& table, const sock_filter* program, uint32_t length) {
  // Nothing of the sandbox's is ours: neither the socket, whose end is the supervisor's death, nor a right.
  (void)call(SYS_dup3, kListenerFd, 0, 0);
  (void)call(SYS_close_range, 1, ~0U, 0);
  const __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  (void)call(SYS_capset, pointer(&header), pointer(none));
  while (true) {
    // Larger than today's struct: a later kernel may have more to say (seccomp(2), SECCOMP_GET_NOTIF_SIZES).
    alignas(8) char room[512] = {};
    if (is_error(call(SYS_ioctl, 0, SECCOMP_IOCTL_NOTIF_RECV, pointer(room)))) continue;
    const auto& told = *reinterpret_cast<const seccomp_notif*>(room);
    count(table, told.data);
    alignas(8) char answer_room[512] = {};
    auto& answer = *reinterpret_cast<seccomp_notif_resp*>(answer_room);
    answer.id = told.id;
    const uint32_t result = evaluate(program, length, told.data);
    const bool known = (result & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
    answer.error = known ? -static_cast<int32_t>(result & SECCOMP_RET_DATA) : -kNotPermitted;
    (void)call(SYS_ioctl, 0, SECCOMP_IOCTL_NOTIF_SEND, pointer(answer_room));
  }
}

}  // namespace

long start_denial_counter(int table_fd, int filter_fd) {
  struct stat status {};
  long result = call(SYS_fstat, filter_fd, pointer(&status));
  if (result < 0) return result;
  const long table = call(SYS_mmap, 0, sizeof(DenialTable), kRead | kWrite, MAP_SHARED, table_fd, 0);
  if (is_error(table)) return table;
  const long program = call(SYS_mmap, 0, status.st_size, kRead, MAP_PRIVATE, filter_fd, 0);
  if (is_error(program)) return program;
  const auto length = static_cast<uint32_t>(static_cast<unsigned long>(status.st_size) / sizeof(sock_filter));
  result = call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  // NOLINTBEGIN(performance-no-int-to-ptr): raw system calls
  if (result == 0)
    run(*reinterpret_cast<DenialTable*>(table), reinterpret_cast<const sock_filter*>(program), length);
  // NOLINTEND(performance-no-int-to-ptr)
  if (result < 0) return result;
  (void)call(SYS_munmap, table, sizeof(DenialTable));
  (void)call(SYS_munmap, program, status.st_size);
  (void)call(SYS_close, kListenerFd);
  return 0;
}

}  // namespace sbx::init
