// Settings of the kernel and of namespaces: each is read and written back as it is.
#include "file_attempts.h"

namespace sbx::attack {
namespace {

template <Text setting>
std::string path_of() {
  return std::string("/proc/sys/") + setting.text;
}

template <Text setting>
long writes_setting_back() {
  const std::string text = content_of(path_of<setting>());
  const long fd = open_it(path_of<setting>(), O_WRONLY);
  return fd < 0 ? fd : write(static_cast<int>(fd), text.data(), text.size());
}

// Of a file that acts on every write.
template <Text setting>
long opens_trigger() {
  return open_it(path_of<setting>(), O_WRONLY);
}

constexpr const char* kControl = "host root's, and nobody inside maps to him; read-only mount";

constexpr Attack row(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kControl, .inside = "EACCES", .attempt = attempt};
}

// What not every kernel has, or has only in the host's own namespaces.
constexpr Attack optional_row(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kControl,
          .inside = "EACCES|ENOENT",
          .outside = "ok|ENOENT",
          .attempt = attempt};
}

// Those of a user namespace: its own CAP_SYS_RESOURCE is asked for, which root in a container may lack.
constexpr Attack limit_row(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = "no capability; read-only mount",
          .inside = "EACCES",
          .outside = "ok|EACCES",
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    row("proc.sys_core_pattern", "have a program started as root by a crash",
        writes_setting_back<"kernel/core_pattern">),
    row("proc.sys_core_pipe_limit", "hold such a program up", writes_setting_back<"kernel/core_pipe_limit">),
    row("proc.sys_core_uses_pid", "choose the names of core files",
        writes_setting_back<"kernel/core_uses_pid">),
    optional_row("proc.sys_modprobe", "have a program started as root for a missing module",
                 writes_setting_back<"kernel/modprobe">),
    optional_row("proc.sys_modules_disabled", "forbid modules", opens_trigger<"kernel/modules_disabled">),
    row("proc.sys_poweroff_cmd", "have a program started as root at power-off",
        writes_setting_back<"kernel/poweroff_cmd">),
    row("proc.sys_usermodehelper", "give the kernel's helpers more capabilities",
        opens_trigger<"kernel/usermodehelper/bset">),
    row("proc.sys_hostname", "rename the host", opens_trigger<"kernel/hostname">),
    row("proc.sys_domainname", "rename its domain", opens_trigger<"kernel/domainname">),
    row("proc.sys_randomize", "turn address randomisation off",
        writes_setting_back<"kernel/randomize_va_space">),
    row("proc.sys_kptr_restrict", "have the kernel print its addresses",
        writes_setting_back<"kernel/kptr_restrict">),
    row("proc.sys_dmesg_restrict", "open the kernel's log", writes_setting_back<"kernel/dmesg_restrict">),
    row("proc.sys_printk", "silence the console", writes_setting_back<"kernel/printk">),
    row("proc.sys_panic", "choose what a panic does", writes_setting_back<"kernel/panic">),
    row("proc.sys_panic_on_oops", "make every oops a panic", writes_setting_back<"kernel/panic_on_oops">),
    optional_row("proc.sys_sysrq", "allow the keys that reboot", writes_setting_back<"kernel/sysrq">),
    optional_row("proc.sys_bpf", "open bpf to everybody",
                 writes_setting_back<"kernel/unprivileged_bpf_disabled">),
    optional_row("proc.sys_perf", "open perf to everybody",
                 writes_setting_back<"kernel/perf_event_paranoid">),
    optional_row("proc.sys_io_uring", "open io_uring to everybody",
                 writes_setting_back<"kernel/io_uring_disabled">),
    optional_row("proc.sys_yama", "open ptrace to everybody",
                 writes_setting_back<"kernel/yama/ptrace_scope">),
    optional_row("proc.sys_kexec", "forbid or allow another kernel",
                 opens_trigger<"kernel/kexec_load_disabled">),
    row("proc.sys_pid_max", "leave the host few process ids", writes_setting_back<"kernel/pid_max">),
    row("proc.sys_threads_max", "leave it few threads", writes_setting_back<"kernel/threads-max">),
    {.name = "proc.sys_last_pid",
     .aim = "choose the next process id",
     .control = "read-only mount; no capability",
     .inside = "EROFS|ENOENT",
     .outside = "ok|ENOENT",  // needs CONFIG_CHECKPOINT_RESTORE
     .attempt = opens_trigger<"kernel/ns_last_pid">},
    optional_row("proc.sys_keys", "raise the limit of keys", writes_setting_back<"kernel/keys/maxkeys">),
    row("proc.sys_random", "choose when the random pool is refilled",
        writes_setting_back<"kernel/random/urandom_min_reseed_secs">),
    optional_row("proc.sys_sched", "take the limit off real-time processes",
                 writes_setting_back<"kernel/sched_rt_runtime_us">),
    optional_row("proc.sys_watchdog", "turn the watchdog off", writes_setting_back<"kernel/watchdog_thresh">),
    optional_row("proc.sys_seccomp", "have refused calls not logged",
                 writes_setting_back<"kernel/seccomp/actions_logged">),
    optional_row("proc.sys_shmmax", "have larger shared memory", writes_setting_back<"kernel/shmmax">),
    optional_row("proc.sys_msgmax", "have larger messages", writes_setting_back<"kernel/msgmax">),
    optional_row("proc.sys_sem", "have more semaphores", writes_setting_back<"kernel/sem">),
    row("proc.sys_overcommit", "change how memory is promised", writes_setting_back<"vm/overcommit_memory">),
    row("proc.sys_drop_caches", "drop the host's caches", opens_trigger<"vm/drop_caches">),
    optional_row("proc.sys_compact", "keep the host busy moving pages", opens_trigger<"vm/compact_memory">),
    row("proc.sys_mmap_min_addr", "map the page at 0 for a hole in the kernel",
        writes_setting_back<"vm/mmap_min_addr">),
    row("proc.sys_oom", "choose whom the OOM killer kills",
        writes_setting_back<"vm/oom_kill_allocating_task">),
    row("proc.sys_panic_on_oom", "have the host panic when memory is short",
        writes_setting_back<"vm/panic_on_oom">),
    row("proc.sys_swappiness", "have the host swap", writes_setting_back<"vm/swappiness">),
    row("proc.sys_max_map_count", "have more mappings", writes_setting_back<"vm/max_map_count">),
    optional_row("proc.sys_huge_pages", "take memory into the pool of huge pages",
                 writes_setting_back<"vm/nr_hugepages">),
    optional_row("proc.sys_userfaultfd", "open userfaultfd to everybody",
                 writes_setting_back<"vm/unprivileged_userfaultfd">),
    row("proc.sys_suid_dumpable", "have set-id programs dump core", writes_setting_back<"fs/suid_dumpable">),
    row("proc.sys_file_max", "leave the host few open files", writes_setting_back<"fs/file-max">),
    row("proc.sys_pipe_size", "have larger pipes", writes_setting_back<"fs/pipe-max-size">),
    row("proc.sys_protected_links", "follow links of others in /tmp",
        writes_setting_back<"fs/protected_symlinks">),
    row("proc.sys_protected_hardlinks", "link to files of others",
        writes_setting_back<"fs/protected_hardlinks">),
    row("proc.sys_protected_fifos", "have others write to his FIFOs",
        writes_setting_back<"fs/protected_fifos">),
    optional_row("proc.sys_aio", "have more asynchronous requests", writes_setting_back<"fs/aio-max-nr">),
    optional_row("proc.sys_mqueue", "have more message queues", writes_setting_back<"fs/mqueue/queues_max">),
    row("proc.sys_inotify", "have more watches", writes_setting_back<"fs/inotify/max_user_watches">),
    optional_row("proc.sys_binfmt", "have his interpreter run for files of others",
                 opens_trigger<"fs/binfmt_misc/register">),
    limit_row("proc.sys_user_namespaces", "allow user namespaces again",
              writes_setting_back<"user/max_user_namespaces">),
    limit_row("proc.sys_mount_namespaces", "have more mount namespaces",
              writes_setting_back<"user/max_mnt_namespaces">),
    row("proc.sys_forward", "forward packets", writes_setting_back<"net/ipv4/ip_forward">),
    row("proc.sys_ping", "open ping sockets", writes_setting_back<"net/ipv4/ping_group_range">),
    row("proc.sys_ports", "take the low ports", writes_setting_back<"net/ipv4/ip_unprivileged_port_start">),
    row("proc.sys_route_localnet", "route to loopback addresses",
        writes_setting_back<"net/ipv4/conf/all/route_localnet">),
    row("proc.sys_somaxconn", "have longer queues of connections", writes_setting_back<"net/core/somaxconn">),
    optional_row("proc.sys_optmem", "have more memory of socket options, which is charged to nobody",
                 writes_setting_back<"net/core/optmem_max">),
    optional_row("proc.sys_bpf_jit", "take the limit off the code of filters",
                 opens_trigger<"net/core/bpf_jit_limit">),
    optional_row("proc.sys_ipv6", "turn IPv6 on", writes_setting_back<"net/ipv6/conf/all/disable_ipv6">),
    optional_row("proc.sys_ldisc", "load line disciplines", writes_setting_back<"dev/tty/ldisc_autoload">),
    optional_row("proc.sys_tiocsti", "allow typing into terminals",
                 writes_setting_back<"dev/tty/legacy_tiocsti">),
    optional_row("proc.sys_raid", "slow the host's disks down",
                 writes_setting_back<"dev/raid/speed_limit_max">),
};

}  // namespace

std::span<const Attack> proc_sysctl_attacks() { return kAttacks; }

}  // namespace sbx::attack
