#include "tree/copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "os/file.h"
#include "tree/changes.h"
#include "tree/entries.h"

namespace sbx::tree {
namespace {

constexpr std::string_view kUserPrefix = "user.";
constexpr std::string_view kOverlayPrefix = "user.overlay.";

// The names of the attributes that begin with a word; none where the file system has none.
Result<std::vector<std::string>> attribute_names(int fd, std::string_view prefix) {
  std::vector<char> names(XATTR_LIST_MAX);
  const ssize_t size = flistxattr(fd, names.data(), names.size());
  if (size < 0 && errno == ENOTSUP) return std::vector<std::string>();
  if (size < 0) return fail(system_error("flistxattr", "", errno));
  std::vector<std::string> found;
  for (const char* name = names.data(); name < names.data() + size;) {
    const std::string_view text = name;
    if (text.starts_with(prefix)) found.emplace_back(text);
    name += text.size() + 1;
  }
  return found;
}

Result<void> copy_user_attributes(int from, int to) {
  std::vector<char> value(XATTR_SIZE_MAX);
  for (const std::string& name : TRY(attribute_names(from, kUserPrefix))) {
    if (name.starts_with(kOverlayPrefix)) continue;
    const ssize_t size = fgetxattr(from, name.c_str(), value.data(), value.size());
    if (size < 0) return fail(system_error("fgetxattr", name, errno));
    if (fsetxattr(to, name.c_str(), value.data(), static_cast<std::size_t>(size), 0) != 0)
      return fail(system_error("fsetxattr", name, errno));
  }
  return {};
}

Result<void> set_times(int fd, const struct stat& status) {
  const timespec times[2] = {status.st_atim, status.st_mtim};
  return futimens(fd, times) == 0 ? Result<void>() : fail(system_error("futimens", "", errno));
}

Result<void> copy_range(int from, int to, off_t start, off_t end) {
  loff_t in = start;
  loff_t out = start;
  while (in < end) {
    const ssize_t count = copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - in), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("copy_file_range", "", errno));
    if (count == 0) return {};  // it is shorter by now
  }
  return {};
}

Result<void> copy_content(int from, int to, off_t size) {
  if (ioctl(to, FICLONE, from) == 0) return {};
  for (off_t start = 0; start < size;) {
    const off_t data = lseek(from, start, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // only a hole is left
    if (data < 0) return fail(system_error("lseek", "", errno));
    const off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0) return fail(system_error("lseek", "", errno));
    TRY(copy_range(from, to, data, hole));
    start = hole;
  }
  return ftruncate(to, size) == 0 ? Result<void>() : fail(system_error("ftruncate", "", errno));
}

Result<void> copy_regular(int from, const std::string& name, int to, const std::string& new_name) {
  const UniqueFd source = TRY(open_regular(from, name));
  const struct stat status = TRY(os::stat_fd(source.get(), name));
  const UniqueFd target = TRY(os::open_at(to, new_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(copy_content(source.get(), target.get(), status.st_size));
  TRY(copy_user_attributes(source.get(), target.get()));
  if (fchmod(target.get(), status.st_mode & 07777) != 0) return fail(system_error("fchmod", new_name, errno));
  return set_times(target.get(), status);
}

Result<void> copy_link(int from, const std::string& name, int to, const std::string& new_name) {
  const std::string target = TRY(read_link(from, name));
  if (symlinkat(target.c_str(), to, new_name.c_str()) == 0) return {};
  return fail(system_error("symlinkat", new_name, errno));
}

Result<void> copy_apart(int from, const std::string& name, int to, const std::string& new_name) {
  const std::optional<struct stat> status = TRY(stat_entry(from, name));
  if (!status) return {};
  switch (status->st_mode & S_IFMT) {
  case S_IFREG: return copy_regular(from, name, to, new_name);
  case S_IFLNK: return copy_link(from, name, to, new_name);
  case S_IFIFO:
  case S_IFSOCK:
    if (mknodat(to, new_name.c_str(), status->st_mode, 0) == 0) return {};
    return fail(system_error("mknodat", new_name, errno));
  default: return {};
  }
}

class Copy {
 public:
  Copy(CopyKind kind, int top) : kind_(kind), top_(top) {}

  Result<void> directory(int from, int to, const std::string& path) {
    if (++depth_ > kMostDepth || path.size() >= PATH_MAX)
      return fail(Error{"its directories lie too deep in each other, below '" + path.substr(0, 100) + "…'",
                        ENAMETOOLONG});
    for (const auto& [name, status] : TRY(read_entries(from))) {
      if (S_ISDIR(status.st_mode)) {
        TRY(below(from, name, to, join(path, name)));
      } else if (const auto copied = entry(from, name, status, to, join(path, name)); !copied) {
        if (copied.error().error_number == ENOENT && !TRY(stat_entry(from, name)))
          continue;  // gone meanwhile
        return fail(Error(copied.error()).while_doing("'" + join(path, name) + "'"));
      }
    }
    --depth_;
    return copy_attributes(from, to);
  }

 private:
  Result<void> below(int from, const std::string& name, int to, const std::string& path) {
    const Result<UniqueFd> source = open_directory(from, name);
    if (!source && source.error().error_number == ENOENT) return {};  // gone meanwhile
    if (!source) return fail(source.error());
    if (mkdirat(to, name.c_str(), 0700) != 0) return fail(system_error("mkdirat", path, errno));
    const UniqueFd target = TRY(open_directory(to, name));
    return directory(source->get(), target.get(), path);
  }

  Result<void> entry(int from, const std::string& name, const struct stat& status, int to,
                     const std::string& path) {
    if (kind_ == CopyKind::shared || status.st_nlink < 2) return copy_entry(from, name, to, name, kind_);
    // One file with several names stays one.
    const auto [place, is_first] = names_.try_emplace(status.st_ino, path);
    if (is_first) return copy_entry(from, name, to, name, kind_);
    if (linkat(top_, place->second.c_str(), to, name.c_str(), 0) == 0) return {};
    return fail(system_error("linkat", path, errno));
  }

  CopyKind kind_;
  int top_;
  int depth_ = 0;
  std::map<ino_t, std::string> names_;  // of files with several: the first one's copy
};

}  // namespace

Result<void> remove_overlay_notes(int directory, const std::string& name) {
  const UniqueFd file = TRY(open_regular(directory, name));
  for (const std::string& note : TRY(attribute_names(file.get(), kOverlayPrefix))) {
    if (fremovexattr(file.get(), note.c_str()) != 0) return fail(system_error("fremovexattr", note, errno));
  }
  return {};
}

Result<void> copy_attributes(int from, int to) {
  const struct stat status = TRY(os::stat_fd(from, "directory"));
  TRY(copy_user_attributes(from, to));
  if (fchmod(to, status.st_mode & 07777) != 0) return fail(system_error("fchmod", "", errno));
  return set_times(to, status);
}

Result<void> copy_entry(int from, const std::string& name, int to, const std::string& new_name,
                        CopyKind kind) {
  if (kind == CopyKind::shared) {
    if (linkat(from, name.c_str(), to, new_name.c_str(), 0) == 0) return {};
    if (errno != EMLINK) return fail(system_error("linkat", new_name, errno));
  }
  return copy_apart(from, name, to, new_name);
}

Result<void> copy_tree(int from, int to, CopyKind kind) { return Copy(kind, to).directory(from, to, ""); }

}  // namespace sbx::tree
