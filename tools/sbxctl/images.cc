// sbxctl images: what is in the image store. What puts something into it is in image_making.cc.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "progress.h"
#include "run/stored_image.h"
#include "run/stored_json.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

Json summary(const StoredImage& stored) {
  Json json = image_json(stored);
  json["root"] = stored.image.root;
  return json;
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
  const Result<StoredImages> stored = load_images(settings.state_dir);
  if (!stored) return report_failure(stored.error().text);
  const bool damaged = report_damaged(*stored);
  const std::vector<StoredImage>& images = stored->images;
  if (as_json) {
    Json json = Json::array();
    for (const StoredImage& image : images) json.push_back(summary(image));
    (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
  } else if (images.empty() && !damaged) {
    (void)fprintf(stderr, "no images (`host` is built in); sbxctl images build NAME makes one\n");
  } else {
    print_table(images);
  }
  for (const StoredImage& image : images) {
    if (is_old(image.sidecar, settings))
      (void)fprintf(stderr, "%s was built %lu days ago; %s\n", image.image.name.c_str(),
                    static_cast<unsigned long>(*age_in_days(image.sidecar)),
                    how_to_renew(image, settings).c_str());
  }
  return damaged ? kExitFailed : kExitOk;
}

// As a package URL has it: all but letters, digits, '.', '-', '_' and '~' by their codes.
std::string in_url(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view(".-_~").find(c) != std::string_view::npos;
    std::array<char, 4> code{};
    (void)snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    encoded += plain ? std::string(1, c) : std::string(code.data());
  }
  return encoded;
}

// Its Debian packages as a bill of materials (CycloneDX 1.5).
Json bill_of_materials(const StoredImage& stored, const Json& sidecar) {
  Json components = Json::array();
  for (const Json& package : sidecar.value("packages", Json::array())) {
    const auto text = [&](const char* key) {
      const bool there = package.is_object() && package.contains(key) && package[key].is_string();
      return there ? package[key].get<std::string>() : std::string();
    };
    const std::string name = text("name");
    const std::string version = text("version");
    Json component{{"type", "library"}, {"name", name}, {"version", version}};
    // Of an image of another tool nobody knows whose distribution it is.
    if (stored.sidecar.variant != "imported")
      component["purl"] = "pkg:deb/debian/" + in_url(name) + "@" + in_url(version);
    components.push_back(std::move(component));
  }
  if (components.empty())
    (void)fprintf(stderr, "%s has no list of Debian packages\n", stored.image.name.c_str());
  return {{"bomFormat", "CycloneDX"},
          {"specVersion", "1.5"},
          {"version", 1},
          {"metadata",
           {{"timestamp", stored.sidecar.built_at},
            {"component",
             {{"type", "container"}, {"name", stored.image.name}, {"version", stored.image.digest}}}}},
          {"components", components}};
}

int inspect(const Settings& settings, const std::string& name, bool bill) {
  const Result<StoredImage> stored = load_image(settings.state_dir, name);
  if (!stored) return report_failure(stored.error().text);
  const Result<std::string> text = read_sidecar(stored->image);
  if (!text) return report_failure(text.error().text);
  Json json = Json::parse(*text);
  if (bill) {
    json = bill_of_materials(*stored, json);
  } else {
    json["root"] = stored->image.root;
  }
  (void)printf("%s\n", json.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
  return kExitOk;
}

// All that have the same tree: it goes with the last of them.
std::string names_of(const Settings& settings, const std::string& digest) {
  std::string names;
  for (const std::string& name : list_images(settings.state_dir).value_or(std::vector<std::string>())) {
    const Result<Image> image = find_image(settings.state_dir, name);
    if (image && image->digest == digest) names += (names.empty() ? "" : " and ") + name;
  }
  return names;
}

// Every file of their trees is read: that takes a while.
int verify(const Settings& settings, std::vector<std::string> names) {
  constexpr std::size_t kMostShown = 10;
  if (names.empty()) {
    Result<std::vector<std::string>> all = list_images(settings.state_dir);
    if (!all) return report_failure(all.error().text);
    names = std::move(*all);
  }
  int status = kExitOk;
  for (const std::string& name : names) {
    const Result<StoredImage> stored = load_image(settings.state_dir, name);
    const Result<std::vector<std::string>> found =
        stored ? verify_image(stored->image, kMostShown) : fail(stored.error());
    if (!found) {
      status = report_failure(name + ": " + found.error().text);
      continue;
    }
    if (found->empty())
      (void)printf("%s is what was imported: %s\n", name.c_str(), stored->image.digest.c_str());
    for (const std::string& text : *found) status = report_failure(name + ": " + text);
    if (found->size() == kMostShown) (void)report_failure(name + ": there may be more");
    if (!found->empty())
      (void)report_failure(name + ": remove " + names_of(settings, stored->image.digest) +
                           ", and import again");
  }
  return status;
}

int print_removed(const Result<RemovedImages>& result, const std::string& name) {
  if (!result) return report_failure(result.error().text);
  if (!name.empty()) (void)printf("removed %s\n", name.c_str());
  for (const std::string& digest : result->removed) (void)printf("removed the tree %s\n", digest.c_str());
  for (const std::string& digest : result->in_use) {
    (void)printf("the tree %s is in use and stays until the next removal\n", digest.c_str());
  }
  return kExitOk;
}

int remove(const Settings& settings, const std::string& name) {
  const Result<RemovedImages> removed = remove_image(settings.state_dir, name);
  AuditEvent event;
  event.event = "image.remove";
  event.subject = name;
  record(settings, std::move(event), removed);
  return print_removed(removed, name);
}

int prune(const Settings& settings) {
  const Result<RemovedImages> pruned = prune_images(settings.state_dir);
  AuditEvent event;
  event.event = "image.prune";
  record(settings, std::move(event), pruned);
  return print_removed(pruned, "");
}

}  // namespace

void add_images_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* images = app.add_subcommand("images", "Build, import, show and remove images");
  images->require_subcommand(1);
  add_image_making_commands(*images, settings, action);
  // What the options of a line are read into; the callbacks keep it alive.
  struct Line {
    std::string name;
    std::vector<std::string> names;
    bool json = false;
    bool bill = false;
  };
  const auto line = std::make_shared<Line>();

  CLI::App* list_command = images->add_subcommand("list", "The images that are there");
  list_command->add_flag("--json", line->json, "As JSON");
  list_command->callback(
      [&settings, &action, line] { action = [&settings, line] { return list(settings, line->json); }; });

  CLI::App* inspect_command = images->add_subcommand("inspect", "All that is known of an image, as JSON");
  inspect_command->add_option("NAME", line->name, "The image")->required();
  inspect_command->add_flag("--sbom", line->bill, "Its packages alone, as a CycloneDX document");
  inspect_command->callback([&settings, &action, line] {
    action = [&settings, line] { return inspect(settings, line->name, line->bill); };
  });

  CLI::App* verify_command =
      images->add_subcommand("verify", "Compare every file of an image with what was imported");
  verify_command->add_option("NAME", line->names, "The images (default: all)");
  verify_command->callback(
      [&settings, &action, line] { action = [&settings, line] { return verify(settings, line->names); }; });

  CLI::App* remove_command =
      images->add_subcommand("remove", "Remove an image, and trees that no name leads to");
  remove_command->add_option("NAME", line->name, "The image")->required();
  remove_command->callback(
      [&settings, &action, line] { action = [&settings, line] { return remove(settings, line->name); }; });

  CLI::App* prune_command =
      images->add_subcommand("prune", "Remove trees that no name leads to, and what killed imports left");
  prune_command->callback([&settings, &action] { action = [&settings] { return prune(settings); }; });
}

}  // namespace sbx
