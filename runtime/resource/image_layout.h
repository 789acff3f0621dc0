// Where the image store keeps what, and the small file that a run reads. For the files of the store only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/image_store.h"

namespace sbx::image_layout {

inline constexpr std::string_view kDigestPrefix = "sha256:";

inline std::string images(const std::string& state_dir) { return state_dir + "/images"; }
inline std::string names(const std::string& state_dir) { return images(state_dir) + "/names"; }
inline std::string by_digest(const std::string& state_dir) { return images(state_dir) + "/by-digest"; }

// Below the directory of a digest. They carry the image's name, because the digest covers the tarball only:
// one tree may be there under two names, and a new sidecar may come with an old tarball.
inline constexpr std::string_view kTree = "rootfs";
inline std::string record_file(std::string_view name) { return std::string(name) + ".env"; }
inline std::string sidecar_file(std::string_view name) { return std::string(name) + ".json"; }
inline std::string runner_file(std::string_view name) { return std::string(name) + ".runner"; }

// The digest (hex) that the link names/NAME leads to; nothing when there is no such name.
Result<std::optional<std::string>> linked_digest(int directory, const std::string& path);

// What a run needs of a sidecar, as NUL-terminated lines: no JSON is parsed on the way of a run.
struct Record {
  std::string language;
  std::vector<std::string> environment;
  std::vector<std::vector<std::string>> languages;  // of its runner: each a name and its aliases
};
std::string encode_record(const Record& record);
Result<Record> decode_record(std::string_view bytes);

}  // namespace sbx::image_layout
