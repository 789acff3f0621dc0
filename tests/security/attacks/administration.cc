// Changes to the machine: nobody inside has the capability either.
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>

#include <cstdio>
#include <ctime>

#include "attempts.h"

namespace sbx::attack {
namespace {

template <unsigned command>
long reboot_with() {
  return syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, nullptr);
}

// To the values that they have: allowed to whoever may change them.
long set_frequency() {
  timex clock{};
  (void)syscall(SYS_adjtimex, &clock);
  clock.modes = ADJ_FREQUENCY;
  return syscall(SYS_adjtimex, &clock);
}

long set_tai() {
  timex clock{};
  (void)syscall(SYS_clock_adjtime, CLOCK_REALTIME, &clock);
  clock.modes = ADJ_TAI;
  clock.constant = clock.tai;
  return syscall(SYS_clock_adjtime, CLOCK_REALTIME, &clock);
}

long set_clock() {
  timespec now{};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
}

long set_day() {
  timeval now{};
  (void)gettimeofday(&now, nullptr);
  return syscall(SYS_settimeofday, &now, nullptr);
}

long read_log() {
  static char log[4096];
  return syscall(SYS_syslog, 3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof log);
}

// In a session of its own there is no terminal that could be hurt.
long hang_up() {
  (void)setsid();
  return syscall(SYS_vhangup);
}

long take_page_offline() {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return madvise(page, 4096, 101 /* MADV_SOFT_OFFLINE */);
}

constexpr const char* kModule = "not tried: it would change the kernel";
constexpr const char* kClock = "filter: clock_settime, settimeofday, clock_adjtime, adjtimex; no capability";
// Left out of many kernels.
constexpr const char* kMaybe = "EPERM|ENOSYS";

constexpr Attack kAttacks[] = {
    refused("kernel.reboot", "restart the machine", "filter: reboot; no capability",
            reboot_with<LINUX_REBOOT_CMD_RESTART>, "not tried: it would"),
    refused("kernel.power_off", "turn the machine off", "filter: reboot; no capability",
            reboot_with<LINUX_REBOOT_CMD_POWER_OFF>, "not tried: it would"),
    filtered(
        "kernel.init_module", "load a module from memory", "filter: init_module; no capability",
        [] { return syscall(SYS_init_module, "x", 1, ""); }, kModule, kMaybe),
    filtered(
        "kernel.finit_module", "load a module from a file", "filter: finit_module; no capability",
        [] { return syscall(SYS_finit_module, open("/proc/self/exe", O_RDONLY), "", 0); }, kModule, kMaybe),
    filtered(
        "kernel.delete_module", "take a module out of the kernel", "filter: delete_module; no capability",
        [] { return syscall(SYS_delete_module, "sbx_none", O_NONBLOCK); }, kModule, kMaybe),
    filtered(
        "kernel.kexec", "load another kernel", "filter: kexec_load; no capability",
        [] { return syscall(SYS_kexec_load, 0, 0, nullptr, KEXEC_ARCH_DEFAULT); },
        "not tried: it would drop a kernel that is loaded", kMaybe),
    filtered(
        "kernel.kexec_file", "load another kernel from a file", "filter: kexec_file_load; no capability",
        [] { return syscall(SYS_kexec_file_load, -1, -1, 0, nullptr, KEXEC_FILE_UNLOAD); },
        "not tried: it would drop a kernel that is loaded", kMaybe),
    refused(
        "kernel.swapon", "add swap to the machine", "filter: swapon; no capability",
        [] { return syscall(SYS_swapon, "/tmp", 0); }, "not tried: memory of everybody would go there"),
    refused(
        "kernel.swapoff", "take swap from the machine", "filter: swapoff; no capability",
        [] { return syscall(SYS_swapoff, "/tmp"); }, "not tried: memory of everybody may be there"),
    filtered(
        "kernel.acct", "have all processes of the machine logged", "filter: acct; no capability",
        [] { return syscall(SYS_acct, nullptr); }, "not tried: it would end the log that there is", kMaybe),
    refused("kernel.clock_settime", "set the machine's clock", kClock, set_clock,
            "not tried: it would lose some microseconds"),
    refused("kernel.settimeofday", "set the machine's clock by the older call", kClock, set_day,
            "not tried: it would lose some microseconds"),
    refused("kernel.adjtimex", "change the speed of the machine's clock", kClock, set_frequency),
    refused("kernel.clock_adjtime", "change what the machine's clock is off from atomic time", kClock,
            set_tai),
    refused("kernel.wake_alarm", "wake the machine from sleep", "no capability",
            [] { return long{timerfd_create(CLOCK_REALTIME_ALARM, TFD_CLOEXEC)}; }),
    filtered(
        "kernel.iopl", "have the machine's input and output ports", "filter: iopl; no capability",
        [] { return syscall(SYS_iopl, 3); }, "ok|ENOSYS", kMaybe),
    filtered(
        "kernel.ioperm", "have one port of the machine", "filter: ioperm; no capability",
        [] { return syscall(SYS_ioperm, 0x80, 1, 1); }, "ok|ENOSYS", kMaybe),
    // EPERM where kernel.dmesg_restrict is 1.
    filtered("kernel.syslog_read", "read the kernel's log", "filter: syslog", read_log, "ok", "ok|EPERM"),
    refused(
        "kernel.syslog_console", "silence the machine's console", "filter: syslog; no capability",
        [] { return syscall(SYS_syslog, 6 /* SYSLOG_ACTION_CONSOLE_OFF */, nullptr, 0); },
        "not tried: it would"),
    filtered(
        "kernel.quotactl", "write back all quotas of the machine", "filter: quotactl",
        [] { return syscall(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), nullptr, 0, nullptr); }, "ok|ENOSYS",
        "ok|ENOSYS"),
    filtered(
        "kernel.quotactl_fd", "turn off the quotas of a file system", "filter: quotactl_fd",
        [] { return syscall(SYS_quotactl_fd, open("/", O_RDONLY), QCMD(Q_QUOTAOFF, USRQUOTA), 0, nullptr); },
        "not tried: it would", "EPERM|ENOSYS|EINVAL|EROFS"),
    refused("kernel.sethostname", "change the name of the host", "filter: sethostname; no capability",
            [] { return syscall(SYS_sethostname, "attacked", 8); }),
    refused("kernel.setdomainname", "change the domain of the host", "filter: setdomainname; no capability",
            [] { return syscall(SYS_setdomainname, "attacked", 8); }),
    refused("kernel.vhangup", "hang up the terminal", "filter: vhangup; no capability", hang_up),
    // EINVAL without CONFIG_MEMORY_FAILURE.
    {.name = "kernel.page_offline",
     .aim = "take pages from the machine for ever",
     .control = "no capability",
     .inside = "EPERM|EINVAL",
     .outside = "not tried: it would",
     .attempt = take_page_offline},
    // Root has no CAP_SYS_RESOURCE in many containers.
    refused(
        "kernel.io_flusher", "use the memory that is kept for writing back", "no capability",
        [] { return long{prctl(57 /* PR_SET_IO_FLUSHER */, 1, 0, 0, 0)}; }, "ok|EPERM"),
};

}  // namespace

std::span<const Attack> administration_attacks() { return kAttacks; }

}  // namespace sbx::attack
