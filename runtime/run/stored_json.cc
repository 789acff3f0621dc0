#include "run/stored_json.h"

#include <nlohmann/json.hpp>

namespace sbx {

using Json = nlohmann::ordered_json;

Json image_json(const StoredImage& stored) {
  const std::optional<std::uint64_t> age = age_in_days(stored.sidecar);
  return {{"name", stored.image.name},
          {"digest", stored.image.digest},
          {"language", stored.image.language},
          {"variant", stored.sidecar.variant},
          {"architecture", stored.sidecar.architecture},
          {"unpacked_bytes", stored.sidecar.unpacked_bytes},
          {"entries", stored.sidecar.entries},
          {"versions", stored.sidecar.versions},
          {"built_at", stored.sidecar.built_at},
          {"age_days", age ? Json(*age) : Json()}};
}

std::vector<ReadyLanguage> ready_languages(const StoredImages& stored) {
  std::vector<ReadyLanguage> all;
  for (const StoredImage& image : stored.images) {
    for (const Language& language : image.sidecar.runner.languages)
      all.push_back({image.image.name, language, image.sidecar.versions});
  }
  return all;
}

std::vector<std::string> actions_of(const Language& language) {
  std::vector<std::string> actions;
  for (std::size_t i = 0; i < kLanguageActions.size(); ++i) {
    if (!language.commands[i].empty()) actions.emplace_back(kLanguageActions[i]);
  }
  return actions;
}

Json language_json(const ReadyLanguage& ready) {
  return {{"language", ready.language.name},
          {"aliases", ready.language.aliases},
          {"image", ready.image},
          {"file", ready.language.file},
          {"versions", ready.versions},
          {"actions", actions_of(ready.language)}};
}

}  // namespace sbx
