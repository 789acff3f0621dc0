// Changing the tree of files, with arguments that work where it is allowed.
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>

#include "attempts.h"

// Not <sys/mount.h>, whose names are those of <linux/mount.h>.
namespace sbx::attack {
namespace {

// The same on all architectures since Linux 5.1 (syscalls/syscall.tbl); newer than our headers.
constexpr long kStatmount = 457;
constexpr long kListmount = 458;
constexpr long kOpenTreeAttr = 467;
constexpr unsigned long kDetach = 2;         // MNT_DETACH
constexpr std::uint64_t kRootMount = ~0ULL;  // LSMT_ROOT

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

long new_context() { return syscall(SYS_fsopen, "tmpfs", 0); }

long configure() {
  const long context = new_context();
  return syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", "x", 0);
}

// As an attacker with a context of whatever origin would: the parameter of CVE-2022-0185.
long long_parameter() {
  static constexpr char kLong[] = "0123456789012345678901234567890123456789";
  return syscall(SYS_fsconfig, new_context(), FSCONFIG_SET_STRING, "source", kLong, 0);
}

long new_mount() {
  const long context = new_context();
  (void)syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  return syscall(SYS_fsmount, context, 0, 0);
}

long new_mount_moved() {
  return syscall(SYS_move_mount, new_mount(), "", AT_FDCWD, place(), MOVE_MOUNT_F_EMPTY_PATH);
}

long picked() { return syscall(SYS_fspick, AT_FDCWD, "/", 0); }

long cloned_tree() { return syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE); }

long tree_moved() {
  return syscall(SYS_move_mount, cloned_tree(), "", AT_FDCWD, place(), MOVE_MOUNT_F_EMPTY_PATH);
}

template <unsigned long cleared>
long clear_attribute(const char* path) {
  mount_attr attributes{};
  attributes.attr_clr = cleared;
  (void)mount_it(path, path, nullptr, MS_BIND);
  return syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attributes, sizeof attributes);
}

long read_only_everywhere() {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes);
}

long tree_with_attributes() {
  mount_attr attributes{};
  attributes.attr_clr = MOUNT_ATTR_RDONLY;
  return syscall(kOpenTreeAttr, AT_FDCWD, "/", OPEN_TREE_CLONE, &attributes, sizeof attributes);
}

struct MountRequest {
  std::uint32_t size = 24;  // MNT_ID_REQ_SIZE_VER0
  std::uint32_t spare = 0;
  std::uint64_t mount = kRootMount;
  std::uint64_t parameter = 0;
};

long listed_mounts() {
  const MountRequest request;
  std::array<std::uint64_t, 64> ids{};
  const long count = syscall(kListmount, &request, ids.data(), ids.size(), 0);
  return count == 0 ? nothing() : count;
}

long described_mount() {
  MountRequest request;
  std::array<std::uint64_t, 1> ids{};
  if (syscall(kListmount, &request, ids.data(), ids.size(), 0) < 0) return -1;
  request.mount = ids[0];
  request.parameter = 1;  // STATMOUNT_SB_BASIC
  std::array<char, 4096> description{};
  return syscall(kStatmount, &request, description.data(), description.size(), 0);
}

// Mounts that are told to, or heard from, another namespace are marked so (proc(5), mountinfo).
bool is_shared() {
  const std::string mounts = text_of("/proc/self/mountinfo");
  return mounts.find(" shared:") != std::string::npos || mounts.find(" master:") != std::string::npos;
}

long shared_with_host() {
  (void)mount_it(nullptr, "/", nullptr, MS_SHARED | MS_REC);
  return is_shared() ? 0 : nothing();
}

struct Handle {
  unsigned size = 0;
  int type = 0;
  unsigned char bytes[128] = {};
};

// Any descriptor of the file system will do: his workspace may lie on the one of the host's files.
long open_handle(Handle& handle, int flags) {
  const int here = open(target("handle_place").c_str(), O_RDONLY | O_DIRECTORY);
  return syscall(SYS_open_by_handle_at, here < 0 ? AT_FDCWD : here, &handle, flags);
}

long handle_of_secret() {
  Handle handle;
  const std::string& text = target("handle");
  handle.type = static_cast<int>(target_number("handle_type"));
  for (std::size_t at = 0; at + 1 < text.size() && handle.size < sizeof handle.bytes; at += 2) {
    handle.bytes[handle.size++] = static_cast<unsigned char>(std::stoi(text.substr(at, 2), nullptr, 16));
  }
  const long fd = open_handle(handle, O_RDONLY);
  char byte = 0;
  return fd < 0 ? fd : read(static_cast<int>(fd), &byte, 1);
}

// ext4's root is inode 2, generation 0: nothing has to be known ("shocker").
long handle_of_root() {
  Handle handle;
  handle.size = 8;
  handle.type = 1;  // FILEID_INO32_GEN
  handle.bytes[0] = 2;
  return open_handle(handle, O_RDONLY | O_DIRECTORY);
}

long make_handle() {
  Handle handle;
  handle.size = sizeof handle.bytes;
  int mount = 0;
  return syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount, 0);
}

constexpr const char* kMount = "filter: mount; no capability";
constexpr const char* kNew = "filter: all calls of the new mount API; no capability";

constexpr Attack refused(std::string_view name, std::string_view aim, long (*attempt)(),
                         std::string_view control = kMount) {
  return {.name = name, .aim = aim, .control = control, .inside = "EPERM", .attempt = attempt};
}

// With what an earlier call gives, which is nothing here.
constexpr Attack follows(std::string_view name, std::string_view aim, long (*attempt)()) {
  Attack attack = refused(name, aim, attempt, kNew);
  attack.unfiltered = "EBADF";
  return attack;
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
    refused("mounts.root_disk", "mount the disk under the root",
            [] {
              (void)mknod("disk", S_IFBLK | 0600, static_cast<dev_t>(target_number("disk")));
              return mount_it("disk", place(), "ext4", 0);
            }),
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
     .inside = "ENODATA",
     .attempt = shared_with_host},
    refused("mounts.pivot_root", "have another root", pivot, "filter: pivot_root; no capability"),
    refused("mounts.chroot", "leave the root by chroot and fchdir", chroot_out,
            "filter: chroot; no capability"),
    refused("mounts.fsopen", "get a context for a file system", new_context, kNew),
    follows("mounts.fsconfig", "set a parameter of one", configure),
    follows("mounts.fsconfig_long", "set a long one (CVE-2022-0185)", long_parameter),
    follows("mounts.fsmount", "make a mount from one", new_mount),
    refused("mounts.fspick", "get the context of a mount", picked, kNew),
    refused("mounts.open_tree", "copy the tree of mounts", cloned_tree, kNew),
    follows("mounts.move_mount", "attach a new mount", new_mount_moved),
    follows("mounts.move_tree", "attach a copied tree", tree_moved),
    refused(
        "mounts.setattr_root", "make / writable by mount_setattr",
        [] { return clear_attribute<MOUNT_ATTR_RDONLY>("/"); }, kNew),
    refused(
        "mounts.setattr_nosuid", "allow set-id programs by mount_setattr",
        [] { return clear_attribute<MOUNT_ATTR_NOSUID>("/"); }, kNew),
    refused(
        "mounts.setattr_nodev", "allow devices by mount_setattr",
        [] { return clear_attribute<MOUNT_ATTR_NODEV>("/"); }, kNew),
    refused(
        "mounts.setattr_noexec", "allow programs in /proc by mount_setattr",
        [] { return clear_attribute<MOUNT_ATTR_NOEXEC>("/proc"); }, kNew),
    refused("mounts.setattr_all", "change every mount at once", read_only_everywhere, kNew),
    {.name = "mounts.open_tree_attr",
     .aim = "copy a mount without its attributes",
     .control = "filter: the call does not exist; no capability",
     .inside = "ENOSYS",
     .unfiltered = "EPERM|ENOSYS",
     .outside = "ok|ENOSYS",  // since Linux 6.15
     .attempt = tree_with_attributes},
    {.name = "mounts.listmount",
     .aim = "list mounts by number",
     .control = "filter: the call does not exist",
     .inside = "ENOSYS",
     .unfiltered = "ok|ENOSYS",  // of his own namespace, which mountinfo shows, too
     .outside = "ok|ENOSYS",     // since Linux 6.8
     .attempt = listed_mounts},
    {.name = "mounts.statmount",
     .aim = "ask for a mount by number",
     .control = "filter: the call does not exist",
     .inside = "ENOSYS",
     .unfiltered = "ok|ENOSYS",
     .outside = "ok|ENOSYS",
     .attempt = described_mount},
    refused("mounts.handle_secret", "open a file of the host by its handle", handle_of_secret,
            "filter: open_by_handle_at; no capability"),
    {.name = "mounts.handle_root",
     .aim = "open the root of the host's disk by a guessed handle",
     .control = "filter: open_by_handle_at; no capability",
     .inside = "EPERM",
     // Where the host's root is no ext4.
     .outside = "ok|ESTALE|EOPNOTSUPP",
     .attempt = handle_of_root},
    {.name = "mounts.handle_make",
     .aim = "ask for the handle of a file",
     .control = "filter: name_to_handle_at",
     .inside = "EPERM",
     // Of what he sees only, and of no use without the other call.
     .unfiltered = "ok|EOPNOTSUPP",
     .outside = "ok|EOPNOTSUPP",
     .attempt = make_handle},
    {.name = "mounts.quota",
     .aim = "have all quotas written",
     .control = "filter: quotactl",
     .inside = "EPERM",
     .unfiltered = "ok|ENOSYS",
     .outside = "ok|ENOSYS",
     .attempt = [] { return syscall(SYS_quotactl, 0x80000100 /* Q_SYNC */, nullptr, 0, nullptr); }},
};

}  // namespace

std::span<const Attack> mount_attacks() { return kAttacks; }

}  // namespace sbx::attack
