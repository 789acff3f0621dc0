#include "resource/image_disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>

#include "base/hash.h"
#include "os/file.h"
#include "resource/image_layout.h"

namespace sbx {
namespace {

constexpr std::string_view kTemporaryPrefix = "tmp.";

Result<UniqueFd> open_directory(int directory, const std::string& name) {
  return os::open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<UniqueFd> make_and_open(int directory, const std::string& name) {
  if (mkdirat(directory, name.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(system_error("mkdir", name, errno));
  return open_directory(directory, name);
}

}  // namespace

Result<ImageDisk> open_image_disk(const std::string& state_dir) {
  TRY(os::make_directories(state_dir, 0700));
  ImageDisk disk;
  disk.images = TRY(make_and_open(AT_FDCWD, image_layout::images(state_dir)));
  disk.names = TRY(make_and_open(disk.images.get(), "names"));
  disk.by_digest = TRY(make_and_open(disk.images.get(), "by-digest"));
  disk.locks = TRY(make_and_open(disk.images.get(), "locks"));
  return disk;
}

Result<UniqueFd> lock_names(const ImageDisk& disk) {
  std::optional<UniqueFd> lock = TRY(os::lock_file(disk.locks.get(), "names", true));
  return std::move(*lock);
}

Result<std::optional<DigestLock>> DigestLock::take(const ImageDisk& disk, const std::string& hex, bool wait) {
  while (true) {
    std::optional<UniqueFd> fd = TRY(os::lock_file(disk.locks.get(), hex, wait));
    if (!fd) return std::optional<DigestLock>{};
    // Who had it before has removed it: another file of this name is the lock now, or there is none.
    if (TRY(os::stat_fd(fd->get(), hex)).st_nlink == 0) continue;
    return std::optional(DigestLock(disk.locks.get(), hex, *std::move(fd)));
  }
}

DigestLock::~DigestLock() {
  // Ours is the file of this name: only who holds it removes it. One that stays goes with remove_leftovers.
  if (fd_.valid()) (void)unlinkat(locks_, hex_.c_str(), 0);
}

Result<TemporaryImage> TemporaryImage::make(const ImageDisk& disk) {
  static std::atomic<unsigned> next{0};
  while (true) {
    std::string name =
        std::string(kTemporaryPrefix) + std::to_string(getpid()) + "." + std::to_string(next++);
    if (mkdirat(disk.images.get(), name.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;  // another process of this number, in another pid namespace or long ago
      return fail(system_error("mkdir", name, errno));
    }
    UniqueFd fd = TRY(open_directory(disk.images.get(), name));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail(system_error("flock", name, errno));
    return TemporaryImage(disk.images.get(), std::move(name), std::move(fd));
  }
}

TemporaryImage::~TemporaryImage() {
  // What cannot be removed now is removed by the next import.
  if (fd_.valid()) (void)os::remove_tree(images_, name_);
}

Result<void> remove_leftovers(const ImageDisk& disk) {
  std::vector<std::pair<std::string, UniqueFd>> dead;
  {
    // A directory that was made but not locked yet must not look dead.
    const UniqueFd lock = TRY(lock_names(disk));
    for (const std::string& name : TRY(os::list_directory(disk.images.get(), "."))) {
      if (!name.starts_with(kTemporaryPrefix)) continue;
      Result<UniqueFd> fd = open_directory(disk.images.get(), name);
      if (!fd && fd.error().error_number == ENOENT) continue;
      if (!fd) return fail(std::move(fd).error());
      if (flock(fd->get(), LOCK_EX | LOCK_NB) == 0) dead.emplace_back(name, std::move(*fd));
    }
    // Under the lock of the names, as a removal does it: it does not wait for a digest that we try.
    for (const std::string& name : TRY(os::list_directory(disk.locks.get(), "."))) {
      if (is_sha256_hex(name)) (void)TRY(DigestLock::take(disk, name, false));
    }
    for (const std::string& name : TRY(os::list_directory(disk.names.get(), "."))) {
      if (name.starts_with('.'))
        (void)unlinkat(disk.names.get(), name.c_str(), 0);  // one name more is no harm
    }
  }
  for (const auto& [name, fd] : dead) TRY(os::remove_tree(disk.images.get(), name));
  return {};
}

}  // namespace sbx
