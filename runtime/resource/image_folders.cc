#include "resource/image_folders.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "base/names.h"
#include "language/runner.h"
#include "os/file.h"
#include "os/own_places.h"

namespace sbx {
namespace {

std::string folder_of(const std::string& rootfs, std::string_view name) {
  return rootfs + "/images/" + std::string(name);
}

bool has_file(const std::string& rootfs, std::string_view name, const char* file) {
  return access((folder_of(rootfs, name) + "/" + file).c_str(), F_OK) == 0;
}

// Without a language where it cannot be read.
Runner runner_of(const std::string& rootfs, std::string_view name) {
  const std::string path = folder_of(rootfs, name) + "/runner.yaml";
  const Result<std::string> text = os::read_file(AT_FDCWD, path, kRunnerLimit);
  Result<Runner> runner = text ? parse_runner(path, *text) : fail(text.error());
  return runner ? std::move(*runner) : Runner();
}

}  // namespace

std::vector<std::string> image_folders(const std::string& rootfs) {
  Result<std::vector<std::string>> names = os::list_directory(AT_FDCWD, rootfs + "/images");
  if (!names) return {};
  std::erase_if(*names, [&](const std::string& name) {
    return !has_file(rootfs, name, "Dockerfile") && !has_debian_variant(rootfs, name);
  });
  std::ranges::sort(*names);
  return std::move(*names);
}

bool has_debian_variant(const std::string& rootfs, std::string_view name) {
  return has_file(rootfs, name, "Dockerfile.debian");
}

std::string command_that_builds(const std::string& rootfs, std::string_view name) {
  if (!check_name("image", name)) return {};
  const std::string command = "sbxctl images build ";
  if (has_debian_variant(rootfs, name)) return command + std::string(name);
  return has_file(rootfs, name, "Dockerfile") ? command + "--variant upstream " + std::string(name) : "";
}

std::string folder_with_language(const std::string& rootfs, std::string_view language) {
  std::string last;
  for (const std::string& name : image_folders(rootfs)) {
    if (find_language(runner_of(rootfs, name), language) == nullptr) continue;
    const bool debian = has_debian_variant(rootfs, name);
    const bool last_is_debian = !last.empty() && has_debian_variant(rootfs, last);
    if (last.empty() || debian > last_is_debian ||
        (debian == last_is_debian && strverscmp(last.c_str(), name.c_str()) < 0)) {
      last = name;
    }
  }
  return last;
}

std::vector<std::string> buildable_languages(const std::string& rootfs) {
  std::vector<std::string> all;
  for (const std::string& name : image_folders(rootfs)) {
    Runner runner = runner_of(rootfs, name);
    for (Language& language : runner.languages) {
      all.push_back(std::move(language.name));
      std::ranges::move(language.aliases, std::back_inserter(all));
    }
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::string built_images(const char* cache) {
  return std::string(cache != nullptr && *cache != '\0' ? cache : "/var/cache/sbx") + "/images";
}

std::string own_rootfs() {
  const Result<std::string> directory = os::own_directory();
  return directory ? os::own_places(*directory).rootfs : std::string();
}

}  // namespace sbx
