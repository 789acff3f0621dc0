// sbxctl languages: what sbxrun --language can be given here.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "stored_image.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

// A row for each language of each image.
struct ReadyLanguage {
  std::string image;
  Language language;
  std::map<std::string, std::string> versions;  // of the image
};

std::vector<std::string> actions_of(const Language& language) {
  std::vector<std::string> actions;
  for (std::size_t i = 0; i < kLanguageActions.size(); ++i) {
    if (!language.commands[i].empty()) actions.emplace_back(kLanguageActions[i]);
  }
  return actions;
}

// The version that goes by the language's name, or by that of the tool that its runner names.
std::string version_of(const ReadyLanguage& ready) {
  const std::string& tool = ready.language.tool.empty() ? ready.language.name : ready.language.tool;
  const auto found = ready.versions.find(tool);
  return found == ready.versions.end() ? "-" : found->second;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text.empty() ? "-" : text;
}

void print_table(const std::vector<ReadyLanguage>& all) {
  std::vector<std::array<std::string, 5>> rows{{"LANGUAGE", "VERSION", "IMAGE", "ALIASES", "ACTIONS"}};
  for (const ReadyLanguage& ready : all) {
    rows.push_back({ready.language.name, version_of(ready), ready.image, joined(ready.language.aliases, ", "),
                    joined(actions_of(ready.language), ", ")});
  }
  std::array<int, 4> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i)
      widths[i] = std::max(widths[i], static_cast<int>(row[i].size()));
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) (void)printf("%-*s  ", widths[i], row[i].c_str());
    (void)printf("%s\n", row.back().c_str());
  }
}

Json as_json(const ReadyLanguage& ready) {
  return {{"language", ready.language.name},
          {"aliases", ready.language.aliases},
          {"image", ready.image},
          {"file", ready.language.file},
          {"versions", ready.versions},
          {"actions", actions_of(ready.language)}};
}

int list_languages(const Settings& settings, bool json) {
  bool damaged = false;
  const Result<std::vector<StoredImage>> images = load_images(settings.state_dir, damaged);
  if (!images) return report_failure(images.error().text);
  std::vector<ReadyLanguage> all;
  for (const StoredImage& stored : *images) {
    for (const Language& language : stored.sidecar.runner.languages)
      all.push_back({stored.image.name, language, stored.sidecar.versions});
  }
  if (json) {
    Json list = Json::array();
    for (const ReadyLanguage& ready : all) list.push_back(as_json(ready));
    (void)printf("%s\n", list.dump(2, ' ', true, Json::error_handler_t::replace).c_str());
  } else if (all.empty()) {
    (void)fprintf(stderr, "no languages; sbxctl images build NAME brings some\n");
  } else {
    print_table(all);
  }
  return damaged ? kExitFailed : kExitOk;
}

}  // namespace

void add_languages_command(CLI::App& app, const Settings& settings, Action& action) {
  CLI::App* command = app.add_subcommand("languages", "What sbxrun --language can be given");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "As JSON");
  command->callback(
      [&settings, &action, json] { action = [&settings, json] { return list_languages(settings, *json); }; });
}

}  // namespace sbx
