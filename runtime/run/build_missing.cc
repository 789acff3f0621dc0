#include "run/build_missing.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "language/runner.h"
#include "os/file.h"
#include "os/run_tool.h"
#include "resource/image_store.h"

namespace sbx {
namespace {

// Those that can be built where there is no container registry.
bool can_be_built(const std::string& folder) {
  return access((folder + "/Dockerfile.debian").c_str(), F_OK) == 0;
}

bool has_language(const std::string& folder, const std::string& language) {
  const std::string path = folder + "/runner.yaml";
  const Result<std::string> text = os::read_file(AT_FDCWD, path, kRunnerLimit);
  const Result<Runner> runner = text ? parse_runner(path, *text) : fail(text.error());
  return runner && find_language(*runner, language) != nullptr;
}

Result<std::string> image_with(const Settings& settings, const std::string& language) {
  const std::string images = settings.rootfs + "/images";
  std::string last;
  for (const std::string& name : TRY(os::list_directory(AT_FDCWD, images))) {
    const std::string folder = images + "/" + name;
    if (can_be_built(folder) && has_language(folder, language) &&
        (last.empty() || strverscmp(last.c_str(), name.c_str()) < 0)) {
      last = name;
    }
  }
  return last;
}

// Of the images in the store.
bool is_ready(const std::string& state_dir, const std::string& language) {
  const Result<std::vector<std::string>> names = list_images(state_dir);
  return names && std::ranges::any_of(*names, [&](const std::string& name) {
           const Result<Image> image = find_image(state_dir, name);
           return image && std::ranges::any_of(image->languages, [&](const std::vector<std::string>& known) {
                    return std::ranges::find(known, language) != known.end();
                  });
         });
}

// Empty: nothing is missing, or nobody can make it.
Result<std::string> missing_image(const Settings& settings, const RunRequest& request) {
  if (request.image.empty() && request.language) {
    if (is_ready(settings.state_dir, request.language->name)) return std::string();
    return image_with(settings, request.language->name);
  }
  const Result<Image> image = find_image(settings.state_dir, request.image);
  if (image || image.error().error_number != ENOENT) return std::string();  // the run tells what is wrong
  return can_be_built(settings.rootfs + "/images/" + request.image) ? request.image : std::string();
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
