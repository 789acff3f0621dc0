#include "resource/image_store.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/names.h"
#include "base/suggest.h"
#include "language/runner.h"
#include "os/file.h"
#include "resource/image_folders.h"
#include "resource/image_layout.h"

namespace sbx {
namespace {

constexpr std::size_t kRecordLimit = 1U << 20U;

Error unknown_image(const std::string& state_dir, std::string_view name) {
  const std::string rootfs = own_rootfs();
  const std::vector<std::string> stored = list_images(state_dir).value_or(std::vector<std::string>());
  std::string text = "there is no image '" + std::string(name) + "'";
  const std::string command = command_that_builds(rootfs, name);
  if (!command.empty()) {
    text += "; '" + command + "' makes it";
    return Error{text + (has_debian_variant(rootfs, name) ? ", or sbxrun --build" : ""), ENOENT};
  }
  const std::vector<std::string> folders = image_folders(rootfs);
  std::vector<std::string_view> known{kHostImage};
  known.insert(known.end(), stored.begin(), stored.end());
  known.insert(known.end(), folders.begin(), folders.end());
  const std::string nearest = suggest(name, known);
  if (nearest.starts_with("did")) text += "; " + nearest;
  text += "; there are: host";
  for (const std::string& other : stored) text += ", " + other;
  if (!folders.empty()) text += "; 'sbxctl images build NAME' makes one of:";
  for (const std::string& folder : folders) text += (folder == folders.front() ? " " : ", ") + folder;
  return Error{std::move(text), ENOENT};
}

}  // namespace

Result<Image> find_image(const std::string& state_dir, std::string_view name) {
  Image image;
  image.name = name;
  if (name == kHostImage) return image;
  TRY(check_name("image", name));
  const std::optional<std::string> hex =
      TRY(image_layout::linked_digest(AT_FDCWD, image_layout::names(state_dir) + "/" + image.name));
  if (!hex) return fail(unknown_image(state_dir, name));
  const std::string directory = image_layout::by_digest(state_dir) + "/" + *hex;
  const std::string doing = "image '" + image.name + "' is damaged, import it again";
  const std::string bytes = TRY_DOING(
      doing, os::read_file(AT_FDCWD, directory + "/" + image_layout::record_file(name), kRecordLimit));
  image_layout::Record record = TRY_DOING(doing, image_layout::decode_record(bytes));
  image.digest = std::string(image_layout::kDigestPrefix) + *hex;
  image.root = directory + "/" + std::string(image_layout::kTree);
  image.environment = std::move(record.environment);
  image.language = std::move(record.language);
  image.languages = std::move(record.languages);
  return image;
}

Result<std::string> read_runner(const Image& image) {
  if (image.languages.empty()) {
    return fail("image '" + image.name +
                "' has no languages: it came without a runner.yaml (docs/adding-a-language.md)");
  }
  const std::string directory = image.root.substr(0, image.root.find_last_of('/'));
  return os::read_file(AT_FDCWD, directory + "/" + image_layout::runner_file(image.name), kRunnerLimit);
}

Result<UniqueFd> hold_image(const Image& image) {
  const std::string directory = image.root.substr(0, image.root.find_last_of('/'));
  UniqueFd fd = TRY(os::open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  // A removal holds it exclusively until the tree is gone; what came too late sees a directory without a
  // link.
  const bool locked = flock(fd.get(), LOCK_SH | LOCK_NB) == 0;
  if (!locked && errno != EWOULDBLOCK) return fail(system_error("flock", directory, errno));
  if (!locked || TRY(os::stat_fd(fd.get(), directory)).st_nlink == 0) {
    return fail("image '" + image.name + "' has just been removed");
  }
  return fd;
}

Result<std::vector<std::string>> list_images(const std::string& state_dir) {
  Result<std::vector<std::string>> names = os::list_directory(AT_FDCWD, image_layout::names(state_dir));
  if (!names && names.error().error_number == ENOENT) return std::vector<std::string>{};
  // What an import was killed at starts with a dot.
  if (names) std::erase_if(*names, [](const std::string& name) { return !check_name("image", name); });
  return names;
}

}  // namespace sbx
