#include "resource/image_layout.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/hash.h"
#include "base/split.h"

namespace sbx::image_layout {
namespace {

constexpr std::string_view kRecordVersion = "sbx-image 1";
constexpr std::string_view kLanguage = "language=";
constexpr std::string_view kVariable = "env=";
constexpr std::string_view kNames = "names=";  // of a language, with a blank between them
constexpr std::string_view kLinkPrefix = "../by-digest/";

}  // namespace

Result<std::optional<std::string>> linked_digest(int directory, const std::string& path) {
  std::array<char, 128> target{};
  const ssize_t size = readlinkat(directory, path.c_str(), target.data(), target.size());
  if (size < 0 && errno == ENOENT) return std::optional<std::string>{};
  if (size < 0) return fail(system_error("readlink", path, errno));
  const std::string_view link(target.data(), static_cast<std::size_t>(size));
  // The link becomes part of a path that is mounted: nothing but a digest of this store may come out of it.
  if (!link.starts_with(kLinkPrefix) || !is_sha256_hex(link.substr(kLinkPrefix.size()))) {
    return fail("'" + path + "' does not lead to an image of the store");
  }
  return std::optional(std::string(link.substr(kLinkPrefix.size())));
}

std::string encode_record(const Record& record) {
  std::string bytes;
  const auto put = [&bytes](std::string_view key, std::string_view value) {
    bytes.append(key).append(value).push_back('\0');
  };
  put(kRecordVersion, "");
  put(kLanguage, record.language);
  for (const std::string& variable : record.environment) put(kVariable, variable);
  for (const std::vector<std::string>& names : record.languages) {
    std::string words;
    for (std::size_t i = 0; i < names.size(); ++i) words += (i == 0 ? "" : " ") + names[i];
    put(kNames, words);
  }
  return bytes;
}

Result<Record> decode_record(std::string_view bytes) {
  Record record;
  bool first = true;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\0');
    if (end == std::string_view::npos) return fail("the record of the image is cut short");
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (first && line != kRecordVersion) break;
    first = false;
    if (line.starts_with(kLanguage)) record.language = line.substr(kLanguage.size());
    if (line.starts_with(kVariable)) record.environment.emplace_back(line.substr(kVariable.size()));
    if (line.starts_with(kNames)) {
      std::vector<std::string>& names = record.languages.emplace_back();
      for (const std::string_view name : split(line.substr(kNames.size()), ' ')) names.emplace_back(name);
    }
  }
  if (first) return fail("the record of the image is not of this version of sbx");
  return record;
}

}  // namespace sbx::image_layout
