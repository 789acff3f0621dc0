// What a sandbox can lack of its host, in the words that `sbxctl doctor` and a run that fails for it share:
// what follows, and what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/spawner_protocol.h"
#include "wire/steps.h"

namespace sbx {

enum class HostNeed : std::uint8_t {
  capabilities,
  namespaces,
  namespace_limit,
  id_mapped_mounts,
  overlay,
  procfs,
  small_file_systems,
  devices,
  seccomp,
  kernel,
  id_pool,
  programs,
  merged_usr,
  cgroup_write,
  descriptors,
  project_disk,
  none,
};

struct HostNeedWords {
  std::string_view effect;
  std::string_view fix;
};

// A caller with a lower hard limit cannot put a sandbox together: the supervisor holds each mount of the plan
// by a descriptor.
inline constexpr std::uint64_t kLeastHostFiles = 64;

// Not for `none`.
const HostNeedWords& words_of(HostNeed need);

// The error with the words behind it: "TEXT; EFFECT; fix: FIX". `none`: as it is.
Error with_need(Error error, HostNeed need);

// The same by the errno of a call with which a supervisor prepares a sandbox: a capability that this process
// is `lacking` (host_rights.h), or the kernel. Where neither is to blame the error stays as it is.
Error with_host_need(Error error, const std::string& lacking);

// What to say after a launch that failed at this step: "; EFFECT; fix: FIX". `action`: of the mount that
// failed. Empty: the host is not to blame, or the error says it all.
std::string host_need_behind(LaunchStep step, std::optional<MountAction> action, int error_number,
                             const std::string& lacking);

// Whether file systems of this name (os::file_system_name) are known to refuse an id map (EINVAL,
// mount_setattr(2)): overlayfs, NFS, FUSE and others. Asked before the launch, so that the error can name it.
bool refuses_id_map(std::string_view file_system);

// Why a source cannot be shown with mapped ids, and what to do.
std::string id_map_refusal(std::string_view path, std::string_view file_system);

}  // namespace sbx
