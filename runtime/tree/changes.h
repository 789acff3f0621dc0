// What differs between two trees of files: a directory before and after, or a directory and the upper layer
// of an overlay over it (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
//
// Both may have been written by hostile programs, and must not be written meanwhile. Every step is by
// descriptor and name; no symbolic link is followed, and nothing but directories and regular files is opened.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace sbx::tree {

// Directories in each other; what is deeper, or has a longer path than open(2) takes, is an error.
inline constexpr int kMostDepth = 1000;

struct EntryState {
  mode_t mode = 0;         // with the type (inode(7))
  std::uint64_t size = 0;  // of a regular file's content

  [[nodiscard]] mode_t type() const { return mode & S_IFMT; }
  bool operator==(const EntryState&) const = default;
};

struct Change {
  std::string path;                  // relative to the top, without "./"
  std::optional<EntryState> before;  // missing: it was added
  std::optional<EntryState> after;   // missing: it was deleted
  bool content = false;  // not only its permissions are others; true of what was added or deleted, too

  bool operator==(const Change&) const = default;
};

enum class After : std::uint8_t {
  whole,  // a directory on its own
  layer,  // the upper layer of an overlay over `before`
};

// Calls `each` for every entry that differs in type, permissions, content or target: a directory that was
// added before what is in it, one that was deleted behind. Times, owners and extended attributes do not
// count. The order is that of the names' bytes in each directory. An error of `each` ends it.
Result<void> compare(int before, int after, After kind, const std::function<Result<void>(Change)>& each);

// Whether both are the same, of two entries of one type: content, target of a link, number of a device.
Result<bool> same_content(int first, int second, const std::string& name);

}  // namespace sbx::tree
