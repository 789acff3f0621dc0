// The limit of memory of each policy, as sbxd said: what a sandbox has that asks for none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "api/admission.h"
#include "request/run_request.h"

namespace sbx::api {

struct PolicyMemory {
  std::map<std::string, std::optional<std::uint64_t>, std::less<>> bytes;  // nothing: the policy has no limit

  // Of a policy without a limit: all that there is. Of one that is not known: nothing, as it will be refused.
  [[nodiscard]] std::uint64_t of(const RunRequest& request, const Admission::Limits& limits) const {
    if (request.limits.memory_bytes) return *request.limits.memory_bytes;
    const auto found = bytes.find(request.policy);
    if (found == bytes.end()) return 0;
    return found->second ? *found->second : limits.memory_bytes.value_or(0);
  }
};

}  // namespace sbx::api
