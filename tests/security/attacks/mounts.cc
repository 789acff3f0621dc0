// Changing the tree of files, with arguments that work where it is allowed.
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>

#include "file_attempts.h"

// Not <sys/mount.h>, whose names are those of <linux/mount.h>.
namespace sbx::attack {
namespace {

constexpr unsigned long kDetach = 2;  // MNT_DETACH

long mount_it(const char* source, const char* place, const char* type, unsigned long flags,
              const char* data = nullptr) {
  return syscall(SYS_mount, source, place, type, flags, data);
}

// A directory of one's own to mount on.
const char* place() {
  (void)mkdir("place", 0755);
  return "place";
}

template <Text path>
long remount_writable() {
  (void)mount_it(path.text, path.text, nullptr, MS_BIND);
  return mount_it(nullptr, path.text, nullptr, MS_REMOUNT | MS_BIND);
}

template <Text path, unsigned long flags = kDetach>
long unmount() {
  return syscall(SYS_umount2, path.text, flags);
}

template <Text type>
long mount_new() {
  return mount_it("none", place(), type.text, 0);
}

long bind_over_passwd() {
  const int own = open("passwd", O_CREAT | O_WRONLY, 0644);
  if (own < 0) return own;
  return mount_it("passwd", "/etc/passwd", nullptr, MS_BIND);
}

long unbind_mask() {
  if (mount_it("/dev/null", "/proc/version", nullptr, MS_BIND) < 0) return -1;
  return syscall(SYS_umount2, "/proc/version", 0);
}

long bind_and_unbind() {
  (void)mount_it(place(), "place", nullptr, MS_BIND);
  return syscall(SYS_umount2, "place", kDetach);
}

long pivot() {
  (void)mount_it("none", place(), "tmpfs", 0);
  (void)mkdir("place/old", 0755);
  return syscall(SYS_pivot_root, "place", "place/old");
}

// chroot(2): "fchdir out of a chroot".
long chroot_out() {
  const int outside = open(".", O_RDONLY | O_DIRECTORY);
  if (syscall(SYS_chroot, place()) < 0) return -1;
  if (fchdir(outside) < 0) return -1;
  for (int i = 0; i < 40; ++i) (void)!chdir("..");
  if (syscall(SYS_chroot, ".") < 0) return -1;
  return read_secret(target("secret"));
}

// Mounts that are told to, or heard from, another namespace are marked so (proc(5), mountinfo).
bool is_shared() {
  const std::string mounts = content_of("/proc/self/mountinfo");
  return mounts.find(" shared:") != std::string::npos || mounts.find(" master:") != std::string::npos;
}

long shared_with_host() {
  (void)mount_it(nullptr, "/", nullptr, MS_SHARED | MS_REC);
  return is_shared() ? 0 : in_vain();
}

constexpr const char* kMount = "filter: mount; no capability";

constexpr Attack refused(std::string_view name, std::string_view aim, long (*attempt)(),
                         std::string_view control = kMount) {
  return {.name = name, .aim = aim, .control = control, .inside = "EPERM", .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    refused("mounts.tmpfs", "mount a file system in memory that no limit bounds", mount_new<"tmpfs">),
    refused("mounts.sysfs", "mount a /sys", mount_new<"sysfs">),
    refused("mounts.devpts", "mount terminals", mount_new<"devpts">),
    refused("mounts.mqueue", "mount message queues", mount_new<"mqueue">),
    refused("mounts.devtmpfs", "mount the host's /dev", mount_new<"devtmpfs">),
    refused("mounts.overlay", "mount an overlay with layers of his own",
            [] {
              (void)mkdir("lower", 0755);
              (void)mkdir("upper", 0755);
              (void)mkdir("work", 0755);
              return mount_it("none", place(), "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work");
            }),
    {.name = "mounts.root_disk",
     .aim = "mount the disk under the root",
     .control = kMount,
     .inside = "EPERM",
     .outside = "ok|EINVAL|ENOTBLK|EPERM",  // where it is no ext4, no disk, or a device cgroup forbids it
     .attempt =
         [] {
           (void)mknod("disk", S_IFBLK | 0600, static_cast<dev_t>(target_number("disk")));
           return mount_it("disk", place(), "ext4", 0);
         }},
    refused("mounts.bind", "show a directory at another place",
            [] { return mount_it("/usr", place(), nullptr, MS_BIND); }),
    refused("mounts.bind_recursive", "show the whole tree at another place",
            [] { return mount_it("/", place(), nullptr, MS_BIND | MS_REC); }),
    refused("mounts.bind_passwd", "put a file of his over /etc/passwd", bind_over_passwd),
    refused("mounts.remount_root", "make / writable", remount_writable<"/">),
    refused("mounts.remount_usr", "make /usr writable", remount_writable<"/usr">),
    refused("mounts.remount_dev", "make /dev writable", remount_writable<"/dev">),
    refused("mounts.remount_proc_sys", "make /proc/sys writable", remount_writable<"/proc/sys">),
    refused("mounts.remount_proc_irq", "make /proc/irq writable", remount_writable<"/proc/irq">),
    refused("mounts.remount_proc_bus", "make /proc/bus writable", remount_writable<"/proc/bus">),
    refused("mounts.remount_files", "make project_files writable",
            [] {
              const std::string files = target("files");
              (void)mount_it(files.c_str(), files.c_str(), nullptr, MS_BIND);
              return mount_it(nullptr, files.c_str(), nullptr, MS_REMOUNT | MS_BIND);
            }),
    refused("mounts.remount_super", "make the file system under / writable",
            [] { return mount_it(nullptr, "/proc", nullptr, MS_REMOUNT | MS_NOSUID); }),
    refused("mounts.unmount_proc", "take /proc away", unmount<"/proc">),
    refused("mounts.unmount_dev", "take /dev away", unmount<"/dev">),
    refused("mounts.unmount_root", "take the root away, to see what lies under it", unmount<"/">),
    refused("mounts.unmount_mask", "uncover a masked file", unbind_mask),
    refused("mounts.unmount_forced", "take /proc away by force", unmount<"/proc", 3>),
    refused("mounts.unmount_own", "take a mount of his own away", bind_and_unbind),
    refused("mounts.share", "have the host see his mounts",
            [] { return mount_it(nullptr, "/", nullptr, MS_SHARED | MS_REC); }),
    refused("mounts.slave", "hear of the host's mounts",
            [] {
              (void)mount_it(nullptr, "/", nullptr, MS_SHARED);
              return mount_it(nullptr, "/", nullptr, MS_SLAVE);
            }),
    {.name = "mounts.shared_with_host",
     .aim = "find a mount that another namespace hears of",
     .control = "all mounts are private before the first is made",
     .inside = "in vain",
     .attempt = shared_with_host},
    refused("mounts.pivot_root", "have another root", pivot, "filter: pivot_root; no capability"),
    refused("mounts.chroot", "leave the root by chroot and fchdir", chroot_out,
            "filter: chroot; no capability"),
};

}  // namespace

std::span<const Attack> mount_attacks() { return kAttacks; }

}  // namespace sbx::attack
