// Files that would give rights: capabilities, attributes of the kernel's own, flags.
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cstdint>

#include "file_attempts.h"

namespace sbx::attack {
namespace {

constexpr unsigned long kHighBit = 1UL << 32U;  // above what the kernel reads of a request
// The same on all architectures (syscalls/syscall.tbl); newer than our headers.
constexpr long kSetxattrat = 463;
constexpr long kFileGetattr = 468;
constexpr long kFileSetattr = 469;

// cap_setuid, cap_sys_admin and the rest, permitted and effective (capabilities(7), vfs_cap_data).
struct FileCapabilities {
  std::uint32_t magic = 0x02000001;  // version 2, effective
  std::uint32_t sets[4] = {~0U, 0, ~0U, 0};
};

long give_capabilities() {
  const FileCapabilities all;
  return setxattr(plain("capable"), "security.capability", &all, sizeof all, 0);
}

// Version 3 names the root of a user namespace, who may write it there.
long give_namespaced_capabilities() {
  struct {
    std::uint32_t magic = 0x03000001;
    std::uint32_t sets[4] = {~0U, 0, ~0U, 0};
    std::uint32_t root = 0;
  } all;
  return setxattr(plain("capable3"), "security.capability", &all, sizeof all, 0);
}

template <Text name>
long gives_attribute() {
  return setxattr(plain("attributed"), name.text, "y", 1, 0);
}

struct AclEntry {
  std::uint16_t tag, rights;
  std::uint32_t id;
};

// linux/posix_acl_xattr.h: the owner, `count` users from `first` on, group, mask and others.
template <std::uint32_t first, std::uint32_t count>
long acl_of() {
  struct {
    std::uint32_t version = 2;
    AclEntry entries[count + 4];
  } acl;
  acl.entries[0] = {0x01, 7, ~0U};
  for (std::uint32_t i = 0; i < count; ++i) acl.entries[1 + i] = {0x02, 7, first + i};
  acl.entries[count + 1] = {0x04, 7, ~0U};
  acl.entries[count + 2] = {0x10, 7, ~0U};
  acl.entries[count + 3] = {0x20, 7, ~0U};
  const std::string path = target("home") + "/acl";
  return setxattr(plain(path.c_str()), "system.posix_acl_access", &acl, sizeof acl, 0);
}

long attribute_behind_pointer() {
  struct {
    std::uint64_t value;
    std::uint32_t size;
    std::uint32_t flags = 0;
  } arguments{reinterpret_cast<std::uint64_t>("y"), 1};
  return syscall(kSetxattrat, AT_FDCWD, plain("attributed_at"), 0, "trusted.sbx", &arguments,
                 sizeof arguments);
}

// FS_APPEND_FL and FS_IMMUTABLE_FL keep a file from being removed; they are taken off at once.
template <unsigned long request>
long flags_by(long flag) {
  const int fd = opened("flagged");
  const long result = ioctl(fd, request, &flag);
  long none = 0;
  if (result == 0) (void)ioctl(fd, FS_IOC_SETFLAGS, &none);
  return result;
}

// A project id takes the file out of a quota.
template <unsigned long request>
long project_by() {
  const int fd = opened("counted");
  fsxattr attributes{};
  attributes.fsx_projid = 42;
  return ioctl(fd, request, &attributes);
}

long attributes_behind_pointer() {
  struct {
    std::uint64_t xflags;
    std::uint32_t extent, count, project, copy;
  } attributes{};
  (void)plain("set_attr");
  if (syscall(kFileGetattr, AT_FDCWD, "set_attr", &attributes, sizeof attributes, 0) < 0) return -1;
  return syscall(kFileSetattr, AT_FDCWD, "set_attr", &attributes, sizeof attributes, 0);
}

constexpr const char* kNoCapability = "no capability";
constexpr const char* kProject = "filter: the request of ioctl; a user namespace of its own";
constexpr const char* kFlags = "filter: the request of ioctl";

constexpr Attack refused(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name, .aim = aim, .control = kNoCapability, .inside = "EPERM", .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    refused("files.capability", "give a file all capabilities", give_capabilities),
    {.name = "files.capability_namespaced",
     .aim = "give it those of a user namespace",
     .control = kNoCapability,
     .inside = "EPERM",
     .outside = "ok|EINVAL",  // written by the host's root, version 3 is version 2
     .attempt = give_namespaced_capabilities},
    refused("files.trusted", "give a file an attribute of the kernel's own", gives_attribute<"trusted.sbx">),
    refused("files.trusted_overlay", "mark a directory for overlays as hiding another",
            gives_attribute<"trusted.overlay.opaque">),
    {.name = "files.security_other",
     .aim = "give it a label",
     .control = "no capability (newer kernels)",
     // Before Linux 6.10 the owner of a file may, where the kernel has BPF programs among its security
     // modules (Debian's 6.1 does). No control reads such a label.
     .inside = "EPERM|EOPNOTSUPP|ok",
     .outside = "ok|EOPNOTSUPP",  // not every file system takes any
     .attempt = gives_attribute<"security.sbx">},
    {.name = "files.user_overlay",
     .aim = "mark it for overlays that read users' attributes",
     .control = "none: no overlay of ours reads them (userxattr)",
     .inside = "ok",
     .outside = "ok|EOPNOTSUPP",  // of users, in memory: since Linux 6.6
     .attempt = gives_attribute<"user.overlay.opaque">},
    {.name = "files.attribute_at",
     .aim = "set such an attribute by a call that hides it",
     .control = "filter: setxattrat does not exist; no capability",
     .inside = "ENOSYS",
     .unfiltered = "EPERM|ENOSYS",
     .outside = "ok|ENOSYS",  // since Linux 6.13
     .attempt = attribute_behind_pointer},
    {.name = "files.long_acl",
     .aim = "have memory of long ACLs that is charged to nobody",
     .control = "filter: the size of setxattr",
     .inside = "EPERM",
     .unfiltered = "ok",
     .attempt = acl_of<1, 40>},
    {.name = "files.foreign_acl",
     .aim = "give rights to a user of the host",
     .control = "only the sandbox's own ids have names",
     .inside = "EINVAL",
     .attempt = acl_of<70'000, 1>},
    {.name = "files.immutable",
     .aim = "make a file that cannot be removed",
     .control = "filter: the request of ioctl; no capability",
     .inside = "EPERM",
     .outside = "ok|ENOTTY",  // the file system may not know them
     .attempt = [] { return flags_by<FS_IOC_SETFLAGS>(FS_IMMUTABLE_FL); }},
    {.name = "files.append_only",
     .aim = "make one that can only grow",
     .control = "filter: the request of ioctl; no capability",
     .inside = "EPERM",
     .outside = "ok|ENOTTY",
     .attempt = [] { return flags_by<FS_IOC_SETFLAGS>(FS_APPEND_FL); }},
    {.name = "files.flags",
     .aim = "change the flags of his own file",
     .control = kFlags,
     .inside = "EPERM",
     .unfiltered = "ok",
     .outside = "ok|ENOTTY",
     .attempt = [] { return flags_by<FS_IOC_SETFLAGS>(FS_NODUMP_FL); }},
    {.name = "files.flags_high",
     .aim = "the same with a bit set that the kernel does not read",
     .control = kFlags,
     .inside = "EPERM",
     .unfiltered = "ok",
     .outside = "ok|ENOTTY",
     .attempt =
         [] {
           const long flag = FS_NODUMP_FL;
           return syscall(SYS_ioctl, opened("flagged"), kHighBit | FS_IOC_SETFLAGS, &flag);
         }},
    {.name = "files.flags_32",
     .aim = "the same by the number of 32-bit programs",
     .control = "the kernel: known to 32-bit programs only, of which there are none",
     .inside = "ENOTTY",
     .outside = "ENOTTY",
     .attempt = [] { return flags_by<FS_IOC32_SETFLAGS>(FS_NODUMP_FL); }},
    {.name = "files.project",
     .aim = "move a file out of its quota",
     .control = kProject,
     .inside = "EPERM",
     .unfiltered = "EPERM|EINVAL|ENOTTY|EOPNOTSUPP",  // by file system; ext4: EINVAL, no id of his
     .outside = "ok|EINVAL|ENOTTY|EOPNOTSUPP",        // without project quotas
     .attempt = project_by<FS_IOC_FSSETXATTR>},
    {.name = "files.project_high",
     .aim = "the same with a bit set that the kernel does not read",
     .control = kProject,
     .inside = "EPERM",
     .unfiltered = "EPERM|EINVAL|ENOTTY|EOPNOTSUPP",
     .outside = "ok|EINVAL|ENOTTY|EOPNOTSUPP",
     .attempt = project_by<kHighBit | FS_IOC_FSSETXATTR>},
    {.name = "files.file_setattr",
     .aim = "do so by a call that hides it",
     .control = "filter: file_setattr does not exist",
     .inside = "ENOSYS",
     .unfiltered = "ok|EPERM|ENOSYS|EOPNOTSUPP",  // ext4: EPERM
     .outside = "ok|ENOSYS|EOPNOTSUPP",           // since Linux 6.17
     .attempt = attributes_behind_pointer},
};

}  // namespace

std::span<const Attack> file_rights_attacks() { return kAttacks; }

}  // namespace sbx::attack
