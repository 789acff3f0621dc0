// What this host can enforce, what follows where it cannot, and what to do: the doctor.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "resource/host_checks.h"
#include "run/settings.h"

namespace sbx {

struct Diagnosis {
  std::string policy;
  std::vector<HostCheck> checks;
  bool enforceable = false;
};

// Of a policy: a name, or a file. Changes nothing.
Diagnosis diagnose(const Settings& settings, const std::string& policy_name);

nlohmann::ordered_json diagnosis_json(const Diagnosis& diagnosis);

}  // namespace sbx
