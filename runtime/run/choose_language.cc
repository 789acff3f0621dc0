#include "run/choose_language.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/hash.h"
#include "base/suggest.h"
#include "os/file.h"
#include "resource/host_image.h"
#include "resource/image_folders.h"

namespace sbx {
namespace {

Error unknown_language(const std::string& name, std::span<const Image> images, const std::string& where) {
  std::vector<std::string_view> languages;
  std::vector<std::string_view> all;  // with their aliases
  const auto add = [](std::vector<std::string_view>& list, const std::string& word) {
    if (std::ranges::find(list, word) == list.end()) list.emplace_back(word);
  };
  for (const Image& image : images) {
    for (const std::vector<std::string>& names : image.languages) {
      add(languages, names.front());
      for (const std::string& alias : names) add(all, alias);
    }
  }
  std::string text = "no language '" + name + "' " + where;
  for (const std::string_view language : languages)
    text += (language == languages.front() ? " (there are: " : ", ") + std::string(language);
  if (!languages.empty()) text += ")";
  const std::string rootfs = own_rootfs();
  const std::string command = command_that_builds(rootfs, folder_with_language(rootfs, name));
  if (!command.empty()) return Error{text + "; '" + command + "' brings it"};
  const std::vector<std::string> buildable = buildable_languages(rootfs);
  for (const std::string& language : buildable) add(all, language);
  const std::string nearest = suggest(name, all);
  text += nearest.starts_with("did") ? "; " + nearest + " " : "; ";
  return Error{text + "'sbxctl images build NAME' brings more"};
}

// That the configuration has for the language, which may be called by an alias of any image's.
std::optional<std::string> wanted_image(const Settings& settings, const std::vector<Image>& images,
                                        const std::string& called) {
  const auto is_meant = [&](const std::string& language) {
    return language == called || std::ranges::any_of(images, [&](const Image& image) {
             return std::ranges::any_of(image.languages, [&](const std::vector<std::string>& names) {
               return names.front() == language && std::ranges::find(names, called) != names.end();
             });
           });
  };
  for (const auto& [language, image] : settings.language_images) {
    if (is_meant(language)) return image;
  }
  return std::nullopt;
}

Result<Image> choose_image(const Settings& settings, const RunRequest& request) {
  const std::string& state_dir = settings.state_dir;
  const std::string& language = request.language->name;
  if (!request.image.empty()) {
    Image image = TRY(find_image(state_dir, request.image));
    if (!image.languages.empty() && !has_language(image, language))
      return fail(unknown_language(language, std::span(&image, 1), "in image '" + image.name + "'"));
    return image;  // one without languages is an error of read_runner
  }
  const Result<std::vector<std::string>> names = list_images(state_dir);
  if (!names && names.error().error_number == EACCES && geteuid() != 0)
    return fail("only root can look which images have the language '" + language + "'");
  if (!names) return fail(names.error());
  std::vector<Image> images;
  for (const std::string& name : *names) {
    // One that is damaged or is being removed does not keep the others from being used.
    if (Result<Image> image = find_image(state_dir, name)) images.push_back(std::move(*image));
  }
  if (const auto wanted = wanted_image(settings, images, language)) return find_image(state_dir, *wanted);
  const Image* last = nullptr;
  for (const Image& image : images) {
    if (!has_language(image, language)) continue;
    if (last == nullptr || strverscmp(last->name.c_str(), image.name.c_str()) < 0) last = &image;
  }
  if (last == nullptr) return fail(unknown_language(language, images, "in the images that are here"));
  return *last;
}

// The image's tree belongs to root and does not change: what is no link now stays none.
Result<void> check_writable(const std::string& root, const std::vector<std::string>& directories) {
  if (directories.empty()) return {};
  const UniqueFd tree = TRY(os::open_at(AT_FDCWD, root, O_PATH | O_DIRECTORY));
  for (const std::string& directory : directories) {
    const Result<UniqueFd> opened = os::open_resolved(tree.get(), directory.substr(1), O_PATH | O_DIRECTORY,
                                                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (!opened)
      return fail(
          Error(opened.error()).while_doing("the image's runner.yaml: writable: '" + directory + "'"));
  }
  return {};
}

Result<Runner> runner_of(const Image& image) {
  const std::string text = TRY(read_runner(image));
  return parse_runner("runner.yaml of image '" + image.name + "'", text);
}

}  // namespace

bool has_language(const Image& image, const std::string& name) {
  return std::ranges::any_of(image.languages, [&](const std::vector<std::string>& names) {
    return std::ranges::find(names, name) != names.end();
  });
}

Result<std::optional<Runner>> image_runner(const Settings& settings, const std::string& image_name) {
  if (image_name == kHostImage) return std::optional<Runner>();
  const Image image = TRY(find_image(settings.state_dir, image_name));
  if (image.languages.empty()) return std::optional<Runner>();
  return std::optional(TRY(runner_of(image)));
}

Result<Language> language_of(const std::optional<Runner>& runner, const std::string& name,
                             const std::string& image) {
  if (!runner) return fail("image '" + image + "' has no languages; make a sandbox of one that has");
  if (const Language* language = find_language(*runner, name)) return *language;
  std::string there;
  for (const Language& language : runner->languages) there += (there.empty() ? "" : ", ") + language.name;
  return fail("no language '" + name + "' in image '" + image + "' (there are: " + there + ")");
}

Result<ChosenLanguage> choose_language(const Settings& settings, RunRequest& request) {
  const Image image = TRY(choose_image(settings, request));
  request.image = image.name;
  ChosenLanguage chosen;
  chosen.runner = TRY(runner_of(image));
  const Language* language = find_language(chosen.runner, request.language->name);
  // Between the two looks another import came.
  if (language == nullptr)
    return fail(
        unknown_language(request.language->name, std::span(&image, 1), "in image '" + image.name + "'"));
  chosen.language = *language;
  return chosen;
}

Result<void> settle_image(const Settings& settings, RunRequest& request) {
  if (request.language) {
    (void)TRY(choose_language(settings, request));
    request.language.reset();
    return {};
  }
  if (request.image == kHostImage || find_image(settings.state_dir, request.image)) return {};
  RunRequest named = request;
  named.language.emplace().name = std::exchange(named.image, {});
  // Else it is told that there is no such image.
  if (check_language_name("image", named.language->name) && choose_language(settings, named))
    request.image = named.image;
  return {};
}

void note_language_request(const LanguageRequest& language, RunResult& result) {
  result.language = language.name;
  result.action = kLanguageActions[static_cast<std::size_t>(language.action)];
  if (language.code)
    result.code = CodeRecord{sha256_hex(language.code->content), language.code->content.size()};
}

LimitSet needed_by(const RunRequest& request, const std::optional<ChosenLanguage>& chosen) {
  if (!chosen) return {};
  return needed_limits(chosen->runner, chosen->language, request.language->action);
}

Result<void> note_writable(const std::vector<std::string>& directories, PlanFacts& facts) {
  TRY(check_writable(facts.image_root, directories));
  facts.writable = directories;
  return {};
}

Result<void> note_language(LanguageCommand command, PlanFacts& facts) {
  TRY(note_writable(command.writable, facts));
  facts.language = std::move(command);
  return {};
}

}  // namespace sbx
