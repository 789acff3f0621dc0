#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/hash.h"
#include "base/names.h"
#include "os/file.h"
#include "resource/image_disk.h"
#include "resource/image_layout.h"
#include "resource/image_store.h"

namespace sbx {
namespace {

// True when a process sees a mount that names the tree: as its source, or as a layer of an overlay. A tree
// that is only held by a detached mount is not seen; whoever does that holds the lock on its directory.
bool is_mounted(const std::string& hex) {
  const Result<std::vector<std::string>> processes = os::list_directory(AT_FDCWD, "/proc");
  if (!processes) return true;  // without /proc nobody knows; keeping it is the safe side
  const std::string needle = "/by-digest/" + hex + "/";
  return std::ranges::any_of(*processes, [&](const std::string& process) {
    if (process.front() < '0' || process.front() > '9') return false;
    const Result<std::string> mounts = os::read_file(AT_FDCWD, "/proc/" + process + "/mountinfo");
    return mounts && mounts->find(needle) != std::string::npos;  // a process may have ended: no mounts
  });
}

Result<std::vector<std::string>> linked_digests(const ImageDisk& disk) {
  std::vector<std::string> linked;
  for (const std::string& name : TRY(os::list_directory(disk.names.get(), "."))) {
    if (!check_name("image", name)) continue;
    const std::optional<std::string> hex = TRY(image_layout::linked_digest(disk.names.get(), name));
    if (hex) linked.push_back(*hex);
  }
  return linked;
}

Result<std::optional<UniqueFd>> open_unused(const ImageDisk& disk, const std::string& hex) {
  UniqueFd tree = TRY(os::open_at(disk.by_digest.get(), hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (flock(tree.get(), LOCK_EX | LOCK_NB) != 0 || is_mounted(hex)) return std::optional<UniqueFd>{};
  return std::optional(std::move(tree));
}

// Moves the trees without a name into `temporary`, where they can be removed without the lock of the names.
// Their own locks go to `held`: hold_image must fail until they are gone.
Result<void> take_unlinked(const ImageDisk& disk, const TemporaryImage& temporary,
                           std::vector<UniqueFd>& held, RemovedImages& result) {
  const std::vector<std::string> linked = TRY(linked_digests(disk));
  for (const std::string& hex : TRY(os::list_directory(disk.by_digest.get(), "."))) {
    if (!is_sha256_hex(hex) || std::ranges::find(linked, hex) != linked.end()) continue;
    // Taken: an import has unpacked it and is about to give it a name.
    const std::optional<DigestLock> lock = TRY(DigestLock::take(disk, hex, false));
    if (!lock) continue;
    const std::string digest = std::string(image_layout::kDigestPrefix) + hex;
    std::optional<UniqueFd> unused = TRY(open_unused(disk, hex));
    if (!unused) {
      result.in_use.push_back(digest);
      continue;
    }
    if (renameat(disk.by_digest.get(), hex.c_str(), temporary.fd(), hex.c_str()) != 0) {
      return fail(system_error("rename", hex, errno));
    }
    held.push_back(std::move(*unused));
    result.removed.push_back(digest);
  }
  return {};
}

// `remove_name` with the lock of the names, then the trees without one.
Result<RemovedImages> remove_from(const std::string& state_dir,
                                  const std::function<Result<void>(const ImageDisk&)>& remove_name) {
  const ImageDisk disk = TRY(open_image_disk(state_dir));
  TRY(remove_leftovers(disk));
  RemovedImages result;
  std::optional<UniqueFd> names = TRY(lock_names(disk));
  std::vector<UniqueFd> held;
  // Removed when this function ends, after the lock of the names is free again.
  const TemporaryImage temporary = TRY(TemporaryImage::make(disk));
  TRY(remove_name(disk));
  TRY(take_unlinked(disk, temporary, held, result));
  names.reset();
  return result;
}

}  // namespace

Result<RemovedImages> remove_image(const std::string& state_dir, std::string_view name) {
  if (name == kHostImage) return fail("image 'host' is built in");
  TRY(check_name("image", name));
  const std::string link(name);
  return remove_from(state_dir, [&](const ImageDisk& disk) -> Result<void> {
    const std::optional<std::string> hex = TRY(image_layout::linked_digest(disk.names.get(), link));
    if (!hex) return fail(find_image(state_dir, name).error());  // it lists those that are there
    if (unlinkat(disk.names.get(), link.c_str(), 0) != 0) return fail(system_error("unlink", link, errno));
    // The tree may stay, for another name or because it is in use. Not there: it was damaged.
    for (const std::string& file : {image_layout::sidecar_file(link), image_layout::record_file(link),
                                    image_layout::runner_file(link)}) {
      (void)unlinkat(disk.by_digest.get(), (*hex + "/" + file).c_str(), 0);
    }
    return {};
  });
}

Result<RemovedImages> prune_images(const std::string& state_dir) {
  return remove_from(state_dir, [](const ImageDisk&) -> Result<void> { return {}; });
}

}  // namespace sbx
