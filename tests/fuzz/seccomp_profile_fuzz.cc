// Seccomp profiles: as policies; and what is compiled is a filter that the kernel could take.
#include <linux/bpf_common.h>
#include <linux/filter.h>

#include <algorithm>

#include "fuzz/fuzz.h"
#include "policy/seccomp_profile.h"

namespace sbx::fuzz {
namespace {

constexpr std::string_view kName = "fuzz.yaml";
constexpr std::size_t kMostCompiledBytes = 4096;  // compiling is slow: of small profiles only

std::string condition_text(const SeccompCondition& condition) {
  std::string text = "{argument: " + std::to_string(condition.argument) +
                     ", mask: " + std::to_string(condition.mask) +
                     (condition.equal ? ", equals: [" : ", differs: [");
  for (const std::uint64_t value : condition.values) text += std::to_string(value) + ", ";
  return text + "]}, ";
}

std::string action_text(const SeccompRule& rule) {
  switch (rule.action) {
  case SeccompAction::allow: return "allow";
  case SeccompAction::ignore: return "ignore";
  case SeccompAction::refuse: break;
  }
  return errno_name(rule.error_number);
}

std::string written(const SeccompProfile& profile) {
  std::string text = "name: " + yaml_text(profile.name) + "\ndescription: " + yaml_text(profile.description) +
                     "\ndefault_error: " + errno_name(profile.default_error) + "\ngroups:\n";
  for (const SeccompGroup& group : profile.groups) {
    text += "  - name: " + yaml_text(group.name) + "\n    reason: " + yaml_text(group.reason) + "\n    " +
            (group.rules.empty() ? "rules: []\n" : "rules:\n");
    for (const SeccompRule& rule : group.rules) {
      text += "      - syscalls: [" + rule.syscall + "]\n        action: " + action_text(rule) + "\n";
      if (rule.conditions.empty()) continue;
      text += "        when: [";
      for (const SeccompCondition& condition : rule.conditions) text += condition_text(condition);
      text += "]\n";
    }
  }
  return text;
}

void must_be_equal(const SeccompProfile& one, const SeccompProfile& two, const std::string& text) {
  must(one.name == two.name && one.description == two.description && one.default_error == two.default_error,
       "the head stays", text);
  must(std::ranges::equal(one.groups, two.groups,
                          [](const SeccompGroup& a, const SeccompGroup& b) {
                            return a.name == b.name && a.reason == b.reason && a.rules == b.rules;
                          }),
       "the groups stay", text);
}

void try_compile(const SeccompProfile& profile) {
  const Result<std::string> filter = compile_seccomp(profile);
  if (!filter) return must_say(filter.error());
  const std::size_t count = filter->size() / sizeof(sock_filter);
  must(filter->size() % sizeof(sock_filter) == 0 && count > 0 && count <= BPF_MAXINSNS,
       "a filter is whole instructions, as many as the kernel takes");
  sock_filter last{};
  __builtin_memcpy(&last, filter->data() + filter->size() - sizeof last, sizeof last);
  must(BPF_CLASS(last.code) == BPF_RET, "the last instruction of a filter decides");
}

void try_profile(std::string_view text) {
  const Result<SeccompProfile> profile = parse_seccomp_profile(kName, text);
  if (!profile) return must_name_place(profile.error(), kName, text);
  const std::string again = written(*profile);
  const Result<SeccompProfile> second = parse_seccomp_profile(kName, again);
  must(second.has_value(), "what was written is read", again + (second ? "" : second.error().text));
  must_be_equal(*profile, *second, again);
  if (text.size() <= kMostCompiledBytes) try_compile(*profile);
}

}  // namespace
}  // namespace sbx::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sbx::fuzz::try_profile(sbx::fuzz::text_of(data, size));
  return 0;
}
