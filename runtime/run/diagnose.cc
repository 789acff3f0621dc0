#include "run/diagnose.h"

#include <nlohmann/json.hpp>

#include "policy/policy.h"
#include "resource/image_folders.h"
#include "run/stored_image.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

// Of each image in the store. No image is needed: there is always `host`.
HostCheck check_image(const Settings& settings, const std::string& name) {
  const Result<StoredImage> stored = load_image(settings.state_dir, name);
  HostCheck check{"images", name, CheckState::ok, false, "", "", ""};
  if (!stored) {
    check.state = CheckState::degraded;
    check.found = stored.error().text;
    check.effect = "runs in this image are refused";
    const std::string command = command_that_builds(settings.rootfs, name);
    check.fix = command.empty() ? "import it again" : command + ", or import it again";
    return check;
  }
  const std::optional<std::uint64_t> days = age_in_days(stored->sidecar);
  check.found = days ? "built " + std::to_string(*days) + " days ago" : "built " + stored->sidecar.built_at;
  if (is_old(stored->sidecar, settings)) {
    check.state = CheckState::degraded;
    check.effect = "its packages lack what was corrected since";
    check.fix = how_to_renew(*stored, settings);
  }
  return check;
}

}  // namespace

Diagnosis diagnose(const Settings& settings, const std::string& policy_name) {
  Diagnosis diagnosis;
  diagnosis.policy = policy_name;
  HostCheck policy_check{"policy", policy_name, CheckState::ok, true, "", "", ""};
  const Result<Policy> policy = load_policy(policy_name, settings.policy_dirs);
  if (policy) {
    policy_check.found = policy->path;
  } else {
    policy_check.state = CheckState::missing;
    policy_check.found = policy.error().text;
    policy_check.effect = "no run under it is possible";
    policy_check.fix = "name another policy, or correct its file";
  }
  const HostFacts facts =
      gather_host_facts({settings.state_dir, settings.cgroup_parent, settings.ids, settings.helpers});
  diagnosis.checks =
      policy ? check_host(facts, policy->allow_degraded, policy->limits.memory_bytes) : check_host(facts, {});
  diagnosis.checks.insert(diagnosis.checks.begin(), std::move(policy_check));
  // Those whom the store is closed to are not told of it.
  if (const auto names = list_images(settings.state_dir)) {
    for (const std::string& name : *names) diagnosis.checks.push_back(check_image(settings, name));
  }
  diagnosis.enforceable = can_enforce(diagnosis.checks);
  return diagnosis;
}

Json diagnosis_json(const Diagnosis& diagnosis) {
  Json checks = Json::array();
  const auto text_or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  for (const HostCheck& check : diagnosis.checks) {
    checks.push_back({{"group", check.group},
                      {"name", check.name},
                      {"state", check_state_name(check.state)},
                      {"required", check.required},
                      {"found", check.found},
                      {"effect", text_or_null(check.effect)},
                      {"fix", text_or_null(check.fix)}});
  }
  return {{"schema", 1},
          {"version", SBX_VERSION},
          {"policy", diagnosis.policy},
          {"enforceable", diagnosis.enforceable},
          {"checks", checks}};
}

}  // namespace sbx
