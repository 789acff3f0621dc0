// The new mount API, with arguments that work where it is allowed; and file handles, which lead past mounts.
#include <linux/mount.h>
#include <sys/syscall.h>

#include "file_attempts.h"

// Not <sys/mount.h>, whose names are those of <linux/mount.h>.
namespace sbx::attack {
namespace {

// The same on all architectures since Linux 5.1 (syscalls/syscall.tbl); newer than our headers.
constexpr long kStatmount = 457;
constexpr long kListmount = 458;
constexpr long kOpenTreeAttr = 467;
constexpr std::uint64_t kRootMount = ~0ULL;  // LSMT_ROOT

// A directory of one's own to mount on.
const char* place() {
  (void)mkdir("place", 0755);
  return "place";
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
  (void)syscall(SYS_mount, path, path, nullptr, MS_BIND, nullptr);
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
  return count == 0 ? in_vain() : count;
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

constexpr const char* kNew = "filter: all calls of the new mount API; no capability";

constexpr Attack refused(std::string_view name, std::string_view aim, long (*attempt)(),
                         std::string_view control = kNew) {
  return {.name = name, .aim = aim, .control = control, .inside = "EPERM", .attempt = attempt};
}

// With what an earlier call gives, which is nothing here.
constexpr Attack follows(std::string_view name, std::string_view aim, long (*attempt)()) {
  Attack attack = refused(name, aim, attempt);
  attack.unfiltered = "EINVAL";
  return attack;
}

constexpr Attack kAttacks[] = {
    refused("mounts.fsopen", "get a context for a file system", new_context),
    follows("mounts.fsconfig", "set a parameter of one", configure),
    follows("mounts.fsconfig_long", "set a long one (CVE-2022-0185)", long_parameter),
    refused("mounts.fsmount", "make a mount from one", new_mount),
    refused("mounts.fspick", "get the context of a mount", picked),
    refused("mounts.open_tree", "copy the tree of mounts", cloned_tree),
    refused("mounts.move_mount", "attach a new mount", new_mount_moved),
    refused("mounts.move_tree", "attach a copied tree", tree_moved),
    refused("mounts.setattr_root", "make / writable by mount_setattr",
            [] { return clear_attribute<MOUNT_ATTR_RDONLY>("/"); }),
    refused("mounts.setattr_nosuid", "allow set-id programs by mount_setattr",
            [] { return clear_attribute<MOUNT_ATTR_NOSUID>("/"); }),
    refused("mounts.setattr_nodev", "allow devices by mount_setattr",
            [] { return clear_attribute<MOUNT_ATTR_NODEV>("/"); }),
    refused("mounts.setattr_noexec", "allow programs in /proc by mount_setattr",
            [] { return clear_attribute<MOUNT_ATTR_NOEXEC>("/proc"); }),
    refused("mounts.setattr_all", "change every mount at once", read_only_everywhere),
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
     // Of his own namespace, as /proc/self/mountinfo does. Another one's needs a capability.
     .unfiltered = "ok|ENOSYS",
     .outside = "ok|ENOSYS",  // since Linux 6.8
     .attempt = listed_mounts},
    {.name = "mounts.statmount",
     .aim = "ask for a mount by number",
     .control = "filter: the call does not exist",
     .inside = "ENOSYS",
     .unfiltered = "ok|ENOSYS",
     .outside = "ok|ENOSYS",  // since Linux 6.8, too
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
     .outside = "ok|EOPNOTSUPP",  // overlayfs has none
     .attempt = make_handle},
    {.name = "mounts.quota",
     .aim = "have all quotas written",
     .control = "filter: quotactl",
     .inside = "EPERM",
     .unfiltered = "ok|ENOSYS",
     .outside = "ok|ENOSYS",  // kernels without quotas
     .attempt = [] { return syscall(SYS_quotactl, 0x80000100 /* Q_SYNC */, nullptr, 0, nullptr); }},
};

}  // namespace

std::span<const Attack> new_mount_attacks() { return kAttacks; }

}  // namespace sbx::attack
