// sbxctl languages: what sbxrun --language can be given here.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "run/stored_json.h"

namespace sbx {
namespace {

using Json = nlohmann::ordered_json;

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

int list_languages(const Settings& settings, bool json) {
  const Result<StoredImages> stored = load_images(settings.state_dir);
  if (!stored) return report_failure(stored.error().text);
  const bool damaged = report_damaged(*stored);
  const std::vector<ReadyLanguage> all = ready_languages(*stored);
  if (json) {
    Json list = Json::array();
    for (const ReadyLanguage& ready : all) list.push_back(language_json(ready));
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
