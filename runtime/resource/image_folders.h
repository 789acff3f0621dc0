// The folders of rootfs/images that images are built from, for what makes one and for what says how.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sbx {

// Names, sorted: those with a Dockerfile. None where there are no folders.
std::vector<std::string> image_folders(const std::string& rootfs);

// Whether it is built of Debian's packages; the others need a container registry.
bool has_debian_variant(const std::string& rootfs, std::string_view name);

// "sbxctl images build NAME", with the variant where it is not the usual one. Empty: there is no such folder.
std::string command_that_builds(const std::string& rootfs, std::string_view name);

// The last, by version, whose runner.yaml has the language; of Debian's packages where there is one of those.
// Empty: none has it.
std::string folder_with_language(const std::string& rootfs, std::string_view language);

// Every language and alias that an image could be built for.
std::vector<std::string> buildable_languages(const std::string& rootfs);

// Where rootfs/build puts what it made. `cache`: the value of SBX_CACHE_DIR, which may be missing.
std::string built_images(const char* cache);

// Of the running program (os/own_places.h); empty where it cannot be told.
std::string own_rootfs();

}  // namespace sbx
