#include "resource/image_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "os/file.h"

namespace sbx {
namespace {

constexpr std::uint64_t kBeneath =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
constexpr std::int64_t kMaxId = 65535;
constexpr std::size_t kMaxRememberedBytes = 256U << 20U;

// What the runtime mounts over or creates in. A symbolic link in such a place would redirect the mount of a
// privileged process (CVE-2021-30465, CVE-2026-41579).
struct MountPoint {
  std::string_view path;
  bool made_when_missing;
  mode_t mode;
  std::int64_t owner;
};
constexpr std::array<MountPoint, 13> kMountPoints{{
    {"dev", true, 0755, 0},
    {"proc", true, 0555, 0},
    {"sys", true, 0555, 0},
    {"tmp", true, 01777, 0},
    {"run", true, 0755, 0},
    {"var", true, 0755, 0},
    {"var/tmp", true, 01777, 0},
    {"home", true, 0755, 0},
    {"home/sandbox", true, 0755, 1000},
    {"workspace", true, 0755, 1000},
    {"etc", false, 0, 0},
    {"usr", false, 0, 0},
    {"", false, 0, 0},  // the root itself
}};

bool is_mount_point(const std::string& path) {
  return std::ranges::find(kMountPoints, path, &MountPoint::path) != kMountPoints.end();
}

Result<void> check_not_mount_point(const std::string& path) {
  if (is_mount_point(path)) return fail("'/" + path + "' must be a directory");
  return {};
}

Result<void> check_metadata(const MemberMetadata& metadata) {
  for (const std::int64_t id : {metadata.uid, metadata.gid}) {
    if (id < 0 || id > kMaxId) return fail("its owner " + std::to_string(id) + " is not within 0..65535");
  }
  if ((metadata.mode & (S_ISUID | S_ISGID)) != 0)
    return fail("set-user-id and set-group-id bits are not allowed");
  return {};
}

// An error of a call on a path below the root, in the member's terms.
Error explain(Error error) {
  switch (error.error_number) {
  case EEXIST: return Error{"is there already", EEXIST};
  case ELOOP: return Error{"lies below a symbolic link", ELOOP};
  case ENOTDIR: return Error{"lies below something that is not a directory", ENOTDIR};
  default: return error;
  }
}

}  // namespace

std::string printable_name(std::string_view name) {
  constexpr std::size_t kMaxShown = 200;
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const char c : name.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      text += c;
    } else {
      text.append("\\x").append(1, kHex[byte >> 4U]).append(1, kHex[byte & 0x0FU]);
    }
  }
  return name.size() > kMaxShown ? text + "…" : text;
}

// "./usr//bin/" is "usr/bin"; the root is "".
Result<std::string> TreeWriter::clean(std::string_view name) const {
  if (name.empty()) return fail("its name is empty");
  if (name.front() == '/') return fail("its name is absolute");
  if (name.size() >= PATH_MAX) return fail("its name is longer than 4095 bytes");
  std::string path;
  unsigned depth = 0;
  while (!name.empty()) {
    const std::size_t slash = std::min(name.find('/'), name.size());
    const std::string_view component = name.substr(0, slash);
    name.remove_prefix(std::min(slash + 1, name.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") return fail("its name leads upwards");
    if (component.size() > NAME_MAX) return fail("its name has a component of more than 255 bytes");
    if (++depth > max_depth_)
      return fail("lies more than " + std::to_string(max_depth_) + " directories deep");
    if (!path.empty()) path += '/';
    path += component;
  }
  return path;
}

// The directory at `path`, made with its parents when it is missing. Valid until the next call.
Result<int> TreeWriter::open_parent(const std::string& path) {
  if (path.empty()) return root_;
  if (parent_.valid() && path == parent_path_) return parent_.get();
  constexpr int kFlags = O_PATH | O_DIRECTORY;  // with O_NOFOLLOW a link would be told as "not a directory"
  Result<UniqueFd> fd = os::open_resolved(root_, path, kFlags, kBeneath);
  if (!fd && fd.error().error_number == ENOENT) {
    const Place place = TRY(place_of(path));
    if (mkdirat(place.parent, place.name.c_str(), 0700) != 0) return fail(system_error("mkdir", path, errno));
    TRY(remember(path, 0755, timespec{}));
    fd = os::open_resolved(root_, path, kFlags, kBeneath);
  }
  if (!fd) return fail(explain(std::move(fd).error()));
  parent_ = std::move(*fd);
  parent_path_ = path;
  return parent_.get();
}

Result<TreeWriter::Place> TreeWriter::place_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  const bool at_top = slash == std::string::npos;
  return Place{TRY(open_parent(at_top ? "" : path.substr(0, slash))), at_top ? path : path.substr(slash + 1)};
}

// A directory's mode could lock us out of it, and its time changes with every file in it: both are set last.
Result<void> TreeWriter::remember(std::string path, mode_t mode, timespec modified) {
  remembered_bytes_ += path.size() + sizeof(PendingDirectory);
  if (remembered_bytes_ > kMaxRememberedBytes)
    return fail("the names of its directories are too long in all");
  directories_.push_back({std::move(path), mode, modified});
  return {};
}

Result<void> TreeWriter::add_directory(std::string_view name, const MemberMetadata& metadata) {
  const std::string path = TRY(clean(name));
  TRY(check_metadata(metadata));
  if (path.empty()) {
    if (fchown(root_, static_cast<uid_t>(metadata.uid), static_cast<gid_t>(metadata.gid)) != 0) {
      return fail(system_error("chown", "", errno));
    }
    return remember(path, metadata.mode, metadata.modified);
  }
  const Place place = TRY(place_of(path));
  if (mkdirat(place.parent, place.name.c_str(), 0700) != 0) {
    struct stat status {};
    if (errno != EEXIST) return fail(system_error("mkdir", "", errno));
    if (fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(status.st_mode)) {
      return fail("is there already and is no directory");
    }
  }
  if (fchownat(place.parent, place.name.c_str(), static_cast<uid_t>(metadata.uid),
               static_cast<gid_t>(metadata.gid), AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(system_error("chown", "", errno));
  }
  return remember(path, metadata.mode, metadata.modified);
}

Result<void> TreeWriter::add_symlink(std::string_view name, const std::string& target,
                                     const MemberMetadata& metadata) {
  const std::string path = TRY(clean(name));
  TRY(check_not_mount_point(path));
  if (target.empty() || target.size() >= PATH_MAX) return fail("the target of the link is empty or too long");
  MemberMetadata link = metadata;
  link.mode = 0;  // a symbolic link has none, and archives hold anything there
  TRY(check_metadata(link));
  const Place place = TRY(place_of(path));
  if (symlinkat(target.c_str(), place.parent, place.name.c_str()) != 0) {
    return fail(explain(system_error("symlink", "", errno)));
  }
  const std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, link.modified};
  if (fchownat(place.parent, place.name.c_str(), static_cast<uid_t>(link.uid), static_cast<gid_t>(link.gid),
               AT_SYMLINK_NOFOLLOW) != 0 ||
      utimensat(place.parent, place.name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(system_error("set owner and time", "", errno));
  }
  return {};
}

Result<void> TreeWriter::add_hard_link(std::string_view name, std::string_view target) {
  const std::string path = TRY(clean(name));
  TRY(check_not_mount_point(path));
  const std::string old_path = TRY_DOING("the target of the hard link", clean(target));
  const auto refuse = [&] {
    return fail("a hard link to '" + printable_name(target) + "', which is no regular file that came before");
  };
  if (old_path.empty()) return refuse();
  const Result<UniqueFd> old = os::open_resolved(root_, old_path, O_PATH | O_NOFOLLOW, kBeneath);
  if (!old) return refuse();
  const struct stat status = TRY(os::stat_fd(old->get(), ""));
  if (!S_ISREG(status.st_mode)) return refuse();
  const Place place = TRY(place_of(path));
  // By the descriptor that was checked; /proc is not followed further than to it (linkat(2)).
  const std::string checked = "/proc/self/fd/" + std::to_string(old->get());
  if (linkat(AT_FDCWD, checked.c_str(), place.parent, place.name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return fail(explain(system_error("link", "", errno)));
  }
  return {};
}

Result<UniqueFd> TreeWriter::add_file(std::string_view name, const MemberMetadata& metadata) {
  const std::string path = TRY(clean(name));
  TRY(check_not_mount_point(path));
  TRY(check_metadata(metadata));
  const Place place = TRY(place_of(path));
  Result<UniqueFd> fd = os::open_at(place.parent, place.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!fd) return fail(explain(std::move(fd).error()));
  return fd;
}

Result<void> TreeWriter::finish_file(int fd, const MemberMetadata& metadata) {
  // Mode after owner: a change of owner clears bits.
  const std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, metadata.modified};
  if (fchown(fd, static_cast<uid_t>(metadata.uid), static_cast<gid_t>(metadata.gid)) != 0 ||
      fchmod(fd, metadata.mode) != 0 || futimens(fd, times.data()) != 0) {
    return fail(system_error("set owner, mode and time", "", errno));
  }
  return {};
}

Result<void> TreeWriter::finish() {
  for (const MountPoint& point : kMountPoints) {
    if (!point.made_when_missing) continue;
    const std::string path(point.path);
    const Place place = TRY(place_of(path));
    struct stat status {};
    if (fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) continue;
    TRY_DOING("making '/" + path + "'",
              add_directory(path, {point.owner, point.owner, point.mode, timespec{}}));
  }
  for (const PendingDirectory& directory : directories_) {
    UniqueFd opened;
    int fd = root_;
    if (!directory.path.empty()) {
      opened = TRY(os::open_resolved(root_, directory.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kBeneath));
      fd = opened.get();
    }
    const std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, directory.modified};
    if (fchmod(fd, directory.mode) != 0 || futimens(fd, times.data()) != 0) {
      return fail(system_error("set mode and time", printable_name(directory.path), errno));
    }
  }
  directories_.clear();
  return {};
}

}  // namespace sbx
