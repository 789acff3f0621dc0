#include "run/build_missing.h"

#include <unistd.h>

#include <algorithm>

#include "os/run_tool.h"
#include "resource/image_folders.h"
#include "resource/image_store.h"
#include "run/choose_language.h"

namespace sbx {
namespace {

// Of the images in the store.
bool is_ready(const std::string& state_dir, const std::string& language) {
  const Result<std::vector<std::string>> names = list_images(state_dir);
  return names && std::ranges::any_of(*names, [&](const std::string& name) {
           const Result<Image> image = find_image(state_dir, name);
           return image && has_language(*image, language);
         });
}

// Empty: nothing is missing, or nobody can make it.
Result<std::string> missing_image(const Settings& settings, const RunRequest& request) {
  if (request.image.empty() && request.language) {
    if (is_ready(settings.state_dir, request.language->name)) return std::string();
    const std::string name = folder_with_language(settings.rootfs, request.language->name);
    return has_debian_variant(settings.rootfs, name) ? name : std::string();
  }
  const Result<Image> image = find_image(settings.state_dir, request.image);
  if (image || image.error().error_number != ENOENT) return std::string();  // the run tells what is wrong
  return has_debian_variant(settings.rootfs, request.image) ? request.image : std::string();
}

}  // namespace

Result<void> build_missing_image(const Settings& settings, const RunRequest& request, int client) {
  const std::string name = TRY(missing_image(settings, request));
  if (name.empty()) return {};
  std::vector<std::string> command{settings.programs + "/sbxctl", "--state-dir", settings.state_dir};
  if (!request.config.empty()) command.insert(command.end(), {"--config", request.config});
  command.insert(command.end(), {"images", "build", name});
  const int status = TRY(os::run_shown(
      command,
      {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"},
      STDERR_FILENO, client));
  if (status != 0) return fail("the image '" + name + "' could not be built: see above");
  return {};
}

}  // namespace sbx
