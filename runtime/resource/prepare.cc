#include "resource/prepare.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "language/placeholders.h"
#include "os/file.h"
#include "os/mount.h"
#include "resource/host_needs.h"

namespace sbx {
namespace {

Result<void> set_owner_and_mode(int directory, const std::string& name, uid_t owner, mode_t mode) {
  if (fchownat(directory, name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(system_error("fchownat", name, errno));
  }
  if (fchmodat(directory, name.c_str(), mode, 0) != 0) return fail(system_error("fchmodat", name, errno));
  return {};
}

class Preparer {
 public:
  Preparer(const OpenSources& open, const IdClaim& ids, const IdPool& pool,
           const std::vector<std::string>& allowed, std::vector<std::string>& degradations)
      : open_(open), ids_(ids), pool_(pool), allowed_(allowed), degradations_(degradations) {
    const IdMapLine whole{0, ids.first_id(), kIdsPerSandbox};
    prepared_.id_maps.push_back({{whole}, {whole}});
  }

  Result<PreparedMounts> prepare(const SandboxPlan& plan) {
    for (const MountSource& source : plan.sources) TRY(prepare_source(source));
    return std::move(prepared_);
  }

 private:
  Result<void> prepare_source(const MountSource& source) {
    MountDescriptor descriptor;
    UniqueFd mount;
    switch (source.kind) {
    case MountSource::Kind::scratch: mount = TRY(scratch(source)); break;
    case MountSource::Kind::devices: mount = TRY(devices_or_need(source)); break;
    case MountSource::Kind::tree: mount = TRY(tree(source, descriptor)); break;
    case MountSource::Kind::workspace: mount = TRY(workspace(source, descriptor)); break;
    case MountSource::Kind::build: mount = TRY(build(source)); break;
    }
    prepared_.mounts.push_back(std::move(mount));
    prepared_.descriptors.push_back(descriptor);
    return {};
  }

  Result<UniqueFd> tree(const MountSource& source, MountDescriptor& descriptor) {
    const BindSource* bind = open_.binds.find(source.path);
    const UniqueFd found = bind != nullptr ? UniqueFd() : TRY(os::open_at(AT_FDCWD, source.path, O_PATH));
    const int fd = bind != nullptr ? bind->fd.get() : found.get();
    const struct stat status = TRY(os::stat_fd(fd, source.path));
    if (!S_ISDIR(status.st_mode) && !(source.may_be_file && S_ISREG(status.st_mode))) {
      return fail("'" + source.path + "' is not a directory" +
                  (source.may_be_file ? " or a regular file" : ""));
    }
    UniqueFd mount = TRY(os::clone_mount(fd, source.path, source.attributes, 0));
    switch (source.id_map) {
    case SourceIdMap::none: break;
    case SourceIdMap::sandbox: descriptor.id_map = 0; break;
    case SourceIdMap::host: descriptor.id_map = map_without_our_ids(); break;
    case SourceIdMap::owner:
    case SourceIdMap::client:
      if (bind == nullptr) return fail("'" + source.path + "' was not opened as a bind");
      descriptor.id_map = map_to_workload(bind->uid, bind->gid);
      break;
    case SourceIdMap::project: break;
    }
    if (descriptor.id_map >= 0) TRY(check_id_mappable(mount.get(), source, descriptor));
    return mount;
  }

  // As it is where it is a mount of its own already.
  Result<UniqueFd> workspace(const MountSource& source, MountDescriptor& descriptor) {
    const int top = open_.project.top.get();
    UniqueFd mount(open_.project.is_mount ? fcntl(top, F_DUPFD_CLOEXEC, 5) : -1);
    if (open_.project.is_mount) {
      if (!mount.valid()) return fail(system_error("fcntl F_DUPFD_CLOEXEC", source.path, errno));
      TRY(os::set_mount_attributes(mount.get(), source.path, source.attributes));
    } else {
      mount = TRY(os::clone_mount(top, source.path, source.attributes, 0));
    }
    descriptor.id_map = map_of_project();
    TRY(check_id_mappable(mount.get(), source, descriptor));
    const bool is_written = (source.attributes & MOUNT_ATTR_RDONLY) == 0;
    if (is_written && open_.project.limits.bytes) {
      prepared_.storage.push_back(
          {source.limit, UniqueFd(fcntl(top, F_DUPFD_CLOEXEC, 5)), open_.project.own_inodes, true, true});
    }
    return mount;
  }

  Result<UniqueFd> build(const MountSource& source) {
    UniqueFd mount = TRY(os::clone_mount(open_.build, kBuildPath, source.attributes, 0));
    if ((source.attributes & MOUNT_ATTR_RDONLY) == 0)
      prepared_.storage.push_back(
          {source.limit, UniqueFd(fcntl(open_.build, F_DUPFD_CLOEXEC, 5)), 1, false, false});
    return mount;
  }

  std::int32_t map_without_our_ids() {
    std::vector<IdMapLine> lines;
    std::uint32_t first = 0;
    for (const std::uint32_t end : {kWorkloadId, kInitId, kIdsPerSandbox}) {
      lines.push_back({first, ids_.outside(first), end - first});
      first = end + 1;
    }
    return add_map({lines, lines});
  }

  // The ids that own the source on disk are the workload's inside; all others are nobody's.
  std::int32_t map_to_workload(uid_t uid, gid_t gid) {
    const std::uint32_t outside = ids_.outside(kWorkloadId);
    return add_map({{{uid, outside, 1}}, {{gid, outside, 1}}});
  }

  // Who mounts the overlay of a transaction is the host's root: what overlayfs makes for itself is root's.
  std::int32_t map_of_project() {
    const IdMapLine files{pool_.service_id(), ids_.outside(kWorkloadId), 1};
    const IdMapLine ours{0, 0, 1};
    if (open_.project.branch.empty()) return add_map({{files}, {files}});
    return add_map({{ours, files}, {ours, files}});
  }

  std::int32_t add_map(const IdMap& map) {
    const auto found = std::ranges::find(prepared_.id_maps, map);
    if (found != prepared_.id_maps.end()) return static_cast<std::int32_t>(found - prepared_.id_maps.begin());
    prepared_.id_maps.push_back(map);
    return static_cast<std::int32_t>(prepared_.id_maps.size() - 1);
  }

  Result<void> check_id_mappable(int mount, const MountSource& source, MountDescriptor& descriptor) {
    const std::string type = os::file_system_name(mount);
    if (!refuses_id_map(type)) return {};
    if (std::ranges::find(allowed_, "idmapped_mounts") == allowed_.end()) {
      return fail(id_map_refusal(source.path, type));
    }
    descriptor.id_map = -1;
    if (std::ranges::find(degradations_, "idmapped_mounts") == degradations_.end()) {
      degradations_.emplace_back("idmapped_mounts");
    }
    return {};
  }

  os::MountOptions owned_by_inside_root() const {
    const std::string root = std::to_string(ids_.outside(0));
    return {{"mode", "0755"}, {"uid", root}, {"gid", root}};
  }

  Result<UniqueFd> scratch(const MountSource& source) {
    os::MountOptions options = owned_by_inside_root();
    if (source.size_bytes) options.emplace_back("size", std::to_string(*source.size_bytes));
    const std::uint64_t own_inodes = source.directories.size() + 1;  // not the program's to pay for
    if (source.inodes) options.emplace_back("nr_inodes", std::to_string(*source.inodes + own_inodes));
    UniqueFd mount = TRY(os::new_mount("tmpfs", options, source.attributes));
    for (const ScratchDirectory& directory : source.directories) {
      if (directory.file) {
        const UniqueFd file =
            TRY(os::open_at(mount.get(), directory.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        TRY(os::write_all(file.get(), directory.content, directory.name));
      } else if (mkdirat(mount.get(), directory.name.c_str(), 0700) != 0) {
        return fail(system_error("mkdir", directory.name, errno));
      }
      const uid_t owner = directory.inside_owner ? ids_.outside(*directory.inside_owner) : 0;
      TRY(set_owner_and_mode(mount.get(), directory.name, owner, directory.mode));
    }
    const bool is_workspace = std::ranges::any_of(
        source.directories, [](const ScratchDirectory& directory) { return directory.name == "workspace"; });
    prepared_.storage.push_back(
        {source.limit, UniqueFd(fcntl(mount.get(), F_DUPFD_CLOEXEC, 5)), own_inodes, false, is_workspace});
    return mount;
  }

  // With all capabilities it is a device cgroup that refuses.
  Result<UniqueFd> devices_or_need(const MountSource& source) {
    Result<UniqueFd> made = devices(source);
    if (made) return made;
    return fail(with_need(std::move(made).error(), HostNeed::devices));
  }

  // A /dev of our own with the harmless nodes only (null(4), random(4), full(4), tty(4)).
  Result<UniqueFd> devices(const MountSource& source) {
    os::MountOptions options = owned_by_inside_root();
    options.emplace_back("size", "64k");
    options.emplace_back("nr_inodes", "64");
    UniqueFd mount = TRY(os::new_mount("tmpfs", options, 0));
    struct Node {
      const char* name;
      unsigned major;
      unsigned minor;
    };
    for (const Node& node : {Node{"null", 1, 3}, Node{"zero", 1, 5}, Node{"full", 1, 7}, Node{"random", 1, 8},
                             Node{"urandom", 1, 9}, Node{"tty", 5, 0}}) {
      if (mknodat(mount.get(), node.name, S_IFCHR | 0600, makedev(node.major, node.minor)) != 0) {
        return fail(system_error("mknod", node.name, errno));
      }
      TRY(set_owner_and_mode(mount.get(), node.name, ids_.outside(0), 0666));
    }
    struct Link {
      const char* name;
      const char* target;
    };
    for (const Link& link :
         {Link{"ptmx", "pts/ptmx"}, Link{"fd", "/proc/self/fd"}, Link{"stdin", "/proc/self/fd/0"},
          Link{"stdout", "/proc/self/fd/1"}, Link{"stderr", "/proc/self/fd/2"}}) {
      if (symlinkat(link.target, mount.get(), link.name) != 0)
        return fail(system_error("symlink", link.name, errno));
      if (fchownat(mount.get(), link.name, ids_.outside(0), ids_.outside(0), AT_SYMLINK_NOFOLLOW) != 0)
        return fail(system_error("fchownat", link.name, errno));
    }
    for (const char* directory : {"pts", "shm", "mqueue"}) {
      if (mkdirat(mount.get(), directory, 0755) != 0) return fail(system_error("mkdir", directory, errno));
    }
    mount_attr attributes{};
    attributes.attr_set = source.attributes;
    if (syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
      return fail(system_error("mount_setattr", "/dev", errno));
    }
    return mount;
  }

  const OpenSources& open_;
  const IdClaim& ids_;
  const IdPool& pool_;
  const std::vector<std::string>& allowed_;
  std::vector<std::string>& degradations_;
  PreparedMounts prepared_;
};

}  // namespace

Result<PreparedMounts> prepare_mounts(const SandboxPlan& plan, const OpenSources& open, const IdClaim& ids,
                                      const IdPool& pool, const std::vector<std::string>& allowed,
                                      std::vector<std::string>& degradations) {
  return Preparer(open, ids, pool, allowed, degradations).prepare(plan);
}

}  // namespace sbx
