// What is in the image store, for programs.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "language/runner.h"
#include "run/stored_image.h"

namespace sbx {

nlohmann::ordered_json image_json(const StoredImage& stored);

// What --language can be given: a row for each language of each image.
struct ReadyLanguage {
  std::string image;
  Language language;
  std::map<std::string, std::string> versions;  // of the image
};

std::vector<ReadyLanguage> ready_languages(const StoredImages& stored);
std::vector<std::string> actions_of(const Language& language);
nlohmann::ordered_json language_json(const ReadyLanguage& ready);

}  // namespace sbx
