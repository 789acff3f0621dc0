#include "resource/host_checks.h"

#include <doctest/doctest.h>
#include <linux/capability.h>

#include <algorithm>
#include <cerrno>

#include "resource/host_needs.h"

namespace sbx {
namespace {

const Attempt kWorks{true, 0, ""};

Attempt failing(int error_number, const std::string& call = "call") { return {true, error_number, call}; }

// A host that has everything.
HostFacts good_host() {
  HostFacts facts;
  facts.root = true;
  facts.kernel = "6.1.0-18-amd64";
  for (const char* name : {"user_ns", "mount_ns", "pid_ns", "net_ns", "ipc_ns", "uts_ns", "cgroup_ns"}) {
    facts.namespaces.emplace_back(name, kWorks);
  }
  facts.namespace_limits = {{"user.max_user_namespaces", 63'000}};
  facts.cgroup.layout = CgroupLayout{CgroupLayout::Kind::v2, "/sys/fs/cgroup/sbx", {}};
  facts.cgroup.controllers = {"cpu", "io", "memory", "pids"};
  facts.cgroup.kill_file = true;
  facts.cgroup.swap_accounted = true;
  facts.cgroup.socket_memory_counted = true;
  facts.id_maps = {{"/var/lib/sbx", "ext4", kWorks}, {"/usr", "ext4", kWorks}};
  for (Attempt* attempt : {&facts.overlay, &facts.overlay_id_mapped, &facts.procfs, &facts.devpts,
                           &facts.mqueue, &facts.devices, &facts.seccomp, &facts.features.id_mapped_tmpfs,
                           &facts.features.erofs_file, &facts.features.memory_peak_reset}) {
    *attempt = kWorks;
  }
  facts.seccomp_actions = {"kill_process", "kill_thread", "trap", "errno",
                           "user_notif",   "trace",       "log",  "allow"};
  facts.capabilities = ~0ULL;
  facts.nofile_hard = 1U << 20U;
  facts.foreign_ids = {{"/etc/passwd: root", 0, 1}, {"/etc/subuid: alice", 100'000, 65'536}};
  facts.state = {"/var/lib/sbx", "/var/lib", 50ULL << 30U, 1'000'000, false, false, false, kWorks, true};
  facts.merged_usr = true;
  facts.tools = {"buildah", "qemu-system-x86_64"};
  facts.settings = {{"kernel/kptr_restrict", "1"}, {"kernel/core_pattern", "core"}};
  return facts;
}

HostCheck find_check(const std::vector<HostCheck>& checks, const std::string& name) {
  const auto found = std::ranges::find(checks, name, &HostCheck::name);
  REQUIRE_MESSAGE(found != checks.end(), "no check '" << name << "'");
  return *found;
}

HostCheck check_of(const HostFacts& facts, const std::string& name) {
  return find_check(check_host(facts, {}), name);
}

}  // namespace

TEST_CASE("a kernel release is read as a number") {
  CHECK(kernel_version("6.1.0-18-amd64") == 6001);
  CHECK(kernel_version("5.14") == 5014);
  CHECK(kernel_version("6.18.44-fc-v595") == 6018);
  CHECK(kernel_version("") == 0);
  CHECK(kernel_version("6") == 0);
  CHECK(kernel_version("6.") == 0);
  CHECK(kernel_version("x.y") == 0);
}

TEST_CASE("a host that has everything is ok throughout") {
  const std::vector<HostCheck> checks = check_host(good_host(), {});
  CHECK(can_enforce(checks));
  for (const HostCheck& check : checks) {
    CHECK_MESSAGE(check.state == CheckState::ok, check.name << ": " << check.found << " " << check.effect);
    CHECK(!check.found.empty());
    CHECK(check.effect.empty());
    CHECK(check.fix.empty());
  }
}

TEST_CASE("what is not ok says what follows and what to do") {
  HostFacts facts;  // a host that has nothing
  facts.cgroup.error = "cgroup: no cgroup file system is mounted; mount one at /sys/fs/cgroup";
  const std::vector<HostCheck> checks = check_host(facts, {});
  CHECK(!can_enforce(checks));
  for (const HostCheck& check : checks) {
    if (check.state == CheckState::ok || check.state == CheckState::unchecked) continue;
    CHECK_MESSAGE(!check.effect.empty(), check.name);
    CHECK_MESSAGE((!check.fix.empty() || check.name == "seccomp_actions"), check.name);
    CHECK_MESSAGE(check.effect.back() != '.', check.name);
  }
}

TEST_CASE("a kernel is missing below 5.19 and untested below 6.1") {
  HostFacts facts = good_host();
  facts.kernel = "5.18.22";
  CHECK(check_of(facts, "version").state == CheckState::missing);
  facts.kernel = "5.19.0";
  CHECK(check_of(facts, "version").state == CheckState::degraded);
  facts.kernel = "6.0.19-generic";
  CHECK(check_of(facts, "version").state == CheckState::degraded);
  facts.kernel = "10.2";
  CHECK(check_of(facts, "version").state == CheckState::ok);
  facts.kernel = "nonsense";
  CHECK(check_of(facts, "version").state == CheckState::missing);
}

TEST_CASE("without root the rights are missing and what was not tried is unchecked") {
  HostFacts facts = good_host();
  facts.root = false;
  facts.capabilities = 0;
  facts.procfs = {};
  CHECK(check_of(facts, "capabilities").state == CheckState::missing);
  CHECK(check_of(facts, "procfs").state == CheckState::unchecked);
  CHECK(check_of(facts, "procfs").found == "only root can try it");
  CHECK(!can_enforce(check_host(facts, {})));
}

TEST_CASE("a required check that could not be made is no promise") {
  HostFacts facts = good_host();
  facts.procfs = {};
  CHECK(!can_enforce(check_host(facts, {})));
}

TEST_CASE("missing capabilities are named, SYS_RESOURCE is not needed") {
  HostFacts facts = good_host();
  facts.capabilities = ~(1ULL << 27U) & ~(1ULL << 12U);  // MKNOD, NET_ADMIN
  const HostCheck check = check_of(facts, "capabilities");
  CHECK(check.state == CheckState::missing);
  CHECK(check.found == "without NET_ADMIN, MKNOD");
  facts.capabilities = ~(1ULL << 24U);
  CHECK(check_of(facts, "capabilities").state == CheckState::ok);
}

TEST_CASE("a low limit of descriptors is told, and one that is too low for a launch is missing") {
  HostFacts facts = good_host();
  facts.nofile_hard = 1000;
  const HostCheck check = check_of(facts, "nofile");
  CHECK(check.state == CheckState::degraded);
  CHECK(check.found == "hard limit 1000");
  facts.nofile_hard = kLeastHostFiles - 1;
  CHECK(check_of(facts, "nofile").state == CheckState::missing);
  facts.nofile_hard = 4096;
  CHECK(check_of(facts, "nofile").state == CheckState::ok);
}

TEST_CASE("a namespace that cannot be made is missing, with the call and the reason") {
  HostFacts facts = good_host();
  facts.namespaces[3].second = failing(EPERM, "unshare");
  const HostCheck check = check_of(facts, "net_ns");
  CHECK(check.state == CheckState::missing);
  CHECK(check.found == "unshare: operation not permitted (EPERM)");
  CHECK(!can_enforce(check_host(facts, {})));
}

TEST_CASE("a namespace limit of 0 is missing and names the setting") {
  HostFacts facts = good_host();
  facts.namespace_limits = {{"user.max_net_namespaces", 0}, {"user.max_user_namespaces", 5}};
  CHECK(check_of(facts, "user.max_net_namespaces").state == CheckState::missing);
  const auto checks = check_host(facts, {});
  CHECK(std::ranges::find(checks, "user.max_user_namespaces", &HostCheck::name) == checks.end());
}

TEST_CASE("a hybrid host is degraded and can be used") {
  HostFacts facts = good_host();
  facts.cgroup.layout = CgroupLayout{CgroupLayout::Kind::v1,
                                     "/sys/fs/cgroup/unified",
                                     {{"memory", "/m"}, {"pids", "/p"}, {"cpu", "/c"}, {"cpuacct", "/c"}}};
  CHECK(check_of(facts, "layout").state == CheckState::degraded);
  CHECK(check_of(facts, "layout").found.starts_with("hybrid"));
  CHECK(check_of(facts, "memory").found == "v1 at /m");
  CHECK(can_enforce(check_host(facts, {})));
}

TEST_CASE("a missing controller is missing in the words of the run, unless the policy gives it up") {
  HostFacts facts = good_host();
  facts.cgroup.layout =
      CgroupLayout{CgroupLayout::Kind::v1, "", {{"memory", "/m"}, {"cpu", "/c"}, {"cpuacct", "/c"}}};
  const HostCheck check = check_of(facts, "pids");
  CHECK(check.state == CheckState::missing);
  CgroupControls ignored;
  const auto refused = degrade("pids", "this host has no 'pids' cgroup controller", {}, ignored);
  REQUIRE(!refused);
  CHECK(check.effect + "; " + check.fix == refused.error().text);

  const auto allowed = check_host(facts, {"pids"});
  CHECK(find_check(allowed, "pids").state == CheckState::degraded);
  CHECK(can_enforce(allowed));
  CHECK(!can_enforce(check_host(facts, {"memory"})));
}

TEST_CASE("on v2 each controller must be there for the place of the sandboxes") {
  HostFacts facts = good_host();
  facts.cgroup.controllers = {"memory", "pids"};
  CHECK(check_of(facts, "memory").state == CheckState::ok);
  CHECK(check_of(facts, "cpu").state == CheckState::missing);
  CHECK(check_of(facts, "cpu").effect.find("/sys/fs/cgroup/sbx") != std::string::npos);
}

TEST_CASE("no place for sandboxes is the error of the run and its way out") {
  HostFacts facts = good_host();
  facts.cgroup.layout.reset();
  facts.cgroup.error =
      "cgroup: no group of ours can hold sandboxes. Start it in a delegated scope: systemd-run";
  const HostCheck check = check_of(facts, "layout");
  CHECK(check.state == CheckState::missing);
  CHECK(check.effect == "cgroup: no group of ours can hold sandboxes");
  CHECK(check.fix == "Start it in a delegated scope: systemd-run");
  facts.cgroup.through_systemd = true;
  facts.cgroup.systemd_run = true;
  CHECK(check_of(facts, "layout").state == CheckState::ok);
}

TEST_CASE("a place for groups that is read-only is missing") {
  HostFacts facts = good_host();
  facts.cgroup.read_only = {"/sys/fs/cgroup/sbx"};
  const HostCheck check = check_of(facts, "cgroup_write");
  CHECK(check.state == CheckState::missing);
  CHECK(check.found == "mounted read-only: /sys/fs/cgroup/sbx");
}

TEST_CASE("swap that is not counted matters only when it is on") {
  HostFacts facts = good_host();
  facts.cgroup.swap_accounted = false;
  CHECK(check_of(facts, "swap").state == CheckState::ok);
  facts.cgroup.swap_on = true;
  CHECK(check_of(facts, "swap").state == CheckState::missing);
  CHECK(find_check(check_host(facts, {"swap"}), "swap").state == CheckState::degraded);
}

TEST_CASE("on v1 the buffers of sockets must be counted") {
  HostFacts facts = good_host();
  facts.cgroup.socket_memory_counted = false;
  CHECK(can_enforce(check_host(facts, {})));  // v2 always does
  facts.cgroup.layout = CgroupLayout{
      CgroupLayout::Kind::v1, "", {{"memory", "/m"}, {"pids", "/p"}, {"cpu", "/c"}, {"cpuacct", "/c"}}};
  CHECK(check_of(facts, "socket_memory").state == CheckState::missing);
  CHECK(find_check(check_host(facts, {"socket_memory"}), "socket_memory").state == CheckState::degraded);
  facts.cgroup.socket_memory_counted = true;
  CHECK(check_of(facts, "socket_memory").state == CheckState::ok);
}

TEST_CASE("a file system that cannot be id-mapped is named") {
  HostFacts facts = good_host();
  facts.id_maps[0] = {"/var/lib/sbx", "overlay", failing(EINVAL)};
  const HostCheck check = check_of(facts, "idmapped_mounts");
  CHECK(check.state == CheckState::missing);
  CHECK(check.found == "/var/lib/sbx is on overlay");
  CHECK(check.effect + "; " + check.fix == id_map_refusal("/var/lib/sbx", "overlay"));
  const auto allowed = check_host(facts, {"idmapped_mounts"});
  CHECK(find_check(allowed, "idmapped_mounts").state == CheckState::degraded);
  CHECK(can_enforce(allowed));
}

TEST_CASE("without overlayfs there is no root for a sandbox") {
  for (Attempt HostFacts::*attempt : {&HostFacts::overlay, &HostFacts::overlay_id_mapped}) {
    HostFacts facts = good_host();
    facts.*attempt = failing(ENODEV, "fsopen 'overlay'");
    CHECK(!can_enforce(check_host(facts, {})));
  }
}

TEST_CASE("KILL is needed only where the host has no cgroup.kill") {
  HostFacts facts = good_host();
  facts.capabilities &= ~(1ULL << CAP_KILL);
  CHECK(check_of(facts, "capabilities").state == CheckState::ok);
  facts.cgroup.kill_file = false;
  CHECK(check_of(facts, "capabilities").found == "without KILL");
}

TEST_CASE("filter actions that the program uses are needed, log is not") {
  HostFacts facts = good_host();
  facts.seccomp_actions = {"errno", "allow", "kill_process"};
  CHECK(check_of(facts, "seccomp_actions").state == CheckState::degraded);
  facts.seccomp_actions = {"errno", "allow", "log"};
  CHECK(check_of(facts, "seccomp_actions").state == CheckState::missing);
  CHECK(check_of(facts, "seccomp_actions").found == "without kill_process");
}

TEST_CASE("ids of others in the pool are refused") {
  HostFacts facts = good_host();
  facts.pool = {600'000, 4};
  facts.foreign_ids.push_back({"/etc/passwd: bob", 600'001, 1});
  const HostCheck check = check_of(facts, "id_pool");
  CHECK(check.state == CheckState::missing);
  CHECK(check.found.find("/etc/passwd: bob") != std::string::npos);
}

TEST_CASE("ids whose owners cannot be known are refused") {
  HostFacts facts = good_host();
  facts.foreign_ids_error = "open '/etc/subuid': I/O error (EIO)";
  CHECK(check_of(facts, "id_pool").state == CheckState::missing);
  CHECK(check_of(facts, "id_pool").found == facts.foreign_ids_error);
}

TEST_CASE("a state directory without room or that cannot be written is missing") {
  HostFacts facts = good_host();
  facts.state.free_bytes = 500ULL << 20U;
  CHECK(check_of(facts, "disk_space").state == CheckState::degraded);
  facts.state.free_bytes = 1ULL << 20U;
  CHECK(check_of(facts, "disk_space").state == CheckState::missing);
  CHECK(check_of(facts, "project_disk").state == CheckState::ok);
  facts.state.mke2fs = false;
  CHECK(check_of(facts, "project_disk").state == CheckState::missing);
  CHECK_FALSE(check_of(facts, "project_disk").required);
  CHECK(find_check(check_host(facts, {"disk"}), "project_disk").state == CheckState::degraded);
  facts.state.project_quota = true;
  CHECK(check_of(facts, "project_disk").found == "by project quota");
  facts = good_host();
  facts.state.free_inodes = 100;
  CHECK(check_of(facts, "disk_inodes").state == CheckState::missing);
  facts = good_host();
  facts.state.read_only = true;
  CHECK(check_of(facts, "state_dir").state == CheckState::missing);
}

TEST_CASE("what only newer kernels have is told, and stops no policy") {
  HostFacts facts = good_host();
  CHECK(check_of(facts, "idmapped_tmpfs").state == CheckState::ok);
  facts.features = {failing(EINVAL), failing(ENOTBLK), {}};
  const auto checks = check_host(facts, {});
  CHECK(can_enforce(checks));
  CHECK(find_check(checks, "idmapped_tmpfs").state == CheckState::degraded);
  CHECK(find_check(checks, "erofs_file").fix == "Linux 6.12 or newer");
  CHECK(find_check(checks, "memory_peak_reset").state == CheckState::unchecked);
}

TEST_CASE("tools and advice never stop a policy") {
  HostFacts facts = good_host();
  facts.tools.clear();
  facts.merged_usr = false;
  facts.settings = {{"kernel/kptr_restrict", "0"},
                    {"dev/tty/legacy_tiocsti", "1"},
                    {"kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P"},
                    {"kernel/yama/ptrace_scope", "2"}};
  const auto checks = check_host(facts, {});
  CHECK(can_enforce(checks));
  CHECK(find_check(checks, "build_images").state == CheckState::missing);
  CHECK(!find_check(checks, "build_images").required);
  CHECK(find_check(checks, "kernel.kptr_restrict").fix == "sysctl -w kernel.kptr_restrict=1");
  CHECK(find_check(checks, "dev.tty.legacy_tiocsti").fix == "sysctl -w dev.tty.legacy_tiocsti=0");
  CHECK(find_check(checks, "kernel.core_pattern").state == CheckState::degraded);
  CHECK(find_check(checks, "kernel.yama.ptrace_scope").state == CheckState::ok);
}

TEST_CASE("a socket that crashes go to is told, as no core limit keeps a program from it") {
  HostFacts facts = good_host();
  for (const char* pattern : {"@/run/coredump.socket", "@@/run/coredump.socket"}) {
    facts.settings = {{"kernel/core_pattern", pattern}};
    CHECK(check_of(facts, "kernel.core_pattern").state == CheckState::degraded);
    CHECK(check_of(facts, "kernel.core_pattern").effect == core_socket_effect(pattern));
  }
  for (const char* pattern : {"core", "/var/@core", "|/handler", ""})
    CHECK(core_socket_effect(pattern) == "");
}

TEST_CASE("modprobe is no matter from Linux 6.14 on, or where there is none") {
  HostFacts facts = good_host();
  facts.settings = {{"kernel/modprobe", "/sbin/modprobe"}};
  facts.kernel = "6.13.9";
  CHECK(check_of(facts, "kernel.modprobe").state == CheckState::degraded);
  facts.kernel = "6.14.0";
  CHECK(check_of(facts, "kernel.modprobe").state == CheckState::ok);
  facts.kernel = "6.1.0";
  facts.settings = {{"kernel/modprobe", ""}};
  CHECK(check_of(facts, "kernel.modprobe").state == CheckState::ok);
  CHECK(check_of(facts, "kernel.modprobe").found == "none");
}

TEST_CASE("the memory of all sockets is compared with that of one sandbox") {
  HostFacts facts = good_host();
  facts.settings = {{"net/ipv4/tcp_mem", "94383\t125844\t188766"},
                    {"net/ipv4/udp_mem", "94383\t125844\t188766"}};
  const auto state = [&](const char* name, std::optional<std::uint64_t> memory) {
    return find_check(check_host(facts, {}, memory), name).state;
  };
  CHECK(state("net.ipv4.tcp_mem", 512U << 20U) == CheckState::degraded);
  CHECK(state("net.ipv4.udp_mem", 512U << 20U) == CheckState::ok);
  CHECK(state("net.ipv4.udp_mem", 1U << 30U) == CheckState::degraded);
  CHECK(state("net.ipv4.tcp_mem", 256U << 20U) == CheckState::ok);
  CHECK(state("net.ipv4.tcp_mem", std::nullopt) == CheckState::ok);
  const auto checks = check_host(facts, {}, 512U << 20U);
  CHECK(can_enforce(checks));
  CHECK(find_check(checks, "net.ipv4.tcp_mem").effect ==
        "a sandbox with 512M of memory can use up what all sockets of the host share, about 491M");
  facts.settings = {{"net/ipv4/tcp_mem", "1 x 3"}};
  CHECK(state("net.ipv4.tcp_mem", 512U << 20U) == CheckState::ok);
}

}  // namespace sbx
