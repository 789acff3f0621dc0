#include "os/file.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace sbx::os {
namespace {

template <class F>
auto retry_interrupted(F call) {
  while (true) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

struct CloseDirectory {
  void operator()(DIR* directory) const { (void)closedir(directory); }
};

// A guest can nest directories deeper than our stack and our descriptors allow: what is deeper is moved to
// the top of the tree, and removed from there.
constexpr unsigned kMostDepth = 128;

class Removal {
 public:
  Result<void> remove(int directory, const std::string& name, unsigned depth) {
    if (unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM && errno != ENOTEMPTY)
      return fail(system_error("unlink", name, errno));
    if (unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (errno != ENOTEMPTY && errno != EEXIST) return fail(system_error("rmdir", name, errno));
    if (depth > kMostDepth) return move_up(directory, name);
    const UniqueFd fd = TRY(open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (depth == 0) top_ = fd.get();
    do {
      if (depth == 0) moved_ = false;
      for (const std::string& child : TRY(list_directory(fd.get(), ".")))
        TRY_DOING("removing '" + name + "'", remove(fd.get(), child, depth + 1));
    } while (depth == 0 && moved_);
    if (unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    return fail(system_error("rmdir", name, errno));
  }

 private:
  Result<void> move_up(int directory, const std::string& name) {
    while (true) {
      const std::string place = ".sbx-deep-" + std::to_string(++count_);
      const bool done = renameat2(directory, name.c_str(), top_, place.c_str(), RENAME_NOREPLACE) == 0;
      moved_ = moved_ || done;
      if (done || errno == ENOENT) return {};
      if (errno != EEXIST) return fail(system_error("rename", name, errno));
    }
  }

  int top_ = -1;
  bool moved_ = false;  // since the top was listed
  std::uint64_t count_ = 0;
};

}  // namespace

Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode) {
  const int fd = retry_interrupted([&] { return openat(directory, path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return fail(system_error("open", path, errno));
  return UniqueFd(fd);
}

Result<std::optional<UniqueFd>> open_if_exists(int directory, const std::string& path, int flags) {
  Result<UniqueFd> fd = open_at(directory, path, flags);
  if (fd) return std::optional(std::move(*fd));
  if (fd.error().error_number == ENOENT) return std::optional<UniqueFd>{};
  return fail(std::move(fd).error());
}

Result<UniqueFd> open_resolved(int directory, const std::string& path, int flags, std::uint64_t resolve,
                               mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = resolve;
  // EAGAIN: a rename raced with a lookup that must stay beneath (openat2(2)); try again, but not for ever.
  for (int attempt = 0;; ++attempt) {
    const long fd = syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if ((errno != EAGAIN && errno != EINTR) || attempt == 100)
      return fail(system_error("openat2", path, errno));
  }
}

Result<std::string> read_all(int fd, std::string_view what, std::size_t limit) {
  std::string bytes;
  std::size_t used = 0;
  while (true) {
    if (bytes.size() - used < 4096)
      bytes.resize(std::min(limit + 1, std::max<std::size_t>(16384, bytes.size() * 2)));
    const ssize_t count =
        retry_interrupted([&] { return read(fd, bytes.data() + used, bytes.size() - used); });
    if (count < 0) return fail(system_error("read", what, errno));
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used > limit)
      return fail("'" + std::string(what) + "' is larger than " + std::to_string(limit) + " bytes");
  }
  bytes.resize(used);
  return bytes;
}

Result<std::string> read_file(int directory, const std::string& path, std::size_t limit) {
  const UniqueFd fd = TRY(open_at(directory, path, O_RDONLY | O_NOCTTY));
  return read_all(fd.get(), path, limit);
}

Result<void> write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t count = retry_interrupted([&] { return write(fd, bytes.data(), bytes.size()); });
    if (count < 0) return fail(system_error("write", what, errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> write_existing(int directory, const std::string& path, std::string_view bytes) {
  const UniqueFd fd = TRY(open_at(directory, path, O_WRONLY));
  const ssize_t count = retry_interrupted([&] { return write(fd.get(), bytes.data(), bytes.size()); });
  if (count < 0) return fail(system_error("write '" + std::string(bytes) + "' to", path, errno));
  if (static_cast<std::size_t>(count) != bytes.size()) return fail("write to '" + path + "': was cut short");
  return {};
}

Result<void> replace_file(int directory, const std::string& path, std::string_view bytes, mode_t mode) {
  const std::string temporary = path + ".new." + std::to_string(getpid());
  const UniqueFd fd = TRY(open_at(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
  Result<void> written = write_all(fd.get(), bytes, temporary);
  if (written && renameat(directory, temporary.c_str(), directory, path.c_str()) != 0) {
    written = fail(system_error("rename", path, errno));
  }
  if (!written) (void)unlinkat(directory, temporary.c_str(), 0);  // the first error is the one to tell
  return written;
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return fail(system_error("mkdir", path, errno));
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos || slash == 0) return fail(system_error("mkdir", path, ENOENT));
  TRY(make_directories(path.substr(0, slash), mode));
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail(system_error("mkdir", path, errno));
  return {};
}

Result<struct stat> stat_fd(int fd, std::string_view what) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail(system_error("fstat", what, errno));
  return status;
}

Result<std::vector<std::string>> list_directory(int directory, const std::string& path) {
  UniqueFd fd = TRY(open_at(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(fd.get()));
  if (!stream) return fail(system_error("fdopendir", path, errno));
  (void)fd.release();  // closedir closes it
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail(system_error("readdir", path, errno));
  std::ranges::sort(names);
  return names;
}

Result<void> remove_tree(int directory, const std::string& name) {
  return Removal().remove(directory, name, 0);
}

Result<std::optional<UniqueFd>> lock_file(int directory, const std::string& path, bool wait) {
  UniqueFd fd = TRY(open_at(directory, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (retry_interrupted([&] { return flock(fd.get(), wait ? LOCK_EX : LOCK_EX | LOCK_NB); }) == 0) {
    return std::optional(std::move(fd));
  }
  if (errno == EWOULDBLOCK) return std::optional<UniqueFd>{};
  return fail(system_error("flock", path, errno));
}

Result<UniqueFd> sealed_memfd(const char* name, std::string_view bytes) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return fail(system_error("memfd_create", name, errno));
  TRY(write_all(fd.get(), bytes, name));
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return fail(system_error("fcntl F_ADD_SEALS", name, errno));
  }
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return fail(system_error("lseek", name, errno));
  return fd;
}

Result<std::string> read_sealed_memfd(int fd, std::string_view what, std::size_t limit) {
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return fail(std::string(what) + ": not a sealed memory file");
  const struct stat status = TRY(stat_fd(fd, what));
  if (static_cast<std::uint64_t>(status.st_size) > limit) {
    return fail(std::string(what) + ": larger than " + std::to_string(limit) + " bytes");
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t used = 0;
  while (used < bytes.size()) {
    const ssize_t count = retry_interrupted(
        [&] { return pread(fd, bytes.data() + used, bytes.size() - used, static_cast<off_t>(used)); });
    if (count < 0) return fail(system_error("pread", what, errno));
    if (count == 0) return fail(std::string(what) + ": ended early");
    used += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace sbx::os
