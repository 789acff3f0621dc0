#include "resource/host_rights.h"

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <memory>

#include "os/file.h"
#include "resource/host_checks.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

// Found by taking each one away.
constexpr std::array<cap_value_t, 9> kNeeded{CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID,
                                             CAP_CHOWN,     CAP_FOWNER, CAP_DAC_OVERRIDE,
                                             CAP_NET_ADMIN, CAP_MKNOD,  CAP_KILL};

struct Free {
  void operator()(void* object) const { (void)cap_free(object); }
};

// "SYS_ADMIN"
std::string name_of(cap_value_t capability) {
  const std::unique_ptr<char, Free> name(cap_to_name(capability));
  std::string text;
  for (const char* at = name ? name.get() : "cap_?"; *at != '\0'; ++at) {
    text += static_cast<char>(std::toupper(static_cast<unsigned char>(*at)));
  }
  return text.substr(std::string_view("CAP_").size());
}

}  // namespace

std::uint64_t effective_capabilities() {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, Free> ours(cap_get_proc());
  std::uint64_t set = 0;
  for (cap_value_t capability = 0; ours && capability < cap_max_bits(); ++capability) {
    cap_flag_value_t value = CAP_CLEAR;
    if (cap_get_flag(ours.get(), capability, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET)
      set |= 1ULL << static_cast<unsigned>(capability);
  }
  return set;
}

std::string lacking_capabilities(std::uint64_t set, bool cgroup_kill) {
  std::string text;
  for (const cap_value_t capability : kNeeded) {
    const bool has = (set >> static_cast<unsigned>(capability) & 1U) != 0;
    if (!has && !(capability == CAP_KILL && cgroup_kill))
      text += (text.empty() ? "" : ", ") + name_of(capability);
  }
  return text;
}

Result<void> check_host_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail(system_error("getrlimit", "RLIMIT_NOFILE", errno));
  if (limit.rlim_max >= kLeastHostFiles) return {};
  return fail(with_need(Error{"the caller's hard limit of open files is " + std::to_string(limit.rlim_max)},
                        HostNeed::descriptors));
}

std::vector<std::string> setting_warnings() {
  const auto pattern = os::read_file(AT_FDCWD, "/proc/sys/kernel/core_pattern", 4096);
  const std::string effect = pattern ? core_socket_effect(*pattern) : "";
  if (effect.empty()) return {};
  return {"core_pattern of this host is a socket: " + effect};
}

}  // namespace sbx
