#include "tree/entries.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <memory>

#include "os/file.h"

namespace sbx::tree {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { (void)closedir(directory); }
};

constexpr int kNeverWait = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

}  // namespace

Result<std::optional<struct stat>> stat_entry(int directory, const std::string& name) {
  struct stat status {};
  if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return std::optional(status);
  if (errno == ENOENT) return std::optional<struct stat>();
  return fail(system_error("fstatat", name, errno));
}

Result<Entries> read_entries(int directory) {
  UniqueFd again = TRY(os::open_at(directory, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(again.get()));
  if (!stream) return fail(system_error("fdopendir", "", errno));
  (void)again.release();
  Entries entries;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr && errno != 0) return fail(system_error("readdir", "", errno));
    if (entry == nullptr) return entries;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::optional<struct stat> status = TRY(stat_entry(directory, name));
    if (status) entries.emplace(name, *status);
  }
}

Result<UniqueFd> open_directory(int parent, const std::string& name) {
  return os::open_at(parent, name, O_RDONLY | O_DIRECTORY | kNeverWait);
}

Result<UniqueFd> open_regular(int parent, const std::string& name) {
  UniqueFd file = TRY(os::open_at(parent, name, O_RDONLY | kNeverWait));
  const struct stat status = TRY(os::stat_fd(file.get(), name));
  if (!S_ISREG(status.st_mode)) return fail("'" + name + "' is no regular file");
  return file;
}

bool is_opaque(int directory) {
  for (const char* name : {"user.overlay.opaque", "trusted.overlay.opaque"}) {
    char value = 0;
    if (fgetxattr(directory, name, &value, sizeof value) == 1 && value == 'y') return true;
  }
  return false;
}

Result<std::string> read_link(int parent, const std::string& name) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = readlinkat(parent, name.c_str(), target.data(), target.size());
  if (size < 0) return fail(system_error("readlinkat", name, errno));
  return std::string(target.data(), static_cast<std::size_t>(size));
}

}  // namespace sbx::tree
