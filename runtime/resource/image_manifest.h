// What a tree was when it was unpacked, as text: an mtree(5) description of libarchive's, one line per file
// with type, owner, mode, size, time, link target and the SHA-256 of what is in it. For the files of the
// image store only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx {

inline constexpr std::string_view kManifest = "manifest";
inline constexpr std::size_t kManifestLimit = 1U << 30U;  // two million entries have about half of it

// Of the directory `root`, which does not change meanwhile. Lines are sorted.
Result<std::string> make_manifest(int root);

// What is in one of two manifests only, or differs: "usr/bin/x is not there", "etc/passwd is not what it was
// (size, sha256digest)", "x was not there". At most `most`, sorted by path.
std::vector<std::string> compare_manifests(std::string_view before, std::string_view now, std::size_t most);

}  // namespace sbx
