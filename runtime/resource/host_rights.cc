#include "resource/host_rights.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace sbx {
namespace {

// Found by taking each one away.
struct Capability {
  unsigned number;
  const char* name;
};
constexpr std::array<Capability, 9> kNeeded{{{CAP_SYS_ADMIN, "SYS_ADMIN"},
                                             {CAP_SETUID, "SETUID"},
                                             {CAP_SETGID, "SETGID"},
                                             {CAP_CHOWN, "CHOWN"},
                                             {CAP_FOWNER, "FOWNER"},
                                             {CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
                                             {CAP_NET_ADMIN, "NET_ADMIN"},
                                             {CAP_MKNOD, "MKNOD"},
                                             {CAP_KILL, "KILL"}}};

}  // namespace

std::uint64_t effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return 0;
  return data[0].effective | std::uint64_t{data[1].effective} << 32U;
}

std::string lacking_capabilities(std::uint64_t set, bool cgroup_kill) {
  std::string text;
  for (const Capability& capability : kNeeded) {
    if ((set >> capability.number & 1U) != 0 || (capability.number == CAP_KILL && cgroup_kill)) continue;
    text += (text.empty() ? "" : ", ") + std::string(capability.name);
  }
  return text;
}

}  // namespace sbx
