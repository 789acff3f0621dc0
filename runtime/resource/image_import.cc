#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "os/file.h"
#include "resource/image_disk.h"
#include "resource/image_layout.h"
#include "resource/image_manifest.h"
#include "resource/image_sidecar.h"
#include "resource/image_store.h"
#include "resource/image_unpack.h"

namespace sbx {
namespace {

using Progress = std::function<void(const ImportProgress&)>;

Result<void> check_fits_host(const ImageSidecar& sidecar, const ImportLimits& limits) {
  if (sidecar.os != "linux") return fail("it was made for '" + sidecar.os + "', not for linux");
  if (sidecar.architecture != host_architecture()) {
    return fail("it was made for '" + sidecar.architecture + "'; this machine is '" +
                std::string(host_architecture()) + "'");
  }
  if (sidecar.unpacked_bytes > limits.unpacked_bytes || sidecar.entries > limits.entries) {
    return fail("it says to unpack to " + std::to_string(sidecar.unpacked_bytes) + " bytes in " +
                std::to_string(sidecar.entries) + " entries, which is more than is allowed");
  }
  return {};
}

Result<UniqueFd> open_tarball(const std::string& path, const ImageSidecar& sidecar) {
  UniqueFd fd = TRY(os::open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  const struct stat status = TRY(os::stat_fd(fd.get(), path));
  if (!S_ISREG(status.st_mode)) return fail("'" + path + "' is not a regular file");
  if (static_cast<std::uint64_t>(status.st_size) != sidecar.tarball_bytes) {
    return fail("'" + path + "' has " + std::to_string(status.st_size) + " bytes, its sidecar says " +
                std::to_string(sidecar.tarball_bytes));
  }
  (void)posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);  // only a hint
  return fd;
}

// Better now than after a minute. What is counted is content; a full disk in the middle is still possible.
Result<void> check_space(const ImageDisk& disk, const ImageSidecar& sidecar) {
  struct statvfs space {};
  if (fstatvfs(disk.images.get(), &space) != 0) return fail(system_error("statvfs", "images", errno));
  const std::uint64_t free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
  if (free_bytes < sidecar.unpacked_bytes) {
    return fail(Error{"not enough space: it needs " + std::to_string(sidecar.unpacked_bytes >> 20U) +
                          " MiB, " + std::to_string(free_bytes >> 20U) + " MiB are free",
                      ENOSPC});
  }
  // Some file systems make inodes as they need them and say 0.
  if (space.f_files > 0 && space.f_favail < sidecar.entries) {
    return fail(Error{"not enough inodes: it needs " + std::to_string(sidecar.entries), ENOSPC});
  }
  return {};
}

Result<TemporaryImage> make_temporary(const ImageDisk& disk) {
  const UniqueFd lock = TRY(lock_names(disk));
  return TemporaryImage::make(disk);
}

Result<void> write_descriptions(int directory, const ImageSidecar& sidecar, const std::string& sidecar_text) {
  TRY(os::replace_file(directory, image_layout::sidecar_file(sidecar.name), sidecar_text, 0600));
  image_layout::Record description{sidecar.language, sidecar.environment, {}};
  for (const Language& language : sidecar.runner.languages) {
    std::vector<std::string>& names = description.languages.emplace_back();
    names.push_back(language.name);
    names.insert(names.end(), language.aliases.begin(), language.aliases.end());
  }
  if (!description.languages.empty())
    TRY(os::replace_file(directory, image_layout::runner_file(sidecar.name), sidecar.runner_text, 0600));
  const std::string record = image_layout::encode_record(description);
  return os::replace_file(directory, image_layout::record_file(sidecar.name), record, 0600);
}

Result<void> unpack_new(const ImageDisk& disk, const ImageSidecar& sidecar, const std::string& sidecar_text,
                        int tarball, const ImportLimits& limits, const Progress& progress) {
  TRY(check_space(disk, sidecar));
  TemporaryImage temporary = TRY(make_temporary(disk));
  const std::string tree(image_layout::kTree);
  if (mkdirat(temporary.fd(), tree.c_str(), 0755) != 0) return fail(system_error("mkdir", tree, errno));
  const UniqueFd root = TRY(os::open_at(temporary.fd(), tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (fchmod(root.get(), 0755) != 0) return fail(system_error("chmod", tree, errno));
  // What it says was compared with the limits and the free space; it has to keep to it.
  const ImportLimits said{
      .unpacked_bytes = sidecar.unpacked_bytes, .entries = sidecar.entries, .depth = limits.depth};
  const std::string hex = TRY(unpack_tarball(tarball, sidecar.tarball_bytes, root.get(), said, progress));
  if (hex != sidecar.digest_hex) {
    return fail("the digest of the tarball is " + hex + ", its sidecar says " + sidecar.digest_hex);
  }
  const std::string manifest = TRY_DOING("noting what was unpacked", make_manifest(root.get()));
  TRY(os::replace_file(temporary.fd(), std::string(kManifest), manifest, 0600));
  TRY(write_descriptions(temporary.fd(), sidecar, sidecar_text));
  // The name by-digest/<hex> is the promise that everything below it is on the disk.
  if (syncfs(temporary.fd()) != 0) return fail(system_error("syncfs", "images", errno));
  if (renameat2(disk.images.get(), temporary.name().c_str(), disk.by_digest.get(), hex.c_str(),
                RENAME_NOREPLACE) != 0) {
    return fail(system_error("rename to", hex, errno));
  }
  temporary.keep();
  if (fsync(disk.by_digest.get()) != 0) return fail(system_error("fsync", "by-digest", errno));
  return {};
}

// Readers see the old link or the new one.
Result<void> publish(const ImageDisk& disk, const ImageSidecar& sidecar) {
  const UniqueFd lock = TRY(lock_names(disk));
  const std::string temporary = "." + sidecar.name;
  const std::string target = "../by-digest/" + sidecar.digest_hex;
  if (unlinkat(disk.names.get(), temporary.c_str(), 0) != 0 && errno != ENOENT) {
    return fail(system_error("unlink", temporary, errno));
  }
  if (symlinkat(target.c_str(), disk.names.get(), temporary.c_str()) != 0) {
    return fail(system_error("symlink", temporary, errno));
  }
  if (renameat(disk.names.get(), temporary.c_str(), disk.names.get(), sidecar.name.c_str()) != 0) {
    return fail(system_error("rename to", sidecar.name, errno));
  }
  if (fsync(disk.names.get()) != 0) return fail(system_error("fsync", "names", errno));
  return {};
}

Result<void> import_parsed(const std::string& state_dir, const std::string& tarball,
                           const ImageSidecar& sidecar, const std::string& sidecar_text,
                           const ImportLimits& limits, const Progress& progress) {
  TRY(check_fits_host(sidecar, limits));
  const UniqueFd file = TRY(open_tarball(tarball, sidecar));
  const ImageDisk disk = TRY(open_image_disk(state_dir));
  TRY_DOING("removing what an earlier import left", remove_leftovers(disk));
  const std::optional<DigestLock> lock = TRY(DigestLock::take(disk, sidecar.digest_hex, true));
  const std::optional<UniqueFd> existing =
      TRY(os::open_if_exists(disk.by_digest.get(), sidecar.digest_hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (existing) {
    const std::string tree(image_layout::kTree);
    if (!TRY(os::open_if_exists(existing->get(), tree, O_PATH | O_DIRECTORY | O_NOFOLLOW)))
      return fail(
          "its tree in the store is gone: remove the images that have it ('sbxctl images remove'), and "
          "import it again");
    TRY(write_descriptions(existing->get(), sidecar, sidecar_text));
  } else {
    TRY(unpack_new(disk, sidecar, sidecar_text, file.get(), limits, progress));
  }
  return publish(disk, sidecar);
}

}  // namespace

Result<Image> import_image(const std::string& state_dir, const std::string& tarball,
                           const std::string& sidecar, const ImportLimits& limits, const Progress& progress) {
  const std::string text = TRY_DOING("sidecar", os::read_file(AT_FDCWD, sidecar, kSidecarLimit));
  const ImageSidecar parsed = TRY_DOING("sidecar '" + sidecar + "'", parse_sidecar(text));
  TRY_DOING("importing '" + parsed.name + "'",
            import_parsed(state_dir, tarball, parsed, text, limits, progress));
  return find_image(state_dir, parsed.name);
}

Result<std::vector<std::string>> verify_image(const Image& image, std::size_t most) {
  const UniqueFd held = TRY(hold_image(image));
  const Result<std::string> before = os::read_file(held.get(), std::string(kManifest), kManifestLimit);
  if (!before && before.error().error_number == ENOENT)
    return fail("it was imported by a version of sbx that kept no account of it; import it again");
  if (!before) return fail(before.error());
  const UniqueFd root =
      TRY(os::open_at(held.get(), std::string(image_layout::kTree), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const std::string now = TRY(make_manifest(root.get()));
  return compare_manifests(*before, now, most);
}

}  // namespace sbx
