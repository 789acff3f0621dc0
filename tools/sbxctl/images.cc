// sbxctl images: what is in the image store.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "progress.h"
#include "resource/image_sidecar.h"
#include "resource/image_store.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

struct StoredImage {
  Image image;
  ImageSidecar sidecar;
};

Result<StoredImage> load(const std::string& state_dir, const std::string& name) {
  StoredImage stored;
  stored.image = TRY(find_image(state_dir, name));
  if (stored.image.digest.empty())
    return fail("image '" + name + "' is built in: it has no tarball and no sidecar");
  const std::string text = TRY(read_sidecar(stored.image));
  stored.sidecar = TRY_DOING("sidecar of '" + name + "'", parse_sidecar(text));
  return stored;
}

// The sidecar lies beside its tarball under the same name.
std::string default_sidecar(const std::string& tarball) {
  for (const std::string_view ending : {".tar.zst", ".tar"}) {
    if (tarball.ends_with(ending)) return tarball.substr(0, tarball.size() - ending.size()) + ".json";
  }
  return {};
}

// A tarball can be made to need any amount of memory (a map of holes); it ends this program then, not the
// host.
void limit_memory() {
#if !defined(__SANITIZE_ADDRESS__)
  constexpr rlim_t kEnough = 2ULL << 30U;
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  (void)setrlimit(RLIMIT_AS, &limit);  // without it the import is as good
#endif
}

int import(const Settings& settings, const std::string& tarball, std::string sidecar) {
  if (sidecar.empty()) sidecar = default_sidecar(tarball);
  if (sidecar.empty()) {
    (void)report_failure("'" + tarball +
                         "' does not end in .tar.zst or .tar: name its description with --sidecar");
    return kExitUsage;
  }
  limit_memory();
  const auto start = std::chrono::steady_clock::now();
  ProgressDisplay display("importing");
  std::optional<ImportProgress> last;
  const Result<Image> image =
      import_image(settings.state_dir, tarball, sidecar, ImportLimits{}, [&](const ImportProgress& progress) {
        last = progress;
        display.update(progress);
      });
  display.finish();
  if (!image) return report_failure(image.error().text);
  if (!last) {
    (void)printf("%s is there already: %s\n", image->name.c_str(), image->digest.c_str());
    return kExitOk;
  }
  if (last->without_attributes > 0) {
    (void)fprintf(stderr, "the extended attributes of %lu entries were left out\n",
                  static_cast<unsigned long>(last->without_attributes));
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  (void)printf("imported %s: %s, %lu entries in %.1f s\n", image->name.c_str(), image->digest.c_str(),
               static_cast<unsigned long>(last->entries), time.count());
  return kExitOk;
}

Json summary(const StoredImage& stored) {
  return {{"name", stored.image.name},
          {"digest", stored.image.digest},
          {"language", stored.image.language},
          {"variant", stored.sidecar.variant},
          {"architecture", stored.sidecar.architecture},
          {"unpacked_bytes", stored.sidecar.unpacked_bytes},
          {"entries", stored.sidecar.entries},
          {"versions", stored.sidecar.versions},
          {"built_at", stored.sidecar.built_at},
          {"root", stored.image.root}};
}

void print_table(const std::vector<StoredImage>& images) {
  int width = 4;
  for (const StoredImage& stored : images)
    width = std::max(width, static_cast<int>(stored.image.name.size()));
  (void)printf("%-*s  %-10s  %10s  %-20s  %s\n", width, "NAME", "LANGUAGE", "SIZE", "BUILT", "DIGEST");
  for (const StoredImage& stored : images) {
    (void)printf("%-*s  %-10s  %10s  %-20s  %s\n", width, stored.image.name.c_str(),
                 stored.image.language.c_str(), readable_bytes(stored.sidecar.unpacked_bytes).c_str(),
                 stored.sidecar.built_at.c_str(), stored.image.digest.c_str());
  }
}

int list(const Settings& settings, bool as_json) {
  const Result<std::vector<std::string>> names = list_images(settings.state_dir);
  if (!names) return report_failure(names.error().text);
  int status = kExitOk;
  std::vector<StoredImage> images;
  for (const std::string& name : *names) {
    Result<StoredImage> stored = load(settings.state_dir, name);
    if (stored) {
      images.push_back(std::move(*stored));
    } else {
      status = report_failure(stored.error().text);
    }
  }
  if (as_json) {
    Json json = Json::array();
    for (const StoredImage& stored : images) json.push_back(summary(stored));
    (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
  } else if (names->empty()) {
    (void)fprintf(stderr, "no images (`host` is built in); rootfs/build NAME makes one\n");
  } else {
    print_table(images);
  }
  return status;
}

int inspect(const Settings& settings, const std::string& name) {
  const Result<StoredImage> stored = load(settings.state_dir, name);
  if (!stored) return report_failure(stored.error().text);
  const Result<std::string> text = read_sidecar(stored->image);
  if (!text) return report_failure(text.error().text);
  Json json = Json::parse(*text);
  json["root"] = stored->image.root;
  (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
  return kExitOk;
}

int remove(const Settings& settings, const std::string& name) {
  const Result<RemovedImages> result = remove_image(settings.state_dir, name);
  if (!result) return report_failure(result.error().text);
  (void)printf("removed %s\n", name.c_str());
  for (const std::string& digest : result->removed) (void)printf("removed the tree %s\n", digest.c_str());
  for (const std::string& digest : result->in_use) {
    (void)printf("the tree %s is in use and stays until the next removal\n", digest.c_str());
  }
  return kExitOk;
}

}  // namespace

void add_images_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* images = app.add_subcommand("images", "Import, show and remove images");
  images->require_subcommand(1);
  // What the options of a line are read into; the callbacks keep it alive.
  struct Line {
    std::string tarball;
    std::string sidecar;
    std::string name;
    bool json = false;
  };
  const auto line = std::make_shared<Line>();

  CLI::App* import_command = images->add_subcommand("import", "Verify and unpack a tarball (NAME.tar.zst)");
  import_command->add_option("TARBALL", line->tarball, "The tarball")->required();
  import_command->add_option("--sidecar", line->sidecar, "Its description (default: NAME.json beside it)");
  import_command->callback([&settings, &action, line] {
    action = [&settings, line] { return import(settings, line->tarball, line->sidecar); };
  });

  CLI::App* list_command = images->add_subcommand("list", "The images that are there");
  list_command->add_flag("--json", line->json, "As JSON");
  list_command->callback(
      [&settings, &action, line] { action = [&settings, line] { return list(settings, line->json); }; });

  CLI::App* inspect_command = images->add_subcommand("inspect", "All that is known of an image, as JSON");
  inspect_command->add_option("NAME", line->name, "The image")->required();
  inspect_command->callback(
      [&settings, &action, line] { action = [&settings, line] { return inspect(settings, line->name); }; });

  CLI::App* remove_command =
      images->add_subcommand("remove", "Remove an image, and trees that no name leads to");
  remove_command->add_option("NAME", line->name, "The image")->required();
  remove_command->callback(
      [&settings, &action, line] { action = [&settings, line] { return remove(settings, line->name); }; });
}

}  // namespace sbx
