// From a plan to what a spawner needs: every source as a detached mount, every id as a number on the host.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "plan/sandbox_plan.h"
#include "resource/bind_sources.h"
#include "resource/id_pool.h"
#include "resource/projects.h"
#include "resource/storage_use.h"
#include "wire/spawner_protocol.h"

namespace sbx {

struct PreparedMounts {
  std::vector<UniqueFd> mounts;  // in the order of the plan's sources
  std::vector<IdMap> id_maps;    // the first is the sandbox's own
  std::vector<MountDescriptor> descriptors;
  std::vector<StorageUse> storage;
};

// What was opened before, and is not looked up again.
struct OpenSources {
  const Project& project;  // of a plan that shows one
  const BindSources& binds;
  int build = -1;  // the build place, of a plan that has one
};

// `degradations` gets
// "idmapped_mounts" where a source cannot be id-mapped and the policy allows it.
Result<PreparedMounts> prepare_mounts(const SandboxPlan& plan, const OpenSources& open, const IdClaim& ids,
                                      const IdPool& pool, const std::vector<std::string>& allowed,
                                      std::vector<std::string>& degradations);

}  // namespace sbx
