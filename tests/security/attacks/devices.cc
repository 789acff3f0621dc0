// Device nodes: those that are there, and those that he makes or finds.
#include <linux/fs.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "file_attempts.h"

namespace sbx::attack {
namespace {

const dev_t kMemory = makedev(1, 1);
const dev_t kZero = makedev(1, 5);

// Makes a node and reads from what it stands for.
long make_and_read(const char* path, mode_t kind, dev_t number) {
  (void)unlink(path);
  if (mknod(path, kind | 0600, number) < 0) return -1;
  const long result = read_it(path);
  (void)unlink(path);
  return result;
}

template <Text directory>
long make_zero_in() {
  return make_and_read((std::string(directory.text) + "/sbx-node").c_str(), S_IFCHR, kZero);
}

long make_disk() { return make_and_read("disk", S_IFBLK, static_cast<dev_t>(target_number("disk"))); }

long make_memory() {
  if (mknod("memory", S_IFCHR | 0600, kMemory) < 0) return -1;
  return open("memory", O_RDONLY);
}

// The kernel lets everybody make this one; it stands for nothing but "deleted" in an overlay.
long make_whiteout() { return mknod("whiteout", S_IFCHR, 0); }

long make_whiteout_at() { return syscall(SYS_mknodat, AT_FDCWD, "whiteout_at", S_IFCHR, 0); }

long make_whiteout_high() { return syscall(SYS_mknod, "whiteout_high", 0xffff00000000UL | S_IFCHR, 0); }

long rename_with_whiteout() {
  (void)close(open("moved", O_CREAT | O_WRONLY, 0644));
  return syscall(SYS_renameat2, AT_FDCWD, "moved", AT_FDCWD, "moved.new", 4 /* RENAME_WHITEOUT */);
}

long make_in_dev() {
  const long made = mkdir("/dev/sbx-attack", 0700);
  if (made == 0) (void)rmdir("/dev/sbx-attack");
  return made;
}

// A node that the host's root made in a directory that is shown inside.
template <Text name, int flags>
long opens_shown() {
  return open((target("shown") + "/" + name.text).c_str(), flags);
}

long map_executable_zero() {
  const int zero = open("/dev/zero", O_RDWR);
  return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, zero, 0) == MAP_FAILED ? -1 : 0;
}

// Takes nothing away: the pool counts as fresh, and is filled anew.
long reseed() { return ioctl(open("/dev/urandom", O_RDWR), RNDRESEEDCRNG); }

long credit() {
  const int none = 0;
  return ioctl(open("/dev/random", O_RDWR), RNDADDTOENTCNT, &none);
}

long set_block_size(const char* path) {
  const int size = 512;
  return ioctl(open(path, O_RDONLY), BLKBSZSET, &size);
}

// For one that acts as soon as it is opened.
template <Text path>
long is_there() {
  struct stat status {};
  return stat(path.text, &status);
}

constexpr const char* kAbsent = "absent: /dev has six nodes of ours";
constexpr const char* kMake = "filter: mknod with the bits of a device; no capability";
constexpr const char* kWhiteout = "filter: mknod with the bits of a device";
constexpr const char* kReadOnly = "read-only mount";

// Where the hardware or the driver is missing outside, too, there is nothing to hide.
constexpr Attack absent(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kAbsent,
          .inside = "ENOENT",
          .outside = "ok|ENOENT|ENXIO|ENODEV|EPERM|EBUSY",
          .attempt = attempt};
}

constexpr Attack made(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kMake, .inside = "EPERM", .attempt = attempt};
}

constexpr Attack whiteout(std::string_view name, std::string_view aim, long (*attempt)(),
                          std::string_view control = kWhiteout) {
  return {.name = name,
          .aim = aim,
          .control = control,
          .inside = "EPERM",
          .unfiltered = "ok",
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    absent("devices.mem", "open the machine's memory", opens<"/dev/mem">),
    absent("devices.port", "open the I/O ports", opens<"/dev/port", O_RDWR>),
    absent("devices.kmsg", "open the kernel's log", opens<"/dev/kmsg">),
    absent("devices.kvm", "make virtual machines", opens<"/dev/kvm", O_RDWR>),
    absent("devices.fuse", "serve a file system", opens<"/dev/fuse", O_RDWR>),
    absent("devices.cuse", "serve a device", opens<"/dev/cuse", O_RDWR>),
    absent("devices.loop_control", "make loop devices", opens<"/dev/loop-control">),
    absent("devices.loop0", "open a loop device", opens<"/dev/loop0">),
    absent("devices.tun", "open the driver of network tunnels", opens<"/dev/net/tun", O_RDWR>),
    absent("devices.vsock", "reach the hypervisor", opens<"/dev/vsock">),
    absent("devices.vhost", "reach the kernel's side of virtual networks", opens<"/dev/vhost-net", O_RDWR>),
    absent("devices.uinput", "type as a keyboard", opens<"/dev/uinput", O_WRONLY>),
    absent("devices.input", "listen to the keyboard", opens<"/dev/input/event0">),
    absent("devices.framebuffer", "see the screen", opens<"/dev/fb0">),
    absent("devices.dri", "use the graphics card", opens<"/dev/dri/card0">),
    absent("devices.console", "open the console", opens<"/dev/console">),
    absent("devices.tty0", "open the host's terminal", opens<"/dev/tty0">),
    absent("devices.tty1", "open another one", opens<"/dev/tty1">),
    absent("devices.serial", "open a serial line", opens<"/dev/ttyS0">),
    absent("devices.vcs", "read the console's screen", opens<"/dev/vcs">),
    absent("devices.hpet", "open the timer of the machine", opens<"/dev/hpet">),
    absent("devices.rtc", "open its clock", opens<"/dev/rtc0">),
    absent("devices.hwrng", "drain its random numbers", opens<"/dev/hwrng">),
    absent("devices.latency", "keep the CPUs from sleeping", opens<"/dev/cpu_dma_latency", O_RDWR>),
    absent("devices.msr", "read registers of the CPU", opens<"/dev/cpu/0/msr">),
    absent("devices.nvram", "open the firmware's memory", opens<"/dev/nvram">),
    absent("devices.vda", "open a disk", opens<"/dev/vda">),
    absent("devices.sda", "open another one", opens<"/dev/sda">),
    absent("devices.nvme", "open a third", opens<"/dev/nvme0">),
    absent("devices.mapper", "make block devices from others", opens<"/dev/mapper/control">),
    absent("devices.btrfs", "manage btrfs", opens<"/dev/btrfs-control">),
    absent("devices.autofs", "mount on demand", opens<"/dev/autofs">),
    absent("devices.userfaultfd", "get userfaultfd by a device", opens<"/dev/userfaultfd", O_RDWR>),
    absent("devices.snapshot", "have the machine prepare to hibernate", is_there<"/dev/snapshot">),
    absent("devices.watchdog", "have the watchdog reboot the machine", is_there<"/dev/watchdog">),

    {.name = "devices.make_disk",
     .aim = "read the host's disk by a node of his",
     .control = kMake,
     .inside = "EPERM",
     .outside = "ok|EPERM",  // in a container whose device cgroup forbids it
     .attempt = make_disk},
    {.name = "devices.make_memory",
     .aim = "open the machine's memory by a node of his",
     .control = kMake,
     .inside = "EPERM",
     .outside = "ok|EPERM|ENXIO",  // the same; and kernels without it
     .attempt = make_memory},
    made("devices.make_here", "make a device in his workspace", make_zero_in<".">),
    made("devices.make_tmp", "make one in /tmp", make_zero_in<"/tmp">),
    made("devices.make_var_tmp", "make one in /var/tmp", make_zero_in<"/var/tmp">),
    made("devices.make_shm", "make one in /dev/shm", make_zero_in<"/dev/shm">),
    made("devices.make_home", "make one in his HOME",
         [] { return make_and_read((target("home") + "/sbx-node").c_str(), S_IFCHR, kZero); }),
    made("devices.make_outputs", "make one in a second folder of his workspace",
         [] { return make_and_read((target("outputs") + "/sbx-node").c_str(), S_IFCHR, kZero); }),
    made("devices.make_bind", "make one in a writable directory of the host",
         [] { return make_and_read((target("writable") + "/sbx-node").c_str(), S_IFCHR, kZero); }),
    made("devices.make_block_high", "make a disk with bits set that the kernel does not read",
         [] {
           (void)unlink("high");
           return syscall(SYS_mknodat, AT_FDCWD, "high", 0xffff00000000UL | S_IFBLK | 0600,
                          target_number("disk"));
         }),
    whiteout("devices.whiteout", "make a whiteout of overlays", make_whiteout),
    whiteout("devices.whiteout_at", "make one by mknodat", make_whiteout_at),
    whiteout("devices.whiteout_high", "make one with bits set that the kernel does not read",
             make_whiteout_high),
    whiteout("devices.whiteout_rename", "leave one behind where a file was", rename_with_whiteout,
             "filter: renameat2 with RENAME_WHITEOUT"),
    {.name = "devices.make_in_dev",
     .aim = "make a device in /dev",
     .control = "filter: mknod with the bits of a device; read-only mount",
     .inside = "EPERM",
     .unfiltered = "EROFS",
     .attempt = make_zero_in<"/dev">},
    {.name = "devices.directory_in_dev",
     .aim = "make a directory in /dev",
     .control = kReadOnly,
     .inside = "EROFS",
     .attempt = make_in_dev},
    {.name = "devices.rename_null",
     .aim = "move /dev/null",
     .control = kReadOnly,
     .inside = "EROFS",
     .attempt = [] { return long{rename("/dev/null", "/dev/null")}; }},  // onto itself
    {.name = "devices.chmod_null",
     .aim = "change the rights of /dev/null",
     .control = kReadOnly,
     .inside = "EROFS",
     .attempt = [] { return long{chmod("/dev/null", 0666)}; }},  // as they are
    {.name = "devices.chown_null",
     .aim = "own /dev/null",
     .control = kReadOnly,
     .inside = "EROFS",
     .attempt = [] { return long{chown("/dev/null", 0, 0)}; }},
    {.name = "devices.shown",
     .aim = "open a device that lies in a directory of the host that he is shown",
     .control = "nodev",
     .inside = "EACCES",
     .attempt = opens_shown<"device", O_RDONLY>},
    {.name = "devices.shown_writable",
     .aim = "open one that lies in a directory shown writable",
     .control = "nodev",
     .inside = "EACCES",
     .attempt = [] { return long{open((target("writable") + "/device").c_str(), O_RDWR)}; }},
    {.name = "devices.shown_disk",
     .aim = "open the host's disk by a node there",
     .control = "nodev",
     .inside = "EACCES",
     .outside = "ok|EPERM",  // in a container whose device cgroup forbids it
     .attempt = opens_shown<"disk", O_RDONLY>},
    {.name = "devices.execute_zero",
     .aim = "run code from a device",
     .control = "noexec",
     .inside = "EPERM",
     .attempt = map_executable_zero},
    {.name = "devices.reseed",
     .aim = "have the kernel's random numbers made anew",
     .control = "no capability",
     .inside = "EPERM",
     .attempt = reseed},
    {.name = "devices.credit",
     .aim = "tell the kernel that it has had random numbers",
     .control = "no capability",
     .inside = "EPERM",
     .attempt = credit},
    {.name = "devices.block_request",
     .aim = "send a request for a disk to a file",
     .control = "no such device: the file does not know it",
     .inside = "ENOTTY",
     .outside = "not tried: it would be the disk's",
     .attempt = [] { return set_block_size("/workspace"); }},
};

}  // namespace

std::span<const Attack> device_attacks() { return kAttacks; }

}  // namespace sbx::attack
