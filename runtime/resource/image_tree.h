// Builds a directory tree from the members of a hostile archive. Every path is resolved by the kernel beneath
// the root (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): a symbolic link is written as data and never
// followed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sbx {

struct MemberMetadata {
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  mode_t mode = 0;  // permission bits
  timespec modified{};
};

// A member's name as text for messages: no control characters, bounded.
std::string printable_name(std::string_view name);

class TreeWriter {
 public:
  // `root` is borrowed: an empty directory that nobody else writes to.
  TreeWriter(int root, unsigned max_depth) : root_(root), max_depth_(max_depth) {}

  // Each of these adds one member, and the directories above it that have not come yet. Errors: a name that
  // is absolute, leads upwards, is too long or too deep, is there already (but a directory may come twice),
  // lies below a symbolic link, or is a mount point of the runtime and not a directory; an owner above 65535;
  // set-id bits.
  Result<void> add_directory(std::string_view name, const MemberMetadata& metadata);
  Result<void> add_symlink(std::string_view name, const std::string& target, const MemberMetadata& metadata);
  // `target` must be a regular file that was added before.
  Result<void> add_hard_link(std::string_view name, std::string_view target);
  // A new file, open for writing; `finish_file` after its content.
  Result<UniqueFd> add_file(std::string_view name, const MemberMetadata& metadata);
  Result<void> finish_file(int fd, const MemberMetadata& metadata);

  // Makes the mount points of the runtime that are missing, then sets modes and times of all directories.
  Result<void> finish();

 private:
  struct Place {
    int parent = -1;  // valid until the next member
    std::string name;
  };
  struct PendingDirectory {
    std::string path;
    mode_t mode;
    timespec modified;
  };

  Result<std::string> clean(std::string_view name) const;
  Result<int> open_parent(const std::string& path);
  Result<Place> place_of(const std::string& path);
  Result<void> remember(std::string path, mode_t mode, timespec modified);

  int root_;
  unsigned max_depth_;
  // Members come sorted by directory: one open directory saves most of the look-ups.
  std::string parent_path_;
  UniqueFd parent_;
  std::vector<PendingDirectory> directories_;
  std::size_t remembered_bytes_ = 0;
};

}  // namespace sbx
