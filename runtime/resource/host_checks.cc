#include "resource/host_checks.h"

#include <linux/capability.h>

#include <algorithm>
#include <charconv>

#include "resource/host_check_list.h"
#include "resource/host_rights.h"

namespace sbx {
namespace {

// The new mount API with id maps came with 5.12 (mount_setattr(2)), clone3 into a cgroup with 5.7, openat2
// with 5.6, cgroup.kill with 5.14, overlayfs over id-mapped layers, which every root is, with 5.19. Tests run
// on 6.1 and later.
constexpr unsigned kOldestKernel = 5019;
constexpr unsigned kTestedKernel = 6001;

constexpr std::uint64_t kDefaultNofile = 1024;  // of the policy `default`

void check_kernel(CheckList& list) {
  list.begin("kernel");
  const std::string& release = list.facts().kernel;
  const unsigned version = kernel_version(release);
  if (version >= kTestedKernel) {
    list.add("version", CheckState::ok, release);
  } else if (version >= kOldestKernel) {
    list.add("version", CheckState::degraded, release, HostNeed::kernel).effect =
        "sbx is not tested on kernels before 6.1";
  } else {
    list.add("version", CheckState::missing, release, HostNeed::kernel);
  }
}

void check_rights(CheckList& list) {
  list.begin("rights");
  const HostFacts& facts = list.facts();
  const std::string lacking = lacking_capabilities(facts.capabilities, facts.cgroup.kill_file);
  const bool can_raise = (facts.capabilities >> CAP_SYS_RESOURCE & 1U) != 0;
  if (!facts.root) {
    list.add("capabilities", CheckState::missing, "the caller is not root", HostNeed::capabilities);
  } else if (!lacking.empty()) {
    list.add("capabilities", CheckState::missing, "without " + lacking, HostNeed::capabilities);
  } else {
    list.add("capabilities", CheckState::ok,
             can_raise ? "all that are needed" : "all that are needed, not SYS_RESOURCE");
  }
  const std::string limit = "hard limit " + std::to_string(facts.nofile_hard);
  if (facts.nofile_hard >= kDefaultNofile) {  // a run never raises it
    list.add("nofile", CheckState::ok, limit);
  } else if (facts.nofile_hard < kLeastHostFiles) {
    list.add("nofile", CheckState::missing, limit, HostNeed::descriptors);
  } else {
    HostCheck& check = list.add("nofile", CheckState::degraded, limit);
    check.effect = "programs get at most that many descriptors; the result shows it";
    check.fix = "ulimit -Hn 4096 before";
  }
}

void check_namespaces(CheckList& list) {
  list.begin("namespaces");
  for (const auto& [control, attempt] : list.facts().namespaces) {
    list.add_attempt(control, attempt, "can be made", HostNeed::namespaces);
  }
  for (const auto& [name, value] : list.facts().namespace_limits) {
    if (value == 0) list.add(name, CheckState::missing, "0", HostNeed::namespace_limit);
  }
}

void check_filter(CheckList& list) {
  list.begin("filter");
  const HostFacts& facts = list.facts();
  list.add_attempt("seccomp", facts.seccomp, "can be installed", HostNeed::seccomp);
  std::vector<std::string> lacking;
  for (const char* action : {"kill_process", "errno", "allow"}) {
    if (!contains(facts.seccomp_actions, action)) lacking.emplace_back(action);
  }
  if (!lacking.empty()) {
    list.add("seccomp_actions", CheckState::missing, "without " + join(lacking), HostNeed::seccomp);
  } else if (!contains(facts.seccomp_actions, "log")) {
    list.add("seccomp_actions", CheckState::degraded, "without log").effect =
        "denied system calls cannot be written to the kernel log";
  } else {
    list.add("seccomp_actions", CheckState::ok, "all that are needed, and log");
  }
}

void check_ids(CheckList& list) {
  list.begin("ids");
  const HostFacts& facts = list.facts();
  const std::string range = pool_text(facts.pool);
  const std::vector<std::string> owners = pool_overlaps(facts.pool, facts.foreign_ids);
  if (!facts.foreign_ids_error.empty()) {
    list.add("id_pool", CheckState::missing, facts.foreign_ids_error, HostNeed::id_pool);
  } else if (!owners.empty()) {
    list.add("id_pool", CheckState::missing, range + " overlaps with " + join(owners), HostNeed::id_pool);
  } else {
    list.add("id_pool", CheckState::ok, range + ", nobody else's");
  }
}

// No sandbox needs these.
void check_features(CheckList& list) {
  list.begin("newer kernels");
  const auto add = [&](const char* name, const Attempt& attempt, const char* effect, const char* version) {
    if (!attempt.tried) {
      list.add_untried(name).required = false;
      return;
    }
    HostCheck& check = list.add(name, attempt.worked() ? CheckState::ok : CheckState::degraded,
                                attempt.worked() ? "there" : "not there");
    check.required = false;
    if (attempt.worked()) return;
    check.effect = effect;
    check.fix = std::string("Linux ") + version + " or newer";
  };
  const KernelFeatures& features = list.facts().features;
  add("idmapped_tmpfs", features.id_mapped_tmpfs,
      "a bind of what is on a tmpfs is refused, or shows its files as nobody's where the policy allows that",
      "6.3");
  add("erofs_file", features.erofs_file, "an EROFS image needs a loop device", "6.12");
  add("memory_peak_reset", features.memory_peak_reset, "the peak of a cgroup is that of its whole life",
      "6.12");
}

}  // namespace

std::vector<HostCheck> check_host(const HostFacts& facts, const std::vector<std::string>& allowed,
                                  std::optional<std::uint64_t> memory_bytes) {
  CheckList list(facts, allowed);
  check_kernel(list);
  check_rights(list);
  check_namespaces(list);
  check_cgroups(list);
  check_file_systems(list);
  check_filter(list);
  check_ids(list);
  check_state(list);
  check_programs(list);
  check_features(list);
  std::vector<HostCheck> checks = list.take();
  for (HostCheck& check : check_settings(facts, memory_bytes)) checks.push_back(std::move(check));
  return checks;
}

bool can_enforce(const std::vector<HostCheck>& checks) {
  return std::ranges::none_of(checks, [](const HostCheck& check) {
    return check.required && (check.state == CheckState::missing || check.state == CheckState::unchecked);
  });
}

unsigned kernel_version(std::string_view release) {
  unsigned major = 0;
  unsigned minor = 0;
  const char* end = release.data() + release.size();
  const auto [dot, error] = std::from_chars(release.data(), end, major);
  if (error != std::errc{} || dot == end || *dot != '.') return 0;
  if (std::from_chars(dot + 1, end, minor).ec != std::errc{} || major > 1000 || minor > 999) return 0;
  return major * 1000 + minor;
}

}  // namespace sbx
