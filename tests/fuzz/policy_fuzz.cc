// Policies: an error names its place; what was read and is written again is read as the same.
#include "fuzz/fuzz.h"
#include "policy/policy.h"

namespace sbx::fuzz {
namespace {

constexpr std::string_view kName = "fuzz.yaml";

std::string limits_text(const LimitSet& limits, bool all) {
  std::string text;
  for (const LimitField& field : kLimits) {
    const auto value = limits.*field.member;
    if (!value && !all) continue;
    text += "  " + std::string(field.key) + ": " +
            (value ? format_limit(field, *value) : std::string(unlimited_word(field))) + "\n";
  }
  return text;
}

std::string written(const Policy& policy) {
  std::string text = "name: " + yaml_text(policy.name) + "\ndescription: " + yaml_text(policy.description) +
                     "\nlimits:\n" + limits_text(policy.limits, true);
  if (policy.ceilings != LimitSet{}) text += "ceilings:\n" + limits_text(policy.ceilings, false);
  text += std::string("wall_time_with_tty: ") + (policy.wall_time_with_tty ? "limited" : "unlimited") +
          "\nseccomp: " + yaml_text(policy.seccomp) +
          "\nwritable_root: " + (policy.writable_root ? "true" : "false") +
          "\nworkspace: {layout: " + (policy.workspace_layout == WorkspaceLayout::flat ? "flat" : "split") +
          "}\nallow_degraded: [";
  for (const std::string& control : policy.allow_degraded) text += control + ", ";
  text += std::string("]\nbackground_processes: ") + (policy.background_processes ? "true" : "false");
  text += "\nbind_roots:" + std::string(policy.bind_roots.empty() ? " []" : "");
  for (const BindRoot& root : policy.bind_roots) {
    text += "\n  - path: " + yaml_text(root.path) + "\n    mode: " + (root.writable ? "rw" : "ro");
    for (const auto& [key, names] : {std::pair("users", &root.users), std::pair("groups", &root.groups)}) {
      if (!names->empty()) text += std::string("\n    ") + key + ":";
      for (const std::string& name : *names) text += "\n      - " + yaml_text(name);
    }
  }
  return text + "\nreport_denials: " + (policy.report_denials ? "true" : "false") + "\n";
}

void must_be_equal(const Policy& one, const Policy& two, const std::string& text) {
  must(one.name == two.name && one.description == two.description && one.seccomp == two.seccomp,
       "names and texts stay", text);
  must(one.limits == two.limits && one.ceilings == two.ceilings, "limits stay", text);
  must(one.bind_roots == two.bind_roots, "granted directories stay", text);
  must(one.wall_time_with_tty == two.wall_time_with_tty && one.writable_root == two.writable_root &&
           one.workspace_layout == two.workspace_layout && one.allow_degraded == two.allow_degraded &&
           one.background_processes == two.background_processes && one.report_denials == two.report_denials,
       "choices stay", text);
}

void try_policy(std::string_view text) {
  const Result<Policy> policy = parse_policy(kName, text);
  if (!policy) return must_name_place(policy.error(), kName, text);
  for (const LimitField& field : kLimits) {
    const auto limit = policy->limits.*field.member;
    const auto ceiling = policy->ceilings.*field.member;
    must(!limit || (*limit >= field.least && *limit <= field.most), "a limit lies within its bounds",
         field.name);
    must(!limit || !ceiling || *limit <= *ceiling, "no limit is above its ceiling", field.name);
  }
  const std::string again = written(*policy);
  const Result<Policy> second = parse_policy(kName, again);
  must(second.has_value(), "what was written is read", again + (second ? "" : second.error().text));
  must_be_equal(*policy, *second, again);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_policy(sbx::fuzz::text_of(data, size));
  return 0;
}
