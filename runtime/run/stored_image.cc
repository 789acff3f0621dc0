#include "run/stored_image.h"

#include <fcntl.h>
#include <time.h>

#include "os/file.h"
#include "resource/image_folders.h"

namespace sbx {

Result<StoredImage> load_image(const std::string& state_dir, const std::string& name) {
  StoredImage stored;
  stored.image = TRY(find_image(state_dir, name));
  if (stored.image.digest.empty())
    return fail("image '" + name + "' is built in: it has no tarball and no sidecar");
  const std::string text = TRY(read_sidecar(stored.image));
  stored.sidecar = TRY_DOING("sidecar of '" + name + "'", parse_sidecar(text));
  return stored;
}

Result<StoredImages> load_images(const std::string& state_dir) {
  StoredImages all;
  for (const std::string& name : TRY(list_images(state_dir))) {
    if (Result<StoredImage> stored = load_image(state_dir, name)) {
      all.images.push_back(std::move(*stored));
    } else {
      all.damaged.push_back({name, std::move(stored).error().text});
    }
  }
  return all;
}

Result<void> check_usable(const Image& image) {
  const UniqueFd held = TRY(hold_image(image));
  const UniqueFd tree = TRY(os::open_at(AT_FDCWD, image.root, O_PATH | O_DIRECTORY));
  return {};
}

std::optional<std::uint64_t> age_in_days(const ImageSidecar& sidecar) {
  constexpr time_t kDay = 86'400;
  tm built{};
  const char* end = strptime(sidecar.built_at.c_str(), "%Y-%m-%dT%H:%M:%S", &built);
  const time_t now = time(nullptr);
  const time_t then = end == nullptr ? now + 1 : timegm(&built);
  if (then > now) return std::nullopt;
  return static_cast<std::uint64_t>((now - then) / kDay);
}

std::string how_to_renew(const StoredImage& stored, const Settings& settings) {
  const std::string& variant = stored.sidecar.variant;
  if (variant == "imported") return "import a newer one (sbxctl images import --as)";
  const std::string& name = stored.image.name;
  if (command_that_builds(settings.rootfs, name).empty()) return "import a newer one (sbxctl images import)";
  const std::string of_variant = variant == "upstream" ? "--variant upstream " : "";
  return "'sbxctl images build --refresh " + of_variant + name + "' takes new packages";
}

bool is_old(const ImageSidecar& sidecar, const Settings& settings) {
  const std::optional<std::uint64_t> days = age_in_days(sidecar);
  return settings.image_max_age_days && days && *days >= *settings.image_max_age_days;
}

}  // namespace sbx
