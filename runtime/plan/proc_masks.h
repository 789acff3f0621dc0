// What of /proc a program does not get as it is; paths relative to the root.
#pragma once

#include <array>
#include <string_view>

namespace sbx {

// Docker's masked and read-only paths, and what we found beside them: what tells of the host or of other
// sandboxes, or takes writes from anybody (pressure). Those that a kernel does not have are skipped.
inline constexpr std::array<std::string_view, 19> kMaskedFiles{
    "proc/kcore",       "proc/keys",         "proc/key-users",     "proc/latency_stats", "proc/timer_list",
    "proc/timer_stats", "proc/sched_debug",  "proc/interrupts",    "proc/vmallocinfo",   "proc/slabinfo",
    "proc/kallsyms",    "proc/pagetypeinfo", "proc/config.gz",     "proc/kmsg",          "proc/kpagecount",
    "proc/kpageflags",  "proc/kpagecgroup",  "proc/sysrq-trigger", "proc/locks"};
inline constexpr std::array<std::string_view, 3> kMaskedDirectories{"proc/acpi", "proc/asound", "proc/scsi"};
inline constexpr std::array<std::string_view, 8> kReadOnlyPaths{
    "proc/bus", "proc/driver", "proc/fs", "proc/irq", "proc/sys", "proc/tty", "proc/pressure", "proc/mtrr"};

}  // namespace sbx
